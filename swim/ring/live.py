"""``LiveRing``: the ring of a cluster's newest snapshot."""

from __future__ import annotations

from collections.abc import Iterable

from swim.errors import ConfigTypeError
from swim.events import Member
from swim.membership import Membership
from swim.ring.fencing import fence
from swim.ring.hashing import Key
from swim.ring.rings import Hashing, Move, Ring, moved
from swim.where import Where

__all__ = ["LiveRing"]


class LiveRing:
    """The ring of a cluster's newest snapshot. Reading never waits, in any thread that may read the cluster.

    Args:
        cluster: any ``swim.Membership``: a ``Cluster``, a front of another kind, or a simulated node.
        where: as for ``Ring``, and so are the other arguments.

    Raises:
        ConfigError: naming the argument that is wrong.
    """

    def __init__(
        self,
        cluster: Membership,
        *,
        where: Where = None,
        hashing: Hashing = "rendezvous",
        weight_tag: str = "",
        zone_tag: str = "",
    ) -> None:
        if not callable(getattr(cluster, "members", None)):
            raise ConfigTypeError("cluster", f"must be a cluster or a simulated node, not {cluster!r}")
        self._cluster = cluster
        members = cluster.members()
        ring = Ring(members, where=where, hashing=hashing, weight_tag=weight_tag, zone_tag=zone_tag)
        self._newest = (members, ring)  # one value: threads may replace it at once
        self._reported = ring
        self._fenced = (ring._places, 0)

    @property
    def ring(self) -> Ring:
        """The ring of this moment, without a stamp of the membership clock."""
        members, (seen, ring) = self._cluster.members(), self._newest
        if members is not seen:
            ring = ring.over(members)
            self._newest = members, ring
        return ring

    @property
    def fence(self) -> int:
        """The fencing number of everything that is owned now: the function ``fence`` of the newest snapshot.

        It never falls, and once the ring changed it is larger than every number returned before, even if this
        node has forgotten a member in between.
        """
        ring = self.ring
        found = fence(ring._snapshot, clock=self._cluster.stats().member_time)
        fenced, last = self._fenced
        number = max(found, last + (ring._places != fenced))
        if number >= self._fenced[1]:  # another thread may be ahead
            self._fenced = ring._places, number
        return number

    def owner(self, key: Key, *, new_work: bool = False) -> Member:
        """As ``Ring.owner``."""
        return self.ring.owner(key, new_work=new_work)

    def owners(self, key: Key, count: int, *, new_work: bool = False) -> tuple[Member, ...]:
        """As ``Ring.owners``."""
        return self.ring.owners(key, count, new_work=new_work)

    def owns(self, key: Key) -> bool:
        """Whether this node owns a key; False while no member is on the ring."""
        ring = self.ring
        return len(ring) > 0 and ring.owner(key).name == self._cluster.local.name

    def changes(self, keys: Iterable[Key]) -> tuple[Move, ...]:
        """Which of these keys moved since the last call, or since this object was made.

        Call it after every member event, and after ``EventsLost``: it compares snapshots, so a slow reader
        misses no move that still matters. If several threads call, each move is returned to one of them.
        Without a change that concerns the ring it costs nothing.
        """
        after = self.ring
        before, self._reported = self._reported, after  # no call between: threads may change it at once
        try:
            return moved(keys, before, after)
        except Exception:
            self._reported = before  # wrong keys lose no move
            raise
