"""What every driver does with its node: read packets, carry out outputs, end commands. It does not wait.

The cost of an idle node is a turn of this: one reading of the clock and plain calls.
Packets that wait in the socket are handled before a due timer fires: a node that was held up must not mistake
its own absence for the silence of others. A driver reports to the node how late it woke.
"""

from __future__ import annotations

import logging
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from swim import commands
from swim.addresses import Endpoint, join_host_port
from swim.commands import Command, Outcome, QueryReply, SetTags, UpdateTags
from swim.core.gossip import GOSSIP_ROUNDS
from swim.core.output import SaveKeys, StreamAction
from swim.errors import SwimError
from swim.events import Event
from swim.log import DropLog, log_event, report
from swim.net.faults import LinkFaults
from swim.net.packets import Packets
from swim.node import Node

__all__ = ["Pump", "StreamWork", "Ticket"]

_logger = logging.getLogger("swim.net")

P = ParamSpec("P")
T = TypeVar("T")

_SLOW_PACKET = 0.01
"""Seconds; a packet that takes longer is reported."""
_REPORT_INTERVAL = 10.0
_SEND_AFTER = 0.002
"""Seconds of handling packets after which the answers are sent, even if more packets wait."""
_PORTION = 0.02
"""Seconds of handling packets after which other work is done, even if more packets wait."""
_READ_AFTER = 0.01
"""Seconds after which a call from outside the loop first reads the packets that wait."""
_LEAST_OVERSLEEP = 0.05
"""Seconds; the node learns that it woke later than this (or a quarter of ``probe_timeout``, if more)."""


class StreamWork(Protocol):
    """The streams of a node.

    Attributes:
        source: the address that the last dialled stream left from; "" before the first.
    """

    source: str

    def carry_out(self, action: StreamAction) -> None:
        """Starts what the node asks for; never waits."""


class Ticket(commands.Ticket):
    """A command in progress.

    Args:
        number: the node's; set once the node has it.
        changed: called after each reply and after the outcome; it must return at once.
    """

    __slots__ = ("_changed",)

    def __init__(self, number: int = 0, changed: Callable[[], None] | None = None) -> None:
        super().__init__(number)
        self._changed = changed

    def add(self, reply: QueryReply) -> None:
        """Takes one more reply."""
        super().add(reply)
        if self._changed is not None:
            self._changed()

    def finish(self, outcome: Outcome | SwimError) -> None:
        """Sets the outcome, or the error because of which there will never be one."""
        super().finish(outcome)
        if self._changed is not None:
            self._changed()


