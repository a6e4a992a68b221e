"""Who owns what: keys spread over the alive members of a snapshot, by rendezvous or consistent hashing.

    ring = swim.ring.LiveRing(cluster, where={"role": "cache"}, zone_tag="zone")
    ring.owner("user:42")                       # a Member; equal views give the same one everywhere
    ring.owners("user:42", 3)                   # the owner and two more, in distinct zones if possible
    ring.changes(my_keys)                       # since the last call: key, source and target of each move

``Ring`` is a pure function of a snapshot, so it runs on every kind of cluster and in the simulator.
``LiveRing`` is the ring of a cluster's newest snapshot.

Only keys of a member that came, went or changed its weight move. Views differ while a failure or a join is
spreading, and on two sides of a partition: then one key has two owners (``docs/ring.md`` shows a run).
"""

from swim.ring.fencing import fence as fence
from swim.ring.hashing import Key as Key
from swim.ring.live import LiveRing as LiveRing
from swim.ring.rings import WEIGHT_MAX as WEIGHT_MAX
from swim.ring.rings import EmptyRingError as EmptyRingError
from swim.ring.rings import Hashing as Hashing
from swim.ring.rings import Move as Move
from swim.ring.rings import Ring as Ring
from swim.ring.rings import moved as moved

__all__ = ["WEIGHT_MAX", "EmptyRingError", "Hashing", "Key", "LiveRing", "Move", "Ring", "fence", "moved"]
