"""The two tables of a node agree, its own entry is true, and stamps of intents only grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sims.checkers import inside
from sims.checkers.base import Checker, PerLife, Sweeps
from swim.core.member import Record, State
from swim.events import Event, MemberEvent, MemberReaped, MemberStatus
from swim.serf.roster import Entry

if TYPE_CHECKING:
    from sims.simnode import SimNode
    from sims.world import World

__all__ = ["NodesBelieveInThemselves", "RosterFollowsTable", "StampsNeverGoBack"]

_HERE = (MemberStatus.ALIVE, MemberStatus.LEAVING)
_OWN = {"running": MemberStatus.ALIVE, "leaving": MemberStatus.LEAVING, "left": MemberStatus.LEFT}


class RosterFollowsTable(Checker):
    """What the application sees is what the core holds.

    Alive and suspect members are alive or leaving in the roster, under the same incarnation and address; dead
    ones failed, or left if an intent or an operator said so; left ones left. Who is here in the roster is in
    the core's table.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._touched: list[str] = []
        self._sweeps = Sweeps()

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberEvent):
            self._touched.append(event.member.name)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        for name in self._touched:
            self._compare(world, node, name)
        self._touched.clear()
        if self._sweeps.due(node, len(inside.table(node)) + len(inside.roster(node))):
            self._sweep(world, node)

    def finish(self, world: World) -> None:
        """See ``Checker``."""
        for node in world.nodes.values():
            self._sweep(world, node)

    def _sweep(self, world: World, node: SimNode) -> None:
        names = [record.name for record in inside.table(node)]
        for name in dict.fromkeys([*names, *(entry.member.name for entry in inside.roster(node))]):
            self._compare(world, node, name)

    def _compare(self, world: World, node: SimNode, name: str) -> None:
        record, entry = inside.record(node, name), inside.entry(node, name)
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
    """A node that runs shows itself alive and not suspect; one that leaves, leaving and then left."""

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        own = node.node.local
        if own.status is not _OWN[node.node.status] or own.is_suspect:
            shown = f"{'suspect ' if own.is_suspect else ''}{own.status.value}"
            self.violated(world, node, f"the node is {node.node.status} and shows itself {shown}")


def _no_stamps() -> dict[str, int]:
    return {}


class StampsNeverGoBack(Checker):
    """The stamp of the newest intent about a member only grows, until the roster forgets the member."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._views = PerLife(_no_stamps)
        self._touched: list[str] = []
        self._sweeps = Sweeps()

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberReaped):
            self._views.of(node).pop(event.member.name, None)
        elif isinstance(event, MemberEvent):
            self._touched.append(event.member.name)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        for name in self._touched:
            self._compare(world, node, inside.entry(node, name))
        self._touched.clear()
        if self._sweeps.due(node, len(inside.roster(node))):
            self._sweep(world, node)

    def finish(self, world: World) -> None:
        """See ``Checker``."""
        for node in world.nodes.values():
            self._sweep(world, node)

    def _sweep(self, world: World, node: SimNode) -> None:
        for entry in inside.roster(node):
            self._compare(world, node, entry)

    def _compare(self, world: World, node: SimNode, entry: Entry | None) -> None:
        if entry is None:
            return
        stamps, name = self._views.of(node), entry.member.name
        before = stamps.get(name, 0)
        stamps[name] = entry.status_ltime
        if entry.status_ltime < before:
            problem = f"the stamp of {name} went back from {before} to {entry.status_ltime}"
            self.violated(world, node, problem)