class Pump:
    """Moves bytes and time between one node and a network; a driver adds the waiting, streams and lookups.

    Args:
        node: the sans-I/O node; nothing else may call it.
        packets: bound.
        clock: seconds, monotonic.
        faults: switches that break this node's network; None for none.

    Attributes:
        record: called with the lines to append to the node's snapshot.
        tagged: called with this node's tags after each command that sets them.
        save_keys: stores a changed keyring and calls ``Node.keys_saved``; by default, none is stored.
        woken: called with the time after every wake-up for a timer.
        stopped: why the node stopped at once, or "".
    """

    streams: StreamWork

    def __init__(
        self, node: Node, packets: Packets, *, clock: Callable[[], float], faults: LinkFaults | None = None
    ) -> None:
        self.node = node
        self.faults = faults
        if faults is not None:
            faults.keyring = node.keyring
        self.record: Callable[[Sequence[str]], None] = lambda lines: None
        self.tagged: Callable[[Mapping[str, str]], None] = lambda tags: None
        self.save_keys: Callable[[SaveKeys], None] = self._keep_keys
        self.woken: Callable[[float], None] = lambda now: None
        self.stopped: str = ""
        self._clock = clock
        self._packets = packets
        self._drops = DropLog(node.config.name, node.metrics)
        self._tickets: dict[int, Ticket] = {}
        self._due = math.inf
        self._send_failed = False
        self._most_packets = node.config.handoff_queue_depth
        self._read_at = math.inf
        self._report_slow_from = -math.inf
        self._oversleep_threshold = max(_LEAST_OVERSLEEP, node.config.probe_timeout / 4)

    @abstractmethod
    def publish(self, events: Sequence[Event]) -> None:
        """Hands events to all subscribers; also called, perhaps without events, before commands finish."""

    @abstractmethod
    def look_up(self, address: str) -> None:
        """Begins to resolve an address, and reports the answer to the node later."""

    @abstractmethod
    def halt(self) -> None:
        """Ends the driver at once."""

    def reschedule(self) -> None:
        """The next timer is due at another time than before."""

    def start_node(self) -> None:
        """Starts the node."""
        self.call(self.node.start, clock_offset=time.time() - self._clock())

    def call(self, method: Callable[Concatenate[float, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a method of the node with the time, carries out its output, and reschedules the loop.

        When there are several calls in a row, packets that wait are handled in between.
        """
        now = self._clock()
        if now - self._read_at > _READ_AFTER and not self.is_paused:
            self.drain(now, self._most_packets)
            now = self._clock()
        result = method(now, *args, **kwargs)
        self.carry_out(now)
        return result

    def submit(self, command: Command, changed: Callable[[], None] | None = None) -> Ticket:
        """Gives the node a command, carries out its output, and reschedules the loop.

        Args:
            command: to carry out.
            changed: called after each reply and after the outcome; it must return at once.

        Raises:
            LocalError, ConfigError: as ``Node.do``.
        """
        ticket = Ticket(changed=changed)
        self.begin(command, ticket)
        return ticket

    def begin(self, command: Command, ticket: Ticket) -> None:
        """Gives the node a command with a ticket of the driver's own kind; see ``submit``."""
        now = self._clock()
        ticket.number = self.node.do(now, command)
        self._tickets[ticket.number] = ticket
        if isinstance(command, (SetTags, UpdateTags)):
            self.tagged(self.node.local.tags)
        self.carry_out(now)

    def end_commands(self, error: SwimError) -> None:
        """Ends all commands under way with an error."""
        tickets = list(self._tickets.values())
        self._tickets.clear()
        for ticket in tickets:
            ticket.finish(error)

    @property
    def is_paused(self) -> bool:
        """Whether faults hold this node still."""
        return self.faults is not None and self.faults.paused

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
            self.look_up(lookup.address)
        if output.events or output.finished:
            for event in output.events:
                log_event(self.node.config.name, event)
            self.publish(output.events)
        if output.records:
            self.record(output.records)
        for number, reply in output.replies:
            if number in self._tickets:
                self._tickets[number].add(reply)
        for number, outcome in output.finished:
            ticket = self._tickets.pop(number, None)
            if ticket is not None:
                ticket.finish(outcome)
        if output.keyring is not None:
            self.save_keys(output.keyring)
        if output.stop:
            self.stopped = output.stop
            self.halt()
        deadline = now if self._send_failed else self.node.next_deadline()
        due = math.inf if deadline is None else deadline
        if due != self._due:
            self._due = due
            self.reschedule()

    def _keep_keys(self, save: SaveKeys) -> None:
        now = self._clock()
        self.node.keys_saved(now, save.number)
        self.carry_out(now)

    def overslept(self, now: float, planned: float) -> float:
        """Seconds by which a wake-up is later than planned, if that is more than other work explains."""
        late = now - planned
        return late if late > self._oversleep_threshold else 0.0

    def fire(self, now: float, overslept: float) -> None:
        """Fires the node's timers that are due, after all packets that wait were handled.

        It hears that it overslept in any case: a packet that waited may be what the due timer was for.
        """
        deadline, counters = self.node.next_deadline(), self.node.metrics.counters
        rounds = counters[GOSSIP_ROUNDS]
        if overslept:
            # The machine may have been suspended, which stops the clock of the loop but not the wall clock.
            self.node.set_clock(now, time.time() - now)
        if overslept or (deadline is not None and deadline <= now):
            self.node.handle_timeout(now, overslept=overslept)
        self.carry_out(now)
        if counters[GOSSIP_ROUNDS] != rounds:
            self.node.metrics.took(self._clock(), "memberlist.gossip", now)
        self._drops.look(now)
        self.woken(now)

    def drain(self, now: float, most: int) -> int:
        """Handles packets that wait, for some milliseconds, and sends answers in between.

        Returns:
            How many more of ``most`` may be handled; 0 if none waits.
        """
        receive, receive_packet, clock = self._packets.receive, self.node.receive_packet, self._clock
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
            self._packets.send(endpoint, data)
        except BlockingIOError:
            self.node.metrics.dropped("send-buffer-full")
        except (OSError, OverflowError) as error:
            self._send_failed = True
            self.node.send_failed(now, endpoint, str(error))
