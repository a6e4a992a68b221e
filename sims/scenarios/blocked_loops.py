"""A blocked member as memberlist has them: a send that blocks stops one loop, not the clock.

memberlist probes, gossips and pushes/pulls each in a loop of its own. Lifeguard's anomaly blocks a member
right before it sends, so each loop comes to a halt at its first send and starts no further round, while
suspicions go on to expire. ``World.block`` holds the packets; this halts the rounds, and the exchanges on
streams, which would otherwise tell others early.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sims.world import World
from sims.world.host import SimNode
from swim.core.timers import TimerKind

__all__ = ["Loops"]

_LOOP_OF = {
    TimerKind.PROBE: "prober",
    TimerKind.RELAYS: "prober",
    TimerKind.PROBE_END: "prober",
    TimerKind.GOSSIP: "gossip",
}
_DIALS = (TimerKind.PUSH_PULL, TimerKind.SETTLE, TimerKind.RECONNECT)


class Loops:
    """The loops of one node in its present life; make it before the first ``block``.

    Args:
        world: where the node lives.
        node: which one.
        rounds: halt probing and gossip too, not just exchanges on streams.
    """

    def __init__(self, world: World, node: SimNode, *, rounds: bool = True) -> None:
        self._world = world
        self._node = node
        self._halted: set[str] = set()
        for kind in (*_DIALS, *_LOOP_OF) if rounds else _DIALS:
            node.node.timers.wrap(kind, partial(self._due, _LOOP_OF.get(kind)))

    def block(self, seconds: float) -> None:
        """Begins an anomaly: see ``World.block``."""
        self._halted.clear()
        self._world.block(self._node, seconds)

    def _due(self, loop: str | None, now: float, fire: Callable[[], None]) -> float | None:
        """A timer of a loop is due: the loop goes on, or stands still until the anomaly ends."""
        until = self._node.blocked_until
        if until <= now:
            fire()
            return None
        if loop is None or loop in self._halted:
            return until
        sent = self._node.metrics.counters["memberlist.udp.sent"]
        fire()
        if self._node.metrics.counters["memberlist.udp.sent"] != sent:
            self._halted.add(loop)
        return None
