"""Blocked members as in memberlist: a send that blocks stops one loop, not the clock.

memberlist probes, gossips and pushes/pulls in separate loops. Lifeguard's anomaly blocks a member right
before it sends, so each loop halts at its first send and starts no further round, while suspicions continue
to expire. ``World.block`` holds the packets; this class halts the rounds and the exchanges on streams, which
would otherwise reach others early.
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
    """The loops of one node in its current run; make it before the first ``block``.

    Args:
        world: of the node.
        node: which one.
        rounds: also halt probing and gossip, not just exchanges on streams.
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
        """A timer of a loop is due: the loop continues, or halts until the anomaly ends."""
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
