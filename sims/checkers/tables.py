"""The two tables of a node agree, its own entry is correct, and stamps of intents only grow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sims.checkers.base import Checker, Compared, PerLife
from swim.core.member import Record, State
from swim.events import Event, MemberReaped, MemberStatus
from swim.serf.member_list import Entry

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["NodesBelieveInThemselves", "RosterFollowsTable", "StampsNeverGoBack"]

_HERE = (MemberStatus.ALIVE, MemberStatus.LEAVING)
_OWN = {"running": MemberStatus.ALIVE, "leaving": MemberStatus.LEAVING, "left": MemberStatus.LEFT}


class RosterFollowsTable(Compared):
    """The roster, which the application sees, matches the core's table.

    Alive and suspect members are alive or leaving in the roster, with the same incarnation and address. Dead
    ones are failed, or left after an intent or an operator's command; left ones are left. Every alive or
    leaving member of the roster is in the core's table.
    """

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return len(node.inspect().table) + len(node.inspect().roster)

    def names(self, node: SimNode) -> Iterable[str]:
        """See ``Compared``."""
        names = [record.name for record in node.inspect().table]
        return dict.fromkeys([*names, *(entry.member.name for entry in node.inspect().roster)])

    def compare(self, world: World, node: SimNode, name: str) -> None:
        """See ``Compared``."""
        record, entry = node.inspect().table.get(name), node.inspect().roster.get(name)
        if not _agree(record, entry):
            core = f"{record.state.name.lower()} ({record.incarnation})" if record is not None else "absent"
            shown = "absent"
            if entry is not None:
                shown = f"{entry.status.value} ({entry.member.incarnation})"
            self.violated(world, node, f"{name} is {core} in the core and {shown} in the roster")


def _agree(record: Record | None, entry: Entry | None) -> bool:
    if record is None:
        return entry is None or entry.status not in _HERE
    if entry is None:
        return not record.is_live  # the roster may forget sooner
    member = entry.member
    match record.state:
        case State.DEAD:
            return entry.status not in _HERE
        case State.LEFT:
            return entry.status is MemberStatus.LEFT
    return (
        entry.status in _HERE
        and member.is_suspect is (record.state is State.SUSPECT)
        and member.incarnation == record.incarnation
        and (member.address, member.port) == record.endpoint
    )


class NodesBelieveInThemselves(Checker):
    """A running node lists itself as alive and not suspect; a leaving one as leaving, then left."""

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        own = node.node.local
        if own.status is not _OWN[node.node.status] or own.is_suspect:
            shown = f"{'suspect ' if own.is_suspect else ''}{own.status.value}"
            self.violated(world, node, f"the node is {node.node.status} and lists itself as {shown}")


def _no_stamps() -> dict[str, int]:
    return {}


class StampsNeverGoBack(Compared):
    """The stamp of the newest intent about a member only grows, until the roster forgets the member."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._views = PerLife(_no_stamps)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberReaped):
            self._views.of(node).pop(event.member.name, None)
        else:
            super().event(world, node, event)

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return len(node.inspect().roster)

    def names(self, node: SimNode) -> list[str]:
        """See ``Compared``."""
        return [entry.member.name for entry in node.inspect().roster]

    def compare(self, world: World, node: SimNode, name: str) -> None:
        """See ``Compared``."""
        entry = node.inspect().roster.get(name)
        if entry is None:
            return
        stamps = self._views.of(node)
        before = stamps.get(name, 0)
        stamps[name] = entry.status_ltime
        if entry.status_ltime < before:
            problem = f"the stamp of {name} went back from {before} to {entry.status_ltime}"
            self.violated(world, node, problem)
