"""The history in a trace: when each process ran, and each node's view of every member over time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import NamedTuple

from sims.traces.text import reason_words
from swim.trace import Record

__all__ = ["History", "Span", "first_world"]

_CONDITIONS = {
    "add": "running",
    "crash": "crashed",
    "leave": "leaving",
    "pause": "paused",
    "restart": "running",
    "resume": "running",
    "stopped": "stopped",
}
_GONE = ("crashed", "left", "stopped")


class Span(NamedTuple):
    """One state of something, from ``start`` to ``end`` seconds.

    Attributes:
        why: its cause, as text.
    """

    state: str
    start: float
    end: float
    why: str = ""

    def clipped(self, start: float, end: float) -> Span | None:
        """The part within a window, or None."""
        if self.end <= start or self.start >= end:
            return None
        return self._replace(start=max(self.start, start), end=min(self.end, end))


def first_world(records: Iterable[Record]) -> list[Record]:
    """The records of a run's first world; in the next one, times and numbers begin again."""
    return list(takewhile(lambda record: record["kind"] != "world", records))


class History:
    """The spans of a whole trace.

    Args:
        records: of one world, in order.

    Attributes:
        nodes: ids of all hosts, in order of appearance.
        members: names of all members listed by any node, in that order.
        end: time of the last record, seconds.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.nodes: list[str] = []
        self.members: list[str] = []
        self.end = 0.0
        self._conditions: dict[str, list[Span]] = {}
        self._views: dict[str, dict[str, list[Span]]] = {}
        for record in records:
            if "at" in record:
                self.end = max(self.end, record["at"])
                self._note(record)

    def conditions(self, node: str) -> list[Span]:
        """When a host's process was ``running``, ``paused``, ``crashed``, ``leaving`` or ``stopped``."""
        return self._closed(self._conditions.get(node, []))

    def view(self, node: str, member: str) -> list[Span]:
        """A participating node's view of a member: ``alive``, ``suspect``, ...; unlisted: no span."""
        spans = self._closed(self._views.get(node, {}).get(member, []))
        present = [span for span in self.conditions(node) if span.state not in _GONE]
        return [
            part
            for span in spans
            if span.state not in ("unknown", "reaped")
            for there in present
            if (part := span.clipped(there.start, there.end)) is not None
        ]

    def is_doubted(self, member: str, start: float, end: float) -> bool:
        """Whether any node listed a member as anything but alive within a window."""
        return any(
            span.state != "alive" and span.clipped(start, end) is not None
            for node in self._views
            for span in self.view(node, member)
        )

    def _note(self, record: Record) -> None:
        at = record["at"]
        if record["kind"] == "event":
            self._meet(record["node"])
            member = record["member"]
            if member not in self.members:
                self.members.append(member)
            spans = self._views.setdefault(record["node"], {}).setdefault(member, [])
            _turn(spans, record["after"], at, reason_words(record))
            if member == record["node"]:
                after = record["after"]
                _turn(self._conditions[member], after if after in ("leaving", "left") else "running", at, "")
        elif record["kind"] == "fault" and "node" in record:
            node = record["node"]
            self._meet(node)
            condition = _CONDITIONS.get(record["fault"])
            if condition is not None:
                _turn(self._conditions[node], condition, at, record.get("why", ""))
            if condition in ("crashed", "stopped"):
                for spans in self._views.get(node, {}).values():
                    _turn(spans, "unknown", at, condition)

    def _meet(self, node: str) -> None:
        if node not in self._conditions:
            self.nodes.append(node)
            self._conditions[node] = []

    def _closed(self, spans: list[Span]) -> list[Span]:
        """The spans, the last one lasting to the end."""
        return [*spans[:-1], spans[-1]._replace(end=self.end)] if spans else []


def _turn(spans: list[Span], state: str, at: float, why: str) -> None:
    if spans:
        if spans[-1].state == state:
            return
        spans[-1] = spans[-1]._replace(end=at)
    spans.append(Span(state, at, at, why))
