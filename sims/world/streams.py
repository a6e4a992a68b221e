"""Virtual streams: dials, bytes in both directions, ends, and their faults."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from sims.world.context import Context
from sims.world.host import SimNode
from sims.world.hosts import Hosts
from sims.world.observer import StreamStep
from swim.core.output import Close, Dial, Send, StreamAction, StreamEnd

__all__ = ["Streams"]


class _Stream:
    """One connection. ``ids`` are the stream's ids at the dialling and at the accepting node."""

    __slots__ = ("arrivals", "broken", "ends", "ids", "is_mute", "lives", "number", "resets")

    def __init__(self, number: int, dialler: SimNode, stream_id: int, target: SimNode) -> None:
        self.number = number
        self.ends = (dialler, target)
        self.lives = (dialler.life, target.life)
        self.ids: list[int | None] = [stream_id, None]
        self.arrivals = [0.0, 0.0]
        self.broken = False
        self.is_mute = False
        self.resets = False


class Streams:
    """Carries out the stream actions of all nodes of a context.

    Args:
        context: of the world.
        hosts: its hosts.
        arrive: see ``Driver.arrive``.
        pump: see ``Driver.pump``.
    """

    def __init__(
        self,
        context: Context,
        hosts: Hosts,
        arrive: Callable[..., None],
        pump: Callable[[SimNode], None],
    ) -> None:
        self._context = context
        self._at = hosts.at
        self._reach = arrive
        self._pump = pump
        self._numbers = itertools.count(1)
        self._open: dict[tuple[str, int, int], _Stream] = {}

    def act(self, node: SimNode, action: StreamAction) -> None:
        """One action of a node."""
        match action:
            case Dial():
                self._dial(node, action)
            case Send(stream_id, data, _):
                stream = self._open.get((node.id, node.life, stream_id))
                if stream is not None:
                    self._send(stream, node, data)
            case Close(stream_id):
                stream = self._open.pop((node.id, node.life, stream_id), None)
                if stream is not None:
                    self._closed(stream, node)

    def ended(self, node: SimNode) -> None:
        """Breaks every stream of a node that ended; the other ends see a reset, unless it is silent."""
        for stream in dict.fromkeys(s for s in self._open.values() if self._has(s, node)):
            stream.ids[self._side(stream, node)] = None
            if node.id not in self._context.silent:
                self._end_other(stream, node, StreamEnd.RESET)
        self._open = {key: stream for key, stream in self._open.items() if key[:2] != (node.id, node.life)}

    def _dial(self, node: SimNode, dial: Dial) -> None:
        context = self._context
        host = self._at.get(dial.endpoint)
        number = next(self._numbers)
        given_up = min(dial.deadline, dial.connect_by)
        context.tell("stream", StreamStep(number, "dial", node.id, host.id if host else "", dial.data))
        if host is None:
            # No host has the address: on a LAN the kernel gives up after a while, here the deadline applies.
            self._fail_dial(node, dial, number, StreamEnd.TIMEOUT, given_up)
            return
        there = context.network.stream_delay(context.now, node.id, host.id, len(dial.data), context.rng)
        seen = context.network.seen_as(context.now, node.id, node.endpoint, dial.endpoint)
        link = context.network.link(node.id, host.id)
        if (
            there is None
            or not context.network.lets_in(context.now, host.id, dial.endpoint, seen)
            or (not host.is_up and host.id in context.silent)
            or context.now + 2 * there > given_up
        ):
            self._fail_dial(node, dial, number, StreamEnd.TIMEOUT, given_up)
        elif not host.is_up or self._chance(link.refuse):
            self._fail_dial(node, dial, number, StreamEnd.REFUSED, context.now + 2 * there)
        else:
            stream = _Stream(number, node, dial.stream_id, host)
            stream.broken = self._chance(link.stall)
            stream.is_mute = self._chance(link.half_open)
            stream.resets = self._chance(link.reset)
            self._open[node.id, node.life, dial.stream_id] = stream
            context.clock.at(dial.deadline, self._expire, stream, node, dial.stream_id)
            # Connecting takes a round trip before the first byte can be sent.
            self._arrive(stream, host, 3 * there, self._accept, dial.data)

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._context.rng.uniform(0, 1) < probability

    def _fail_dial(self, node: SimNode, dial: Dial, number: int, end: StreamEnd, when: float) -> None:
        stream = _Stream(number, node, dial.stream_id, node)
        self._open[node.id, node.life, dial.stream_id] = stream
        self._context.clock.at(when, self._end_at, stream, node, end)

    def _accept(self, stream: _Stream, target: SimNode, data: bytes) -> None:
        dialler = stream.ends[0]
        context = self._context
        if stream.broken or stream.ids[0] is None or not self._is_alive(stream, target):
            return
        source = context.network.seen_as(context.now, dialler.id, dialler.endpoint, target.endpoint)
        accepted = target.node.accept_stream(context.now, (source[0], 49152 + stream.number % 16384))
        if accepted is None:
            self._end_other(stream, target, StreamEnd.EOF)
            return
        stream.ids[1] = accepted.stream_id
        self._open[target.id, target.life, accepted.stream_id] = stream
        context.clock.at(accepted.deadline, self._expire, stream, target, accepted.stream_id)
        context.tell("stream", StreamStep(stream.number, "accept", target.id, dialler.id))
        if not stream.is_mute:
            self._feed(stream, target, data)

    def _send(self, stream: _Stream, node: SimNode, data: bytes) -> None:
        other = self._other(stream, node)
        context = self._context
        delay = context.network.stream_delay(context.now, node.id, other.id, len(data), context.rng)
        if stream.broken or stream.is_mute or delay is None:
            return
        if stream.resets and node is stream.ends[1]:
            for end in stream.ends:
                self._arrive(stream, end, delay, self._end_at, StreamEnd.RESET)
            return
        self._arrive(stream, other, delay, self._feed, data)

    def _arrive(
        self, stream: _Stream, node: SimNode, delay: float, call: Callable[..., None], what: object
    ) -> None:
        """Input reaches one end, after everything sent there before."""
        side = self._side(stream, node)
        stream.arrivals[side] = max(stream.arrivals[side], self._context.now + delay)
        self._reach(node, stream.arrivals[side], call, stream, node, what)

    def _feed(self, stream: _Stream, node: SimNode, data: bytes) -> None:
        stream_id = stream.ids[self._side(stream, node)]
        if stream_id is None or not self._is_alive(stream, node):
            return
        context = self._context
        context.tell("stream", StreamStep(stream.number, "data", self._other(stream, node).id, node.id, data))
        node.node.receive_stream(context.now, stream_id, data)
        self._pump(node)

    def _closed(self, stream: _Stream, node: SimNode) -> None:
        """The node closed its end: the peer reads what is in flight, then the end."""
        stream.ids[self._side(stream, node)] = None
        self._context.tell("stream", StreamStep(stream.number, "end", node.id, self._other(stream, node).id))
        self._end_other(stream, node, StreamEnd.EOF)

    def _end_other(self, stream: _Stream, node: SimNode, end: StreamEnd) -> None:
        other = self._other(stream, node)
        if other is node or stream.broken or stream.is_mute:
            return
        delay = self._context.network.stream_delay(self._context.now, node.id, other.id, 0, self._context.rng)
        if delay is not None:
            self._arrive(stream, other, delay, self._end_at, end)

    def _expire(self, stream: _Stream, node: SimNode, stream_id: int) -> None:
        if self._open.get((node.id, stream.lives[self._side(stream, node)], stream_id)) is stream:
            self._end_at(stream, node, StreamEnd.TIMEOUT)
            self._end_other(stream, node, StreamEnd.EOF)

    def _end_at(self, stream: _Stream, node: SimNode, end: StreamEnd) -> None:
        side = self._side(stream, node)
        stream_id = stream.ids[side]
        if stream_id is None:
            return
        stream.ids[side] = None
        self._open.pop((node.id, stream.lives[side], stream_id), None)
        if self._is_alive(stream, node):
            context = self._context
            context.tell(
                "stream", StreamStep(stream.number, "end", node.id, self._other(stream, node).id, end=end)
            )
            self._reach(node, context.now, self._tell_end, stream, node, stream_id, end)

    def _tell_end(self, stream: _Stream, node: SimNode, stream_id: int, end: StreamEnd) -> None:
        if self._is_alive(stream, node):
            node.node.stream_ended(self._context.now, stream_id, end)
            self._pump(node)

    def _is_alive(self, stream: _Stream, node: SimNode) -> bool:
        return node.is_up and node.life == stream.lives[self._side(stream, node)]

    @staticmethod
    def _has(stream: _Stream, node: SimNode) -> bool:
        return node in stream.ends and stream.lives[0 if node is stream.ends[0] else 1] == node.life

    @staticmethod
    def _side(stream: _Stream, node: SimNode) -> int:
        return 0 if node is stream.ends[0] else 1

    @staticmethod
    def _other(stream: _Stream, node: SimNode) -> SimNode:
        return stream.ends[1] if node is stream.ends[0] else stream.ends[0]
