"""Traces: everything that happens in a world, as JSON lines with a running hash.

``TraceWriter`` writes packets, streams, transitions and faults; ``EventTrace`` only the last two, and then
packets cost nothing. Tracing does not change a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sims.errors import ViolationError
from sims.world.host import SimNode
from sims.world.observer import Observer, Packet, StreamStep
from swim import checks
from swim.addresses import join_host_port
from swim.events import Event
from swim.trace import Reader, Record, encode, event_record, header, plain, seconds

if TYPE_CHECKING:
    from sims.world import World

__all__ = ["EventTrace", "TraceWriter"]

_DROPPED = "swim.dropped."


class EventTrace(Observer):
    """Writes transitions with their reasons, and faults.

    Args:
        sink: called with every line, newline included: ``file.write``, ``lines.append``; None keeps nothing
            but the hash.
        made: how to make the run again, any JSON mapping; see ``sims.replay``.

    Attributes:
        lines: how many were written.
    """

    level = "events"
    """The level of the trace, for the header."""

    @checks.arguments(sink=checks.optional(checks.instance("a function", call=True)))
    def __init__(
        self, sink: Callable[[str], object] | None = None, *, made: Mapping[str, Any] | None = None
    ) -> None:
        self.lines = 0
        self._sink = sink
        self._made = dict(made or {})
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Hex digest of all lines so far."""
        return self._hash.hexdigest()

    def attached(self, world: World) -> None:
        """Writes the header for the first world, and a line for each further one of the same run."""
        if not self.lines:
            self.write(header(world.seed, self._made, self.level))
        else:
            self.write({"kind": "world", "seed": world.seed})

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """A transition, a user event or a query."""
        self.write(event_record(world.now, node.id, event))

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """A fault; its details are added to the common fields."""
        fields = {name if name not in _RESERVED else f"{name}_": plain(what) for name, what in detail.items()}
        self.write({"at": seconds(world.now), "fault": kind, "kind": "fault", **fields})

    def violation(self, world: World, error: ViolationError) -> None:
        """A checker's sentence, at the moment when it was violated."""
        where = {"node": error.node} if error.node else {}
        found = {"at": seconds(error.at), "checker": error.checker, "problem": error.problem}
        self.write({**found, "kind": "violation", **where})

    def write(self, record: Record) -> None:
        """Adds one record."""
        line = encode(record)
        self.lines += 1
        self._hash.update(line.encode("ascii"))
        if self._sink is not None:
            self._sink(line)


_RESERVED = ("at", "fault", "kind")


class TraceWriter(EventTrace):
    """Writes packets and streams as well, every message decoded with its sender's label and keys."""

    level = "all"

    def __init__(
        self, sink: Callable[[str], object] | None = None, *, made: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(sink, made=made)
        self._readers: dict[str, tuple[int, Reader]] = {}
        self._diallers: dict[int, str] = {}
        self._dropped: dict[str, tuple[int, int, dict[str, int]]] = {}

    def attached(self, world: World) -> None:
        """Forgets the hosts and streams of the previous world; those of the next have the same names."""
        super().attached(world)
        for known in (self._readers, self._diallers, self._dropped):
            known.clear()

    def sent(self, world: World, packet: Packet) -> None:
        """A packet with its fate and its messages."""
        record: Record = {
            "at": seconds(world.now),
            "bytes": len(packet.data),
            "fate": packet.fate,
            "from": packet.source,
            "kind": "send",
            "messages": self._reader(world, packet.source).packet(packet.data),
            "packet": packet.number,
            "to": packet.target,
        }
        if not packet.target:
            record["endpoint"] = join_host_port(*packet.endpoint)
        self.write(record)

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """An arrival, and why the node dropped something of it, if it did."""
        record: Record = {
            "at": seconds(world.now),
            "from": packet.source,
            "kind": "recv",
            "packet": packet.number,
            "to": node.id,
        }
        if node.metrics.drops != self._dropped.get(node.id, (0, 0, {}))[1]:
            dropped = self._newly_dropped(node)
            if dropped:
                record["dropped"] = dropped
        self.write(record)

    def stream(self, world: World, step: StreamStep) -> None:
        """A step of a stream; the request is shown with ``dial``, the answer as it arrives."""
        record: Record = {
            "at": seconds(world.now),
            "from": step.source,
            "kind": "stream",
            "step": step.kind,
            "stream": step.number,
            "to": step.target,
        }
        if step.kind == "dial":
            self._diallers[step.number] = step.source
        if step.data:
            record["bytes"] = len(step.data)
        is_answer = step.kind == "data" and self._diallers.get(step.number) == step.target
        if step.data and (step.kind == "dial" or is_answer):
            reader = self._reader(world, step.source)
            record["messages"] = [reader.stream(step.data, dialler=not is_answer)]
        if step.kind == "end":
            record["end"] = step.end.value if step.end is not None else "closed"
        self.write(record)

    def _reader(self, world: World, host: str) -> Reader:
        node = world.nodes[host]
        life, reader = self._readers.get(host, (0, None))
        if reader is None or life != node.life:
            reader = Reader(node.node.config, node.node.keyring, wire=world.wire)
            self._readers[host] = (node.life, reader)
        return reader

    def _newly_dropped(self, node: SimNode) -> list[str]:
        """Drop reasons counted since the last call, including those of streams in between."""
        life, _, before = self._dropped.get(node.id, (0, 0, {}))
        if life != node.life:
            before = {}
        now = {name: count for name, count in node.metrics.counters.items() if name.startswith(_DROPPED)}
        self._dropped[node.id] = (node.life, node.metrics.drops, now)
        return sorted(name.removeprefix(_DROPPED) for name in now if now[name] != before.get(name, 0))
