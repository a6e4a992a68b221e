"""A node's output, events and records: each legal, all complete, and equal to its snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sims.checkers.base import Checker, PerLife, Swept
from swim.events import (
    Event,
    EventsLost,
    Member,
    MemberAccused,
    MemberEvent,
    MemberLeaving,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberSuspected,
    MemberUpdated,
)
from swim.serf.member_status import is_legal
from swim.serf.snapshot import Snapshot

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["EventsAreLegal", "EventsTellTheTable", "RecordsTellTheSnapshot", "problem_with"]

_PER_RECORD = 4
"""Steps of a node for each line of its records that is read again."""


def problem_with(event: MemberEvent) -> str:
    """Why the table of statuses (``swim.serf.member_status``) does not allow an event; "" if it does.

    Beyond statuses: only a higher incarnation updates or refutes, only a suspicion leaves a member suspect,
    and a leave that begins or is cancelled changes nothing else.
    """
    before, after = event.previous, event.member
    if is_legal(event) and _fits(event, before, after):
        return ""
    if before is None:
        return f"{_what(event)} of an unknown member shows it {_state(after)}"
    return f"{_what(event)} of {after.name} from {_state(before)} to {_state(after)}"


def _fits(event: MemberEvent, before: Member | None, after: Member) -> bool:
    if before is None:
        return not after.is_suspect
    if isinstance(event, MemberSuspected):
        return after.is_suspect and not before.is_suspect
    if isinstance(event, MemberAccused):
        return after == before and after.is_suspect
    if isinstance(event, MemberLeaving | MemberReaped):
        return after == replace(before, status=after.status)
    if isinstance(event, MemberRefuted) and before.status is not after.status:
        return after == replace(before, status=after.status)
    if isinstance(event, MemberRestarted) and after == before:
        return True
    if isinstance(event, MemberUpdated | MemberRefuted) and after.incarnation <= before.incarnation:
        return False
    return not after.is_suspect


def _what(event: MemberEvent) -> str:
    return type(event).__name__


def _state(member: Member) -> str:
    return f"{'suspect ' if member.is_suspect else ''}{member.status.value} ({member.incarnation})"


class EventsAreLegal(Checker):
    """Each event about a member is allowed by its previous state; see ``problem_with``."""

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberEvent):
            problem = problem_with(event)
            if problem:
                self.violated(world, node, problem)


class _Fold:
    __slots__ = ("members", "sequence", "touched")

    def __init__(self) -> None:
        self.members: dict[str, Member | None] = {}
        self.sequence = 0
        self.touched: list[str] = []


class EventsTellTheTable(Swept):
    """Numbers rise by one, ``previous`` matches the event before, and the events fold to the snapshot.

    A node that starts with a view of others (``SimNode.listed``) reports only changes of it.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._folds = PerLife(_Fold)
        self._listed: tuple[Member, ...] = ()
        self._listed_by_name: dict[str, Member] = {}

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        for node in world.nodes.values():
            fold = self._folds.of(node)
            fold.members.update((member.name, member) for member in node.members())
            numbers = (event.sequence for event in node.events if not isinstance(event, EventsLost))
            fold.sequence = max(numbers, default=0)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, EventsLost):
            return
        fold = self._folds.of(node)
        if event.sequence != fold.sequence + 1:
            self.violated(world, node, f"event {event.sequence} came after event {fold.sequence}")
        fold.sequence = event.sequence
        if not isinstance(event, MemberEvent):
            return
        name = event.member.name
        if self._value_of(node, fold, name) != event.previous:
            self.violated(world, node, f"event {event.sequence} does not go on where {name} was")
        fold.members[name] = None if isinstance(event, MemberReaped) else event.member
        fold.touched.append(name)

    def _value_of(self, node: SimNode, fold: _Fold, name: str) -> Member | None:
        """The member according to the events and the view that the node started with."""
        if name in fold.members:
            return fold.members[name]
        return self._base(node).get(name)

    def _base(self, node: SimNode) -> dict[str, Member]:
        if node.listed is not self._listed:  # usually the same for all nodes, or empty
            self._listed = node.listed
            self._listed_by_name = {member.name: member for member in node.listed}
        return self._listed_by_name

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        fold = self._folds.of(node)
        for name in fold.touched:
            if node.member(name) != fold.members[name]:
                self.violated(world, node, f"the events disagree about {name} than the snapshot")
        fold.touched.clear()
        super().stepped(world, node)

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return len(node.listed) + len(self._folds.of(node).members)

    def sweep(self, world: World, node: SimNode) -> None:
        """See ``Swept``."""
        folded: dict[str, Member | None] = {**self._base(node), **self._folds.of(node).members}
        snapshot = {member.name: member for member in node.members()}
        if snapshot != {name: member for name, member in folded.items() if member is not None}:
            self.violated(world, node, "the events do not add up to the snapshot")


class RecordsTellTheSnapshot(Swept):
    """The lines that a node appends to its snapshot read back as the snapshot that it would write now.

    Clocks and incarnation are read only occasionally, so their records may be behind.
    """

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return _PER_RECORD * (len(node.listed) + len(node.records) + len(node.node.members()))

    def sweep(self, world: World, node: SimNode) -> None:
        """See ``Swept``."""
        written, whole = Snapshot.replay(node.written()), Snapshot.replay(node.node.snapshot())
        for what in ("alive", "failed", "left"):
            if getattr(written, what) != getattr(whole, what):
                self.violated(
                    world, node, f"its records say another thing of who is {what} than its snapshot"
                )
        for what in ("incarnation", "clock", "event_clock", "query_clock"):
            if getattr(written, what) > getattr(whole, what):
                self.violated(world, node, f"its records are ahead of its {what.replace('_', ' ')}")
