"""The trace of a live cluster: the same records as those of a simulated one, in one file for all nodes.

A received packet is matched by its bytes and its source. Packets of the same pair of nodes that were sent
before it and did not arrive are lost.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import trio

from swim.addresses import Endpoint, join_host_port, split_host_port
from swim.config import Config
from swim.core.output import StreamEnd
from swim.events import Event, MemberEvent, Transition
from swim.net.faults import LinkFaults
from swim.net.taps import StreamTap
from swim.trace import Reader, Record, encode, event_record, header, plain, seconds
from swim.wire.keyring import Keyring

__all__ = ["ClusterTrace"]

_FLYING = 4096
"""Packets per pair of nodes that may be in flight; older ones count as lost."""


@dataclass(slots=True)
class _Dial:
    """A stream: its ends, and the answer in progress."""

    number: int
    source: str
    target: str
    answer: list[Record] = field(default_factory=list)


class ClusterTrace:
    """Writes what a cluster of real nodes does.

    Args:
        write: called with every line.
        names: of the nodes by their endpoints; read again when an endpoint is unknown.
        seed: run seed of the faults.
        made: how the cluster was started.
        write_packet: called instead of ``write`` with the lines of packets and streams; None for ``write``.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        names: Callable[[], Mapping[str, str]],
        *,
        seed: int,
        made: Mapping[str, Any],
        write_packet: Callable[[str], object] | None = None,
    ) -> None:
        self._write = write
        self._write_packet = write_packet or write
        self._names = names
        self._known: dict[Endpoint, str] = {}
        self._began = trio.current_time()
        self.packets: itertools.count[int] = itertools.count(1)
        self.streams: itertools.count[int] = itertools.count(1)
        self.flying: dict[tuple[str, str], deque[tuple[int, bytes]]] = {}
        self.dials: dict[Endpoint, _Dial] = {}
        """Streams under way, by the endpoint the dialler sends from."""
        self._header = seed, {"by": "cluster", **made}
        write(self.header("all"))

    def header(self, level: str) -> str:
        """The first line of a trace of that level: see ``swim.trace.header``."""
        return encode(header(*self._header, level))

    def event(self, node: str, event: Event, history: Iterable[Transition] = ()) -> None:
        """An event that a node reported to its application.

        The record is written when the node's event is read. A transition has the time from ``history``.
        """
        at = trio.current_time()
        if isinstance(event, MemberEvent):
            at = next((each.at for each in history if each.reason is event.reason), at)
        self._write(encode(event_record(at - self._began, node, event)))

    def fault(self, kind: str, **detail: object) -> None:
        """A fault or a command."""
        shown = {name: plain(what) for name, what in detail.items()}
        self._write(encode({"at": seconds(self.now()), "fault": kind, "kind": "fault", **shown}))

    def write(self, record: Record) -> None:
        """Adds a packet or a step of a stream, with the current time."""
        self._write_packet(encode({"at": seconds(self.now()), **record}))

    def name_of(self, endpoint: Endpoint) -> str:
        """The node that is bound to an endpoint, or ""."""
        if endpoint not in self._known:
            self._known = {split_host_port("bind", bind): name for name, bind in self._names().items()}
        return self._known.get(endpoint, "")

    def tap(self, name: str, config: Config, faults: LinkFaults) -> NodeTap:
        """The observer of one node in its current run."""
        return NodeTap(self, name, config, faults)

    def now(self) -> float:
        """Seconds since the trace began."""
        return trio.current_time() - self._began


