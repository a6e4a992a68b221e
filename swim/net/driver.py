"""The one loop that moves packets and fires timers, and carries out a node's outputs.

The cost of an idle node is this loop, so a pass is one kernel wait, one reading of the clock and plain calls.
Packets that wait in the socket are handled before a due timer fires: a node that was held up must not mistake
its own absence for the silence of others. The loop reports to the node how late it woke.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

import trio

from swim import commands
from swim.addresses import Endpoint, join_host_port
from swim.commands import Command, Outcome, QueryReply
from swim.errors import LocalError
from swim.log import DropLog, log_event, report
from swim.net.faults import LinkFaults
from swim.net.resolve import Lookups
from swim.net.streams import Streams
from swim.net.subscriptions import Subscriptions
from swim.net.transport import Transport
from swim.node import Node

__all__ = ["Driver", "Ticket"]

_logger = logging.getLogger("swim.net")

P = ParamSpec("P")
T = TypeVar("T")

_SLOW_PACKET = 0.01
"""Seconds; a packet that takes longer is reported."""
_REPORT_INTERVAL = 10.0
_SEND_AFTER = 0.002
"""Seconds of handling packets after which the answers are sent, even if more packets wait."""
_PORTION = 0.02
"""Seconds of handling packets after which other tasks run, even if more packets wait."""
_READ_AFTER = 0.01
"""Seconds after which a call from another task first reads the packets that wait."""
_LEAST_OVERSLEEP = 0.05
"""Seconds; the node learns that it woke later than this (or a quarter of ``probe_timeout``, if more)."""


class Ticket(commands.Ticket):
    """A command in progress, to wait for."""

    __slots__ = ("_changed",)

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._changed = trio.Event()

    def add(self, reply: QueryReply) -> None:
        """Takes one more reply and wakes all who wait."""
        super().add(reply)
        self._wake()

    def finish(self, outcome: Outcome | LocalError) -> None:
        """Sets the outcome and wakes all waiting tasks."""
        super().finish(outcome)
        self._wake()

    async def changed(self) -> None:
        """Waits for the next reply or the outcome; returns at once if there is an outcome."""
        await trio.lowlevel.checkpoint() if self.is_done else await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def outcome(self) -> Outcome:
        """Waits for the outcome.

        Raises:
            LocalError: the cluster closed before there was one.
        """
        await self.changed()
        while not self.is_done:
            await self.changed()
        return self.result


class Driver:
    """Moves bytes and time between one node and the network.

    Args:
        node: the sans-I/O node; nothing else may call it.
        transport: bound; closed by the caller.
        nursery: where streams and lookups run; cancelling it stops everything.

    Attributes:
        record: called with the lines to append to the node's snapshot.
        woken: called with the time after every wake-up for a timer.
        stopped: why the node stopped at once, or "".
    """

    def __init__(
        self,
        node: Node,
        transport: Transport,
        nursery: trio.Nursery,
        *,
        faults: LinkFaults | None = None,
    ) -> None:
        config = node.config
        self.node = node
        self.faults = faults
        self.record: Callable[[Sequence[str]], None] = lambda lines: None
        self.woken: Callable[[float], None] = lambda now: None
        self.stopped: str = ""
        self.subscriptions: Subscriptions = Subscriptions(config.event_buffer_size)
        self.streams: Streams = Streams(self, transport, nursery)
        self._lookups = Lookups(
            transport, default_port=node.bind_port, timeout=config.tcp_timeout, report=self._resolved
        )
        self._transport = transport
        self._nursery = nursery
        self._drops = DropLog(config.name, node.metrics)
        self._tickets: dict[int, Ticket] = {}
        # Read several times per packet, so without the checks of trio.current_time.
        self._clock = trio.lowlevel.current_clock().current_time
        self._due = math.inf
        self._alarm = trio.CancelScope()
        self._send_failed = False
        self._most_packets = config.handoff_queue_depth
        self._read_at = math.inf
        self._report_slow_from = -math.inf
        self._oversleep_threshold = max(_LEAST_OVERSLEEP, config.probe_timeout / 4)

    def start(self) -> None:
        """Starts the node and its tasks."""
        self.call(self.node.start)
        self._nursery.start_soon(self._run)
        self._nursery.start_soon(self.streams.accept)

    def call(self, method: Callable[Concatenate[float, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a method of the node with the time, carries out its output, and reschedules the loop.

        When several tasks call in a row, packets that wait are handled in between.
        """
        now = self._clock()
        if now - self._read_at > _READ_AFTER and not (self.faults is not None and self.faults.paused):
            self._drain(now, self._most_packets)
            now = self._clock()
        result = method(now, *args, **kwargs)
        self.carry_out(now)
        return result

    def submit(self, command: Command) -> Ticket:
        """Gives the node a command, carries out its output, and reschedules the loop."""
        now = self._clock()
        number = self.node.do(now, command)
        ticket = self._tickets[number] = Ticket(number)
        self.carry_out(now)
        return ticket

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a host name; ``OSError`` if there is none."""
        return await self._transport.resolve(host, port)

    def close(self) -> None:
        """Ends subscriptions and pending commands."""
        self.subscriptions.close()
        for ticket in self._tickets.values():
            ticket.finish(LocalError("the cluster was closed"))
        self._tickets.clear()

    def carry_out(self, now: float) -> None:
        """Carries out the node's output since the last call. That of a paused node waits."""
        if self.faults is not None and self.faults.paused:
            return
        output = self.node.poll()
        self._send_failed = False
        for endpoint, data in output.transmits:
            self._send(now, endpoint, data)
        for action in output.streams:
            self.streams.carry_out(action)
        for lookup in output.lookups:
            self._lookups.start(self._nursery, lookup.address)
        for event in output.events:
            log_event(self.node.config.name, event)
            self.subscriptions.publish(event)
        for number, reply in output.replies:
            if number in self._tickets:
                self._tickets[number].add(reply)
        for number, outcome in output.finished:
            ticket = self._tickets.pop(number, None)
            if ticket is not None:
                ticket.finish(outcome)
        if output.records:
            self.record(output.records)
        if output.stop:
            self.stopped = output.stop
            self._nursery.cancel_scope.cancel()
        deadline = now if self._send_failed else self.node.next_deadline()
        self._due = math.inf if deadline is None else deadline
        if self._alarm.deadline != self._due:
            self._alarm.deadline = self._due

    @trio.lowlevel.enable_ki_protection
    async def _run(self) -> None:
        before = self._read_at = self._clock()
        while True:
            # Entering a scope costs more than handling a packet, so one serves until its alarm rings.
            with trio.CancelScope(deadline=self._due) as self._alarm:
                while True:
                    await self._transport.readable()
                    now = self._clock()
                    if now >= self._due or (self.faults is not None and self.faults.paused):
                        break
                    self._drain(now, self._most_packets)
                    self.carry_out(now)
                    self._drops.look(now)
                    before = now
            before = await self._pass(before)

    async def _pass(self, before: float) -> float:
        """Handles the packets that wait, then the timers that are due; returns the time."""
        if self.faults is not None:
            await self.faults.running()
        # An alarm already past when the wait began counts from there: that delay was the node's own work.
        planned = max(self._due, before)
        now = await self._drain_all()
        overslept = now - planned
        if overslept > self._oversleep_threshold:
            # Streams were held up as well: let their tasks deliver what waits before any member is accused.
            await trio.lowlevel.checkpoint()
            now = await self._drain_all()
        else:
            overslept = 0.0
        deadline = self.node.next_deadline()
        if deadline is not None and deadline <= now:
            self.node.handle_timeout(now, overslept=overslept)
        self.carry_out(now)
        self._drops.look(now)
        self.woken(now)
        return now

    async def _drain_all(self) -> float:
        """Handles the packets that wait, in portions; returns the time."""
        left = self._most_packets
        while left := self._drain(self._clock(), left):
            self.carry_out(self._read_at)
            await trio.lowlevel.checkpoint()
        return self._read_at

    def _drain(self, now: float, most: int) -> int:
        """Handles packets that wait, for some milliseconds, and sends answers in between.

        Returns:
            How many more of ``most`` may be handled; 0 if none waits.
        """
        receive, receive_packet, clock = self._transport.receive, self.node.receive_packet, self._clock
        self._read_at = sent_at = began = now
        while most:
            try:
                data, source = receive()
            except BlockingIOError:
                return 0
            except OSError:
                self.node.metrics.dropped("receive-error")
                return 0
            most -= 1
            receive_packet(now, data, source)
            before, now = now, clock()
            self._read_at = now
            if now - before > _SLOW_PACKET:
                self._report_slow(now, now - before, source)
            if now - sent_at > _SEND_AFTER:
                self.carry_out(now)
                sent_at = now
                if now - began > _PORTION:
                    break
        return most

    def _report_slow(self, now: float, seconds: float, source: Endpoint) -> None:
        self.node.metrics.count("swim.slow-packets")
        if now >= self._report_slow_from:
            self._report_slow_from = now + _REPORT_INTERVAL
            report(
                _logger,
                logging.WARNING,
                "slow packet",
                "a packet from %s took %.0f ms",
                join_host_port(*source),
                seconds * 1000,
                node=self.node.config.name,
                source=join_host_port(*source),
                seconds=seconds,
            )

    def _send(self, now: float, endpoint: Endpoint, data: bytes) -> None:
        try:
            self._transport.send(endpoint, data)
        except BlockingIOError:
            self.node.metrics.dropped("send-buffer-full")
        except (OSError, OverflowError) as error:
            self._send_failed = True
            self.node.send_failed(now, endpoint, str(error))

    def _resolved(self, address: str, endpoints: Sequence[Endpoint], error: str) -> None:
        self.call(self.node.resolved, address, endpoints, error)
