"""Every structure in a node has a limit, and members that are gone are reaped neither early nor late."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker, Swept
from swim.events import Event, MemberFailed, MemberLeft, MemberStatus

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["GoneMembersAreReaped", "LimitsHold"]

_HERE = (MemberStatus.ALIVE, MemberStatus.LEAVING)
_SLACK = 1.0


class LimitsHold(Swept):
    """Tables, tombstones, queues, streams, kept intents and timers stay within their limits."""

    def size(self, node: SimNode) -> int:
        """See ``Swept``."""
        return 0  # the same number for any number of members

    def sweep(self, world: World, node: SimNode) -> None:
        """See ``Swept``."""
        for what, size, limit in node.inspect().sizes():
            if size > limit:
                self.violated(world, node, f"{size} {what}, more than {limit}")


class _Grave(NamedTuple):
    node: SimNode
    life: int
    name: str
    changed_at: float
    look_at: float
    reap_at: float


class GoneMembersAreReaped(Checker):
    """The core keeps a dead or left member for ``gossip_to_the_dead_time``, and then reaps it.

    An operator's prune or a full roster may reap it sooner; a node that was paused, later.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._graves: dict[float, deque[_Grave]] = {}

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberFailed | MemberLeft) or event.member.name == node.name:
            return
        name, before = event.member.name, event.previous
        record = node.inspect().table.get(name)
        if record is None and before is not None and before.status in _HERE:
            if node.inspect().roster.get(name) is not None:
                self.violated(world, node, f"{name} went at this moment and is reaped already")
            return
        if record is None or record.is_live or record.changed_at != world.now:
            return
        keeps = node.config.gossip_to_the_dead_time
        for after in (0.9 * keeps, keeps + _SLACK):
            # One line for each delay, so that each is in order of time.
            line = self._graves.setdefault(after, deque())
            line.append(_Grave(node, node.life, name, world.now, world.now + after, world.now + keeps))

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        for line in self._graves.values():
            while line and line[0].look_at <= world.now:
                self._look(world, line.popleft())

    def _look(self, world: World, grave: _Grave) -> None:
        node, name = grave.node, grave.name
        if node.state != "running" or node.life != grave.life or node.since > grave.changed_at:
            return
        record = node.inspect().table.get(name)
        stays = record is not None and record.changed_at == grave.changed_at and not record.is_live
        if stays and grave.look_at > grave.reap_at:
            self.violated(world, node, f"{name} is gone since {grave.changed_at:.3f} s and was not reaped")
        elif record is None and world.now < grave.reap_at and node.inspect().roster.get(name) is not None:
            self.violated(world, node, f"{name} is gone since {grave.changed_at:.3f} s and is reaped already")
