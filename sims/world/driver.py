"""What a driver does for a node, in virtual time: carries out its output and wakes it at its deadlines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sims.world.datagrams import Packets
from sims.world.host import SimNode
from sims.world.streams import Streams
from swim.config import split_host_port
from swim.core.output import Output

if TYPE_CHECKING:
    from sims.world.world import World

__all__ = ["Driver"]


class Driver:
    """Drives all nodes of a world.

    Attributes:
        packets: the virtual datagrams.
        streams: the virtual streams.
        current: id of the host that was handled last.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._clock = world.clock
        self.packets = Packets(world)
        self.streams = Streams(world)
        self.current = ""

    def pump(self, node: SimNode) -> None:
        """Carries out what a node wants done, and plans its next wake-up."""
        if node.is_pumped:  # an application gave a command while it was handed an event
            node.has_more = True
            return
        if output := node.node.poll():
            node.is_pumped = True
            self._carry_out(node, output)
            while node.has_more:
                node.has_more = False
                self._carry_out(node, node.node.poll())
            node.is_pumped = False
        self._plan(node)
        self._world.tell("stepped", node)

    def arrive(self, node: SimNode, when: float, call: Callable[..., None], *args: Any) -> None:
        """Calls ``call(*args)`` when something reaches a process, later if that is paused or blocked."""
        self._clock.at(when, self._arrived, node, call, args)

    def catch_up(self, node: SimNode) -> None:
        """A paused process goes on: what waited comes first, then late timers, with the gap told."""
        now = self._clock.now
        self.current = node.id
        planned = node.node.next_deadline()
        backlog, node.backlog, node.backlog_bytes = node.backlog, [], 0
        for call, args in backlog:
            call(*args)
        node.scheduled = None
        due = node.node.next_deadline()
        if due is not None and due <= now:
            node.node.handle_timeout(now, overslept=now - min(due, planned or due))
        self.pump(node)

    def _carry_out(self, node: SimNode, output: Output) -> None:
        world = self._world
        for endpoint, data in output.transmits:
            self.packets.send(node, endpoint, data)
        for action in output.streams:
            self.streams.act(node, action)
        for lookup in output.lookups:
            delay = world.network.dns_latency.draw(world.rng)
            self.arrive(node, self._clock.now + delay, self._resolve, node, node.life, lookup.address)
        for event in output.events:
            world.views.apply(node.view, event, counts=node.counts)
            world.tell("event", node, event)
            node.publish(self._clock.now, event)
        for done in output.finished:
            node.finished[done.ticket] = done.result
        if output.stop:
            node.stopped_because = output.stop
            world.tell_fault("stopped", node=node.id, why=output.stop)
            world.end(node, "left")
        elif node.ends_after_leave and node.finished.get(node.leave_ticket, self) is None:
            world.tell_fault("ended", node=node.id)
            world.end(node, "left")

    def _plan(self, node: SimNode) -> None:
        """Plans the next wake-up; one that was planned before, and is not it, finds that out by itself."""
        deadline = node.node.next_deadline()
        if deadline != node.scheduled:
            node.scheduled = deadline
            if deadline is not None and node.state == "running":
                self._clock.at(deadline, self._wake, node, node.life, deadline)

    def _wake(self, node: SimNode, life: int, planned: float, has_turn: bool = False) -> None:
        if planned != node.scheduled or life != node.life or node.state != "running":
            return
        if node.processor is not None and not has_turn:
            node.processor.serve(node.processor.timer, self._wake, node, life, planned, True)
            return
        node.scheduled = None
        self.current = node.id
        node.node.handle_timeout(self._clock.now)
        self.pump(node)

    def _arrived(
        self, node: SimNode, call: Callable[..., None], args: tuple[Any, ...], has_turn: bool = False
    ) -> None:
        self.current = node.id
        if node.state == "paused":
            node.backlog.append((call, args))
        elif node.blocked_until > self._clock.now:
            self._clock.at(node.blocked_until, self._arrived, node, call, args)
        elif node.processor is not None and not has_turn:
            node.processor.serve(node.processor.stream, self._arrived, node, call, args, True)
        else:
            call(*args)

    def _resolve(self, node: SimNode, life: int, address: str) -> None:
        if node.life != life or node.state != "running":
            return
        host, port = split_host_port("seeds", address.rpartition("/")[2], 7946)
        found = [(ip, given or port) for ip, given in self._world.network.names.get(host, ())]
        node.node.resolved(self._clock.now, address, found, "" if found else "no such host")
        self.pump(node)
