"""The trio driver: a pump that waits as a task; streams and lookups are tasks of the same nursery."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from swim.addresses import Endpoint
from swim.commands import Command, Outcome, QueryReply
from swim.errors import LocalError, SwimError
from swim.events import Event
from swim.net import pump
from swim.net.faults import LinkFaults
from swim.net.lookup import Lookups
from swim.net.streams import Streams
from swim.net.subscriptions import Subscriptions
from swim.net.transport import Transport, running
from swim.node import Node

__all__ = ["Driver", "Ticket"]


class Ticket(pump.Ticket):
    """A command in progress, to wait for."""

    __slots__ = ("_event",)

    def __init__(self, number: int = 0, changed: Callable[[], None] | None = None) -> None:
        super().__init__(number, changed)
        self._event = trio.Event()

    def add(self, reply: QueryReply) -> None:
        """Takes one more reply and wakes all who wait."""
        super().add(reply)
        self._wake()

    def finish(self, outcome: Outcome | SwimError) -> None:
        """Sets the outcome and wakes all waiting tasks."""
        super().finish(outcome)
        self._wake()

    async def changed(self) -> None:
        """Waits for the next reply or the outcome; returns at once if there is an outcome."""
        await trio.lowlevel.checkpoint() if self.is_done else await self._event.wait()

    def _wake(self) -> None:
        self._event.set()
        self._event = trio.Event()

    async def outcome(self) -> Outcome:
        """Waits for the outcome.

        Raises:
            LocalError: the cluster closed before there was one.
        """
        await self.changed()
        while not self.is_done:
            await self.changed()
        return self.result


class Driver(pump.Pump):
    """Moves bytes and time between one node and the network.

    Args:
        node: the sans-I/O node; nothing else may call it.
        transport: bound; closed by the caller.
        nursery: where streams and lookups run; cancelling it stops everything.
    """

    def __init__(
        self,
        node: Node,
        transport: Transport,
        nursery: trio.Nursery,
        *,
        faults: LinkFaults | None = None,
    ) -> None:
        # Read several times per packet, so without the checks of trio.current_time.
        clock = trio.lowlevel.current_clock().current_time
        super().__init__(node, transport, clock=clock, faults=faults)
        self.subscriptions: Subscriptions = Subscriptions(node.config.event_buffer_size)
        self.streams: Streams = Streams(self, transport, nursery)
        self._lookups = Lookups(
            transport, default_port=node.bind_port, timeout=node.config.tcp_timeout, report=self._resolved
        )
        self._transport = transport
        self._nursery = nursery
        self._alarm: trio.CancelScope | None = None

    def start(self) -> None:
        """Starts the node and its tasks."""
        self.start_node()
        self._nursery.start_soon(self._run)
        self._nursery.start_soon(self.streams.accept)

    def submit(self, command: Command, changed: Callable[[], None] | None = None) -> Ticket:
        """See ``Pump.submit``; tasks can wait for this ticket."""
        ticket = Ticket(changed=changed)
        self.begin(command, ticket)
        return ticket

    def abandon(self, ticket: Ticket) -> None:
        """No more replies to a query are wanted: it finishes now."""
        if not ticket.is_done:
            self.call(self.node.abandon, ticket.number)

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a host name; ``OSError`` if there is none."""
        return await self._transport.resolve(host, port)

    def close(self) -> None:
        """Ends subscriptions and pending commands."""
        self.subscriptions.close()
        self.end_commands(LocalError("the cluster was closed"))

    def publish(self, events: Sequence[Event]) -> None:
        """Hands events to all subscribers."""
        for event in events:
            self.subscriptions.publish(event)

    def look_up(self, address: str) -> None:
        """Begins to resolve an address, unless that is under way."""
        self._lookups.start(self._nursery, address)

    def halt(self) -> None:
        """Cancels the nursery."""
        self._nursery.cancel_scope.cancel()

    def reschedule(self) -> None:
        """Sets the alarm of the loop, if it waits."""
        if self._alarm is not None:
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
                    if now >= self._due or self.is_paused:
                        break
                    self.drain(now, self._most_packets)
                    self.carry_out(now)
                    before = now
            # The next wait sets an alarm of its own: until then a change of the deadline costs nothing.
            self._alarm = None
            before = await self._pass(before)

    async def _pass(self, before: float) -> float:
        """Handles the packets that wait, then the timers that are due; returns the time."""
        if self.faults is not None:
            await running(self.faults)
        # An alarm already past when the wait began counts from there: that delay was the node's own work.
        planned = max(self._due, before)
        now = await self._drain_all()
        overslept = self.overslept(now, planned)
        if overslept:
            # Streams were held up as well: let their tasks deliver what waits before any member is accused.
            await trio.lowlevel.checkpoint()
            now = await self._drain_all()
        self.fire(now, overslept)
        return now

    async def _drain_all(self) -> float:
        """Handles the packets that wait, in portions; returns the time."""
        left = self._most_packets
        while left := self.drain(self._clock(), left):
            self.carry_out(self._read_at)
            await trio.lowlevel.checkpoint()
        return self._read_at

    def _resolved(self, address: str, endpoints: Sequence[Endpoint], error: str) -> None:
        self.call(self.node.resolved, address, endpoints, error)
