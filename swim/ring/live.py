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
    """The ring of a cluster's newest snapshot. Reading never waits.

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
        self._snapshot = cluster.members()
        self._ring = Ring(
            self._snapshot, where=where, hashing=hashing, weight_tag=weight_tag, zone_tag=zone_tag
        )
        self._reported = self._ring
        self._fenced = (self._ring._places, 0)

    @property
    def ring(self) -> Ring:
        """The ring of this moment, without a stamp of the membership clock."""
        members = self._cluster.members()
        if members is not self._snapshot:
            self._ring, self._snapshot = self._ring.over(members), members
        return self._ring

    @property
    def fence(self) -> int:
        """The fencing number of everything that is owned now: the function ``fence`` of the newest snapshot.

        It never falls, and once the ring changed it is larger than every number returned before, even if this
        node has forgotten a member in between.
        """
        places = self.ring._places
        found = fence(self._snapshot, clock=self._cluster.stats().member_time)
        fenced, last = self._fenced
        self._fenced = places, max(found, last + (places != fenced))
        return self._fenced[1]

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
        misses no move that still matters. Without a change that concerns the ring it costs nothing.
        """
        before, self._reported = self._reported, self.ring
        return moved(keys, before, self._reported)
