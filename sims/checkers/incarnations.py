"""Incarnations belong to their owner: they never go back in a view, and no other node raises them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Compared, PerLife, Swept
from swim.addresses import Endpoint
from swim.core.member import Record, State
from swim.events import Event, MemberEvent, MemberJoined, MemberReaped, MemberStatus

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["IncarnationsNeverGoBack", "OnlyTheOwnerSpeaks"]

_GONE = (MemberStatus.FAILED, MemberStatus.LEFT)


class _Known(NamedTuple):
    incarnation: int
    endpoint: Endpoint
    gone_at: float


def _no_known() -> dict[str, _Known]:
    return {}


class IncarnationsNeverGoBack(Swept):
    """A view never holds a lower incarnation of a member than it held before.

    This holds until the member is reaped, ``gossip_to_the_dead_time`` after it died or left. Another host
    that takes the name of such a member starts with its own incarnation.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._views = PerLife(_no_known)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        member, known = event.member, self._views.of(node)
        if isinstance(event, MemberReaped):
            known.pop(member.name, None)
            return
        before, endpoint = known.get(member.name), (member.address, member.port)
        if before is None and event.previous is not None:
            old = event.previous
            before = _Known(old.incarnation, (old.address, old.port), 0.0)
        gone_at = before.gone_at if before is not None else 0.0
        if before is not None and member.incarnation < before.incarnation:
            comes_back = isinstance(event, MemberJoined)
            is_reaped = gone_at > 0 and world.now >= gone_at + node.config.gossip_to_the_dead_time
            if not comes_back or not (is_reaped or endpoint != before.endpoint):
                self.violated(world, node, _went_back(member.name, before.incarnation, member.incarnation))
        gone_at = (gone_at or world.now) if member.status in _GONE else 0.0
        known[member.name] = _Known(member.incarnation, endpoint, gone_at)

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return len(node.inspect().table)

    def sweep(self, world: World, node: SimNode) -> None:
        """See ``Swept``."""
        known = self._views.of(node)
        for record in node.inspect().table:
            before = known.get(record.name)
            if before is None or before.endpoint != record.endpoint:
                continue
            if record.incarnation < before.incarnation:
                self.violated(world, node, _went_back(record.name, before.incarnation, record.incarnation))


def _went_back(name: str, before: int, after: int) -> str:
    return f"incarnation of {name} went back from {before} to {after}"


class _Claimed:
    """All claims of the nodes of one name about themselves."""

    __slots__ = ("highest", "said")

    def __init__(self) -> None:
        self.highest = 0
        self.said: dict[int, list[tuple[Endpoint, bytes]]] = {}

    def note(self, own: Record) -> None:
        self.highest = max(self.highest, own.incarnation)
        said = self.said.setdefault(own.incarnation, [])
        words = (own.endpoint, own.meta or b"")
        if words not in said:
            said.append(words)


class OnlyTheOwnerSpeaks(Compared):
    """No view holds an incarnation above what the member itself ever had.

    A member that is alive in a view has the address and the metadata that it claimed under this incarnation,
    in this run or an earlier one. An accusation may name a newer incarnation than the view had; then the
    member is not alive, but suspect or gone.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._claimed: dict[str, _Claimed] = {}
        self._own: dict[str, Record] = {}

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        for node in world.nodes.values():
            self._note(node)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self._note(node)
        super().stepped(world, node)

    def _note(self, node: SimNode) -> None:
        own = node.inspect().table.local
        if self._own.get(node.id) is not own:
            self._own[node.id] = own
            self._claimed.setdefault(own.name, _Claimed()).note(own)

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return len(node.inspect().table)

    def names(self, node: SimNode) -> list[str]:
        """See ``Compared``."""
        return [record.name for record in node.inspect().table]

    def compare(self, world: World, node: SimNode, name: str) -> None:
        """See ``Compared``."""
        record, claimed = node.inspect().table.get(name), self._claimed.get(name)
        if record is None or claimed is None:
            return
        incarnation = record.incarnation
        if incarnation > claimed.highest:
            self.violated(world, node, f"{name} never had incarnation {incarnation}")
            return
        said = claimed.said.get(incarnation)
        words = (record.endpoint, record.meta or b"")
        if record.state is State.ALIVE and said is not None and words not in said:
            self.violated(world, node, f"{name} never said this under incarnation {incarnation}: {words}")
