"""A toy cache whose keys are spread over the members by rendezvous hashing, wrong first and then right.

``ShardedCache`` owns a key when it wins among the members that *its own* view shows as alive. Views differ:
while a node joins, on the two sides of a partition, while one node knows of a death and another does not.
Then a key has two owners, both take writes, and one of them is lost.

``LeasedCache`` owns a key only while it sees a majority of the expected members, and only after its view has
been quiet for a while: long enough for an old owner, cut off or standing still, to notice that it is alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sims.testing.applications import every
from swim.events import Event, Member, MemberEvent
from swim.ring import Ring

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["KEYS", "LeasedCache", "ShardedCache", "one_owner"]

KEYS = ("apple", "pear", "plum")


class ShardedCache:
    """One node's part of the cache. It believes its view, which is the bug."""

    def __init__(self, world: World, node: SimNode) -> None:
        self.world = world
        self.node = node
        self.values: dict[str, str] = {}
        self._members: tuple[Member, ...] = ()
        self._ring = Ring(())

    def alive(self) -> tuple[Member, ...]:
        """The members that can own something."""
        return self.node.alive()

    def owner(self, key: str) -> str:
        """All agree who have the same view."""
        members = self.alive()
        if members != self._members:
            self._members, self._ring = members, Ring(members)
        return self._ring.owner(key).name if members else ""

    def owns(self, key: str) -> bool:
        """Whether this node takes reads and writes of a key."""
        return self.owner(key) == self.node.name

    def put(self, key: str, value: str) -> bool:
        """Stores a value; False if another node owns the key."""
        if not self.owns(key):
            return False
        self.values[key] = value
        return True

    def on_event(self, now: float, event: Event) -> None:
        """Forgets what another member owns from now on."""
        if isinstance(event, MemberEvent):
            self.values = {key: value for key, value in self.values.items() if self.owns(key)}


class LeasedCache(ShardedCache):
    """A cache that would rather have no owner than two.

    Args:
        world: where it runs.
        node: what it runs on.
        expected: how many members the cluster has when all is well.
        grace: seconds without news before it trusts its view. Longer than a node that is cut off needs to
            suspect the others: some ten probe intervals for a handful of nodes.
    """

    TICK_SECONDS = 0.25

    def __init__(self, world: World, node: SimNode, *, expected: int = 5, grace: float = 30.0) -> None:
        super().__init__(world, node)
        self.expected = expected
        self.grace = grace
        self.quiet_since = self.ticked_at = world.now
        every(world, node, self.TICK_SECONDS, self._tick)

    def alive(self) -> tuple[Member, ...]:
        """Suspects do not count."""
        return tuple(member for member in self.node.alive() if not member.is_suspect)

    def owns(self, key: str) -> bool:
        """Owns nothing in a minority, while its view has just changed, or right after a pause."""
        now = self.world.now
        return (
            now - self.ticked_at <= 2 * self.TICK_SECONDS
            and now - self.quiet_since >= self.grace
            and 2 * len(self.alive()) > self.expected
            and super().owns(key)
        )

    def on_event(self, now: float, event: Event) -> None:
        """Any news about a member starts the wait anew."""
        if isinstance(event, MemberEvent):
            self.quiet_since = now
        super().on_event(now, event)

    def _tick(self) -> None:
        now = self.world.now
        if now - self.ticked_at > 2 * self.TICK_SECONDS:
            self.quiet_since = now
        self.ticked_at = now


def one_owner(world: World, caches: Mapping[str, ShardedCache]) -> None:
    """At no time do two running nodes own the same key."""
    for key in KEYS:
        owners = [host for host, cache in caches.items() if cache.owns(key)]
        assert len(owners) <= 1, f"{key} is owned by {' and '.join(owners)}"