class NodeTap:
    """Observes one node."""

    def __init__(self, trace: ClusterTrace, name: str, config: Config, faults: LinkFaults) -> None:
        self.trace = trace
        self.name = name
        self._config = config
        self._faults = faults

    @cached_property
    def reader(self) -> Reader:
        """Reads what the node sends, once it has started: from then on its faults know its keyring."""
        keyring = self._faults.keyring
        return Reader(self._config, Keyring(self._config.keys) if keyring is None else keyring)

    def sent(self, endpoint: Endpoint, data: bytes, *, passes: bool) -> None:
        """See ``Tap``."""
        trace, number = self.trace, next(self.trace.packets)
        target = trace.name_of(endpoint)
        fate = "sent" if passes else "cut" if endpoint in self._faults.blocked_outbound else "lost"
        record: Record = {
            "bytes": len(data),
            "fate": fate,
            "from": self.name,
            "kind": "send",
            "messages": self.reader.packet(data),
            "packet": number,
            "to": target,
        }
        if not target:
            record["endpoint"] = join_host_port(*endpoint)
        trace.write(record)
        if passes and target:
            flying = trace.flying.setdefault((self.name, target), deque(maxlen=_FLYING))
            flying.append((number, data))

    def received(self, source: Endpoint, data: bytes, *, passes: bool) -> None:
        """See ``Tap``."""
        sender = self.trace.name_of(source)
        flying = self.trace.flying.get((sender, self.name))
        if flying is None:
            return
        number = next((number for number, sent in flying if sent == data), None)
        if number is None:
            return
        while flying and flying[0][0] <= number:
            flying.popleft()
        kind = "recv" if passes else "lost"
        self.trace.write({"from": sender, "kind": kind, "packet": number, "to": self.name})

    def accepted(self, source: Endpoint) -> StreamTap:
        """See ``Tap``."""
        return _Accepted(self, source)

    def dialled(self, endpoint: Endpoint) -> StreamTap:
        """See ``Tap``."""
        return _Dialled(self, _Dial(next(self.trace.streams), self.name, self.trace.name_of(endpoint)))

    def step(self, dial: _Dial, step: str, source: str, target: str, **more: Any) -> None:
        """Adds one step of a stream."""
        self.trace.write(
            {"from": source, "kind": "stream", "step": step, "stream": dial.number, "to": target, **more}
        )


class _Accepted:
    """Observes a stream at the side that accepted it; see ``StreamTap``."""

    def __init__(self, node: NodeTap, source: Endpoint) -> None:
        self._node = node
        self._source = source

    def connected(self, local: Endpoint | None) -> None:
        """Not of a stream that was accepted."""

    def failed(self, end: StreamEnd | None) -> None:
        """Not of a stream that was accepted."""

    def sending(self, data: bytes) -> None:
        dial = self._node.trace.dials.get(self._source)
        if dial is not None:
            dial.answer = [self._node.reader.stream(data, dialler=False)]

    # The dialler may learn later than the acceptor that it is connected, but before it sends.
    def received(self, data: bytes) -> None:
        dial = self._node.trace.dials.get(self._source)
        if dial is not None:
            self._node.step(dial, "data", dial.source, self._node.name, bytes=len(data))

    def closed(self) -> None:
        """The side that dialled reports it."""


class _Dialled:
    """Observes a stream at the side that dialled it; see ``StreamTap``."""

    def __init__(self, node: NodeTap, dial: _Dial) -> None:
        self._node = node
        self._dial = dial
        self._began = node.trace.now()
        self._local: Endpoint | None = None

    def connected(self, local: Endpoint | None) -> None:
        self._local = local
        if local is not None:
            self._node.trace.dials[local] = self._dial

    def failed(self, end: StreamEnd | None) -> None:
        node, dial = self._node, self._dial
        node.step(dial, "dial", dial.source, dial.target, at=seconds(self._began))
        node.step(dial, "end", dial.source, dial.target, end="closed" if end is None else end.value)

    def sending(self, data: bytes) -> None:
        node, dial = self._node, self._dial
        messages = [node.reader.stream(data, dialler=True)]
        node.step(dial, "dial", dial.source, dial.target, bytes=len(data), messages=messages)

    def received(self, data: bytes) -> None:
        dial = self._dial
        messages, dial.answer = dial.answer, []
        more: Record = {"messages": messages} if messages else {}
        self._node.step(dial, "data", dial.target, dial.source, bytes=len(data), **more)

    def closed(self) -> None:
        dial = self._dial
        if self._local is not None and self._node.trace.dials.pop(self._local, None) is not None:
            self._node.step(dial, "end", dial.source, dial.target, end="closed")
