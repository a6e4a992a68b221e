"""A blocked member as memberlist has them: a send that blocks stops one loop, not the clock.

memberlist probes, gossips and pushes/pulls each in a loop of its own. Lifeguard's anomaly blocks a member
right before it sends, so each loop comes to a halt at its first send and starts no further round, while
suspicions go on to expire. ``World.block`` holds the packets; this halts the rounds, and the exchanges on
streams, which would otherwise tell others early.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sims.world import World
from sims.world.host import SimNode

__all__ = ["Loops"]

_LOOP_OF = {"probe": "prober", "probe-timeout": "prober", "probe-end": "prober", "gossip": "gossip"}
_DIALS = frozenset({"push-pull", "settle", "rejoin"})


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
        self._timers = node.node._engine.context.timers
        kinds = self._timers._kinds
        for kind in sorted(kinds):
            if (rounds and kind in _LOOP_OF) or kind in _DIALS:
                rule = kinds[kind]
                self._timers.register(kind, partial(self._fire, kind, rule.fire), rule.is_current)

    def block(self, seconds: float) -> None:
        """Begins an anomaly: see ``World.block``."""
        self._halted.clear()
        self._world.block(self._node, seconds)

    def _fire(self, kind: str, fire: Callable[[float, Any], None], now: float, token: Any) -> None:
        """A timer of a loop is due: the loop goes on, or stands still until the anomaly ends."""
        until = self._node.blocked_until
        if until <= now:
            fire(now, token)
            return
        loop = _LOOP_OF.get(kind)
        if loop is None or loop in self._halted:
            self._timers.at(until, kind, token)
            return
        sent = self._node.metrics.counters["memberlist.udp.sent"]
        fire(now, token)
        if self._node.metrics.counters["memberlist.udp.sent"] != sent:
            self._halted.add(loop)
