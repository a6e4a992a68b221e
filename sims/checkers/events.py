"""The events a node hands to its application: legal one by one, complete, and equal to its snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sims.checkers.base import Checker, PerLife, Swept
from swim.events import (
    Event,
    Member,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeaving,
    MemberLeft,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberStatus,
    MemberSuspected,
    MemberUpdated,
)

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["EventsAreLegal", "EventsTellTheTable", "problem_with"]

_ALIVE, _LEAVING = MemberStatus.ALIVE, MemberStatus.LEAVING
_LEFT, _FAILED = MemberStatus.LEFT, MemberStatus.FAILED
_HERE, _GONE = (_ALIVE, _LEAVING), (_LEFT, _FAILED)


def problem_with(event: MemberEvent) -> str:
    """What the automaton of a member does not allow in one event; "" if nothing.

    ======================  =========================  =================================================
    event                   from                       to
    ======================  =========================  =================================================
    joined                  unknown, failed, left      alive, not suspect (leaving if its intent came first)
    restarted, updated      alive, leaving             the same status; not suspect, if it changed at all
    suspected               alive, leaving             the same status, suspect
    refuted                 alive, leaving             the same, under a higher incarnation
    refuted                 leaving                    alive, and nothing else changed
    leaving                 alive                      leaving
    left                    alive, leaving, failed     left
    failed                  alive                      failed
    reaped                  failed, left               unknown
    ======================  =========================  =================================================
    """
    before, after = event.previous, event.member
    if before is None:
        fits = isinstance(event, MemberJoined) and after.status in _HERE and not after.is_suspect
        return "" if fits else f"{_what(event)} of an unknown member shows it {_state(after)}"
    if _LEGAL[type(event)](before, after):
        return ""
    return f"{_what(event)} of {after.name} from {_state(before)} to {_state(after)}"


def _same(before: Member, after: Member) -> bool:
    return before.status is after.status and before.status in _HERE


def _is_refutation(before: Member, after: Member) -> bool:
    if before.status is _LEAVING and after == replace(before, status=_ALIVE):
        return True
    return _same(before, after) and after.incarnation > before.incarnation and not after.is_suspect


_LEGAL: dict[type[MemberEvent], Callable[[Member, Member], bool]] = {
    MemberJoined: lambda a, b: a.status in _GONE and b.status is _ALIVE and not b.is_suspect,
    MemberRestarted: lambda a, b: _same(a, b) and (a == b or not b.is_suspect),
    MemberUpdated: lambda a, b: _same(a, b) and b.incarnation > a.incarnation and not b.is_suspect,
    MemberSuspected: lambda a, b: _same(a, b) and b.is_suspect and not a.is_suspect,
    MemberRefuted: _is_refutation,
    MemberLeaving: lambda a, b: a.status is _ALIVE and b == replace(a, status=_LEAVING),
    MemberLeft: lambda a, b: a.status in (*_HERE, _FAILED) and b.status is _LEFT and not b.is_suspect,
    MemberFailed: lambda a, b: a.status is _ALIVE and b.status is _FAILED and not b.is_suspect,
    MemberReaped: lambda a, b: a.status in _GONE and a == b,
}


def _what(event: MemberEvent) -> str:
    return type(event).__name__


def _state(member: Member) -> str:
    return f"{'suspect ' if member.is_suspect else ''}{member.status.value} ({member.incarnation})"


class EventsAreLegal(Checker):
    """Each event about a member is one that its last state allows, see ``problem_with``."""

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
    """Numbers rise by one, ``previous`` is what the events said before, and their fold is the snapshot.

    A node that starts with a view of others (``SimNode.listed``) is told of what changes in it only.
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
            told = [event.sequence for event in node.events if isinstance(event, MemberEvent)]
            fold.sequence = max(told, default=0)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        fold, name = self._folds.of(node), event.member.name
        if event.sequence != fold.sequence + 1:
            self.violated(world, node, f"event {event.sequence} came after event {fold.sequence}")
        fold.sequence = event.sequence
        if self._told(node, fold, name) != event.previous:
            self.violated(world, node, f"event {event.sequence} does not go on where {name} was")
        fold.members[name] = None if isinstance(event, MemberReaped) else event.member
        fold.touched.append(name)

    def _told(self, node: SimNode, fold: _Fold, name: str) -> Member | None:
        """What the events, and the view that the node started with, say of a member."""
        if name in fold.members:
            return fold.members[name]
        return self._base(node).get(name)

    def _base(self, node: SimNode) -> dict[str, Member]:
        if node.listed is not self._listed:  # usually the same for all nodes, or nothing
            self._listed = node.listed
            self._listed_by_name = {member.name: member for member in node.listed}
        return self._listed_by_name

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        fold = self._folds.of(node)
        for name in fold.touched:
            if node.member(name) != fold.members[name]:
                self.violated(world, node, f"the events say another thing of {name} than the snapshot")
        fold.touched.clear()
        super().stepped(world, node)

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return len(node.listed) + len(self._folds.of(node).members)

    def sweep(self, world: World, node: SimNode) -> None:
        """See ``Swept``."""
        told: dict[str, Member | None] = {**self._base(node), **self._folds.of(node).members}
        snapshot = {member.name: member for member in node.members()}
        if snapshot != {name: member for name, member in told.items() if member is not None}:
            self.violated(world, node, "the events do not add up to the snapshot")
