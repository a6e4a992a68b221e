"""A member that is gone stays gone, unless it claims itself that it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker, PerLife
from sims.checkers.hosts import Hosts
from swim.addresses import Endpoint
from swim.config import Config
from swim.events import Event, Member, MemberEvent, MemberReaped, MemberStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["LeftMembersStayAway", "NothingResurrects"]

_HERE = (MemberStatus.ALIVE, MemberStatus.LEAVING)
_FLIGHT_SECONDS = 15.0
"""Longer than any packet or stream is in flight on a network that lets it pass."""


def _endpoint(member: Member) -> Endpoint:
    return member.address, member.port


def _no_times() -> dict[str, float]:
    return {}


class LeftMembersStayAway(Checker):
    """A view lists a left member again only after a claim of the member that is newer than its leave.

    Newer means a higher incarnation. If it is not newer, a process of that name must run: at another address,
    since the name of a left member is free, or at the same one once the core has reaped the member. Without a
    tombstone, or after it expired, stale claims count. So do those of another address, however old, at a node
    that does not verify second-hand claims.

    A member that is still leaving is not checked: a join of an earlier run, or one that refuted an operator,
    may have a later stamp than the leave that a view received first. The liveness checkers check how it ends.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._hosts = Hosts()
        self._left = PerLife(_no_times)

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        self._hosts.note_all(world)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        if event.member.name == node.name:
            self._hosts.note(node)
        before, after = event.previous, event.member
        if before is None or isinstance(event, MemberReaped):
            return
        left = self._left.of(node)
        if before.status is MemberStatus.LEFT and after.status in _HERE:
            left_for = world.now - left.get(after.name, 0.0)
            newer = after.incarnation > before.incarnation
            entombed = left_for <= _tombstone_seconds(node.config, len(node.inspect().table))
            reaped = left_for >= node.config.gossip_to_the_dead_time
            moved = _endpoint(after) != _endpoint(before)
            unchecked = moved and not node.config.verify_second_hand
            if not newer and entombed and not unchecked and not self._runs(after, free=moved or reaped):
                problem = f"{after.name} had left and is back without a newer claim of its own"
                self.violated(world, node, problem)
        if after.status is MemberStatus.LEFT:
            left[after.name] = world.now if before.status in _HERE else left.get(after.name, 0.0)

    def _runs(self, after: Member, *, free: bool) -> bool:
        """Whether a running process explains that the member is listed again without a newer claim."""
        return free and any(h.is_up and h.endpoint == _endpoint(after) for h in self._hosts.of(after.name))


class _Grave(NamedTuple):
    incarnation: int
    endpoint: Endpoint
    at: float


class _View:
    __slots__ = ("graves", "shown")

    def __init__(self) -> None:
        self.graves: dict[str, _Grave] = {}
        self.shown: dict[str, None] = {}


class NothingResurrects(Checker):
    """A dead process is not listed as alive again.

    A view that listed it as gone may do so only for a claim that the process made before it died and that is
    newer than the stored one (tombstones keep older ones out until they expire). No view may do so once no
    view lists it as alive and all messages in flight have arrived; this is not checked while some node runs
    that started converged. Claims delayed by a paused or blocked node, or by a link that reorders, are
    exempt.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._hosts = Hosts()
        self._views = PerLife(_View)
        self._showing: dict[str, int] = {}
        self._hidden_at: dict[str, float] = {}
        self._held_back_until = 0.0
        self._slowest = 0.0
        self._stalled: dict[str, float] = {}

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        self._hosts.note_all(world)
        for node in world.nodes.values():
            for member in node.members():
                self._count(world, node, member.name, shown=node.is_up and member.status in _HERE)

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        id = str(detail.get("node", ""))
        if kind in ("pause", "resume", "block"):
            seconds = detail.get("seconds")
            until = world.now + (float(seconds) if isinstance(seconds, int | float) else 0.0)
            self._stalled[id] = max(self._stalled.get(id, 0.0), until)
            self._held_back_until = max(self._held_back_until, until)
        elif kind == "slow-reader":
            self._held_back_until = float("inf")
        elif kind in ("set-link", "rule-ended", "calm"):
            delays = [link.reorder_delay for link in world.network.links if link.reorder]
            slowest = max(delays, default=0.0)
            if self._slowest > _FLIGHT_SECONDS / 2:
                self._held_back_until = max(self._held_back_until, world.now + self._slowest)
            self._slowest = slowest
        elif kind == "crash":
            self._forget_view(world, world.nodes[id])

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        if not node.is_up:
            self._forget_view(world, node)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        member = event.member
        if member.name == node.name:
            self._hosts.note(node)
            return
        graves = self._views.of(node).graves
        grave = graves.get(member.name)
        if isinstance(event, MemberReaped) or member.status not in _HERE:
            if not isinstance(event, MemberReaped):
                at = grave.at if grave is not None else world.now
                graves[member.name] = _Grave(member.incarnation, _endpoint(member), at)
            self._count(world, node, member.name, shown=False)
            return
        before = event.previous
        if before is None or before.status not in _HERE:
            self._returned(world, node, member, grave)
        graves.pop(member.name, None)
        self._count(world, node, member.name, shown=True)

    def _returned(self, world: World, node: SimNode, member: Member, grave: _Grave | None) -> None:
        died_at = self._hosts.died_at(member.name)
        if died_at is None:
            return
        stale = (
            grave is not None
            and member.incarnation <= grave.incarnation
            and _endpoint(member) == grave.endpoint
            and world.now <= grave.at + _tombstone_seconds(node.config, len(node.inspect().table))
        )
        if stale and world.now > died_at + 1.0 and self._stalled.get(node.id, -1.0) < died_at:
            self.violated(world, node, f"{member.name} is dead since {died_at:.3f} s and is alive again")
        hidden_at = max(self._hidden_at.get(member.name, world.now), died_at)
        are_counted = not any(each.listed for each in world.nodes.values())
        late = world.now > hidden_at + _FLIGHT_SECONDS and are_counted
        in_order = self._slowest <= _FLIGHT_SECONDS / 2 and self._held_back_until < hidden_at
        if late and not self._showing.get(member.name) and in_order:
            problem = f"{member.name} is dead since {died_at:.3f} s, and no view listed it as alive any more"
            self.violated(world, node, problem)

    def _count(self, world: World, node: SimNode, name: str, *, shown: bool) -> None:
        view = self._views.of(node).shown
        if shown == (name in view) or name == node.name:
            return
        if shown:
            view[name] = None
        else:
            del view[name]
        self._showing[name] = self._showing.get(name, 0) + (1 if shown else -1)
        if not self._showing[name]:
            self._hidden_at[name] = world.now

    def _forget_view(self, world: World, node: SimNode) -> None:
        for name in list(self._views.of(node).shown):
            self._count(world, node, name, shown=False)


def _tombstone_seconds(config: Config, n: int) -> float:
    """How long, at least, the core keeps a dead or left member, and then its tombstone."""
    keeps = config.gossip_to_the_dead_time
    if config.max_tombstones <= 2 * n:
        return keeps  # tombstones may have had to make room
    return keeps + max(keeps, (2 * n - 3) * config.probe_interval)
