"""The first difference of two traces, and its consequences."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from sims.replay import Trace
from sims.traces.text import line_of
from swim.trace import Record

__all__ = ["Difference", "FieldChange", "Moved", "diff"]

_SHOWN = 12
_IDENTITY = ("node", "member", "event", "incarnation", "after")


class FieldChange(NamedTuple):
    """One field that differs: its place, such as ``messages[0].node``, and both values (None: missing)."""

    place: str
    left: Any
    right: Any


class Moved(NamedTuple):
    """A transition that both runs have, at different times."""

    words: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How one trace differs from another.

    Attributes:
        made: differences in how the runs were made, as fields of the headers.
        number: line of the first difference; the header is line 1.
        context: the records before it, common to both.
        left: the record there, None if the first trace ends there.
        right: the same of the second.
        changes: the fields in which those two differ.
        views: how the final views differ: observer, member, and the state in each.
        only_left: transitions that only the first run has, as text with their time.
        only_right: the same of the second.
        moved: transitions that both have, at different times.
    """

    made: tuple[FieldChange, ...]
    number: int
    context: tuple[Record, ...]
    left: Record | None
    right: Record | None
    changes: tuple[FieldChange, ...]
    views: tuple[tuple[str, str, str, str], ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    moved: tuple[Moved, ...]

    def lines(self) -> Iterator[str]:
        """The whole report, a line at a time; the first trace is ``-``, the second ``+``."""
        for place, left, right in self.made:
            yield f"made with {place}: {left!r} | {right!r}"
        yield f"the runs diverge at line {self.number}"
        for record in self.context:
            yield f"    {_timed(record)}"
        yield f"  - {_timed(self.left) if self.left else 'ends here'}"
        yield f"  + {_timed(self.right) if self.right else 'ends here'}"
        if self.left and self.right:
            for place, left, right in self.changes[:_SHOWN]:
                yield f"      {place}: {left!r} | {right!r}"
            yield from _more(len(self.changes))
        yield "afterwards"
        same = not (self.views or self.only_left or self.only_right or self.moved)
        if same:
            yield "  the same transitions at the same times, and the same views at the end"
        for observer, member, left_state, right_state in self.views[:_SHOWN]:
            yield f"  at the end {observer} has {member}: {left_state} | {right_state}"
        yield from _more(len(self.views))
        for sign, words in (("-", self.only_left), ("+", self.only_right)):
            for each in words[:_SHOWN]:
                yield f"  {sign} {each}"
            yield from _more(len(words))
        if self.moved:
            first = self.moved[0]
            most = max(abs(moved.right - moved.left) for moved in self.moved)
            yield (
                f"  {len(self.moved)} transitions at other times, by up to {most:.3f} s; the first: "
                f"{first.words} at {first.left:.6f} | {first.right:.6f}"
            )


def diff(first: Trace, second: Trace, *, context: int = 3) -> Difference | None:
    """Compares two traces record by record; None if they are equal except for their headers.

    Args:
        first: one trace.
        second: another, of the same level.
        context: how many common records to keep.
    """
    before: deque[Record] = deque(maxlen=context)
    for number, (left, right) in enumerate(zip_longest(first.records, second.records), 2):
        if left != right:
            return _difference(number, tuple(before), left, right, first, second)
        before.append(left)
    return None


def _difference(
    number: int,
    context: tuple[Record, ...],
    left: Record | None,
    right: Record | None,
    first: Trace,
    second: Trace,
) -> Difference:
    left_views, right_views = _final_views(first), _final_views(second)
    views = [
        (observer, member, left_views.get((observer, member), "-"), right_views.get((observer, member), "-"))
        for observer, member in sorted(left_views.keys() | right_views.keys())
    ]
    only_left, only_right, moved = _compare_events(_events(first), _events(second))
    return Difference(
        tuple(_changes(first.header, second.header)),
        number,
        context,
        left,
        right,
        tuple(_changes(left, right)) if left and right else (),
        tuple(view for view in views if view[2] != view[3]),
        only_left,
        only_right,
        moved,
    )


def _changes(left: Any, right: Any, place: str = "") -> Iterator[FieldChange]:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(left.keys() | right.keys()):
            where = f"{place}.{name}" if place else name
            yield from _changes(left.get(name), right.get(name), where)
    elif isinstance(left, list) and isinstance(right, list):
        for index, (one, other) in enumerate(zip_longest(left, right)):
            yield from _changes(one, other, f"{place}[{index}]")
    elif left != right:
        yield FieldChange(place, left, right)


def _final_views(trace: Trace) -> dict[tuple[str, str], str]:
    return {(r["node"], r["member"]): r["after"] for r in trace.records if r["kind"] == "event"}


def _events(trace: Trace) -> dict[tuple[Any, ...], Record]:
    """Every transition by observer, member, kind, and its number among equal ones."""
    seen: Counter[tuple[Any, ...]] = Counter()
    events: dict[tuple[Any, ...], Record] = {}
    for record in trace.records:
        if record["kind"] == "event":
            identity = tuple(record[name] for name in _IDENTITY)
            seen[identity] += 1
            events[(*identity, seen[identity])] = record
    return events


def _compare_events(
    left: dict[tuple[Any, ...], Record], right: dict[tuple[Any, ...], Record]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Moved, ...]]:
    only_left = tuple(_timed(record) for key, record in left.items() if key not in right)
    only_right = tuple(_timed(record) for key, record in right.items() if key not in left)
    moved = tuple(
        Moved(line_of(record), record["at"], right[key]["at"])
        for key, record in left.items()
        if key in right and right[key]["at"] != record["at"]
    )
    return only_left, only_right, moved


def _timed(record: Record) -> str:
    return f"{record['at']:.6f} {line_of(record)}" if "at" in record else line_of(record)


def _more(count: int) -> Iterator[str]:
    if count > _SHOWN:
        yield f"      and {count - _SHOWN} more"
