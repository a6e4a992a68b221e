"""Interleaved probes: once views and clocks have agreed for a while, each member is probed once a period."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from sims.checkers.base import Checker
from sims.checkers.calm import Calm
from sims.checkers.inside import opened
from swim.wire.messages import Ping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.observer import Packet

__all__ = ["ProbesAreInterleaved"]

_LAPS = 4
"""After so many times n periods with equal views, no member is probed before its rank is reached any more."""

_Views = tuple[frozenset[str], tuple[int, ...]]


class ProbesAreInterleaved(Checker):
    """In a calm world whose nodes agree, each member receives one ping in every period of the wall clock."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._calm = Calm()
        self._period = self._since = 0
        self._views: _Views | None = None
        self._pinged: Counter[str] = Counter()

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        self._calm.fault(world, kind, detail)

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        node = world.host(packet.source)
        interval = node.config.probe_interval
        if interval:
            # Rounds begin at multiples of 1/n of a period: at the limit between two, there is none.
            early = 0.5 / max(1, len(node.inspect().table))
            period = math.floor((world.now + world.epoch) / interval + early)
            if period != self._period:
                self._next(world, period, interval)
            if node.counts:  # one that left goes on, as in memberlist, and has no rank any more
                self._pinged.update(m.node for m in opened(node, packet.data) if isinstance(m, Ping))

    def _next(self, world: World, period: int, interval: float) -> None:
        """One period is over, and the next one begins."""
        self._calm.look(world)
        views = _views(world)
        if views is None or views != self._views or self._calm.since > world.now - 2 * interval:
            self._since = period
        elif period - self._since > _LAPS * len(world.nodes) and period == self._period + 1:
            for name in sorted(views[0]):
                if self._pinged[name] != 1:
                    said = f"{name} was pinged {self._pinged[name]} times in period {self._period}"
                    self.violated(world, None, said)
        self._period, self._views = period, views
        self._pinged.clear()


def _views(world: World) -> _Views | None:
    """The members that all know, and how often each view changed; None if not all probe in turn."""
    nodes = world.running()
    first = nodes[0] if nodes else None
    if first is None or not world.converged or any(node.state == "paused" for node in world.nodes.values()):
        return None
    clocks = {(node.config.probe_interval, node.clock_ahead) for node in nodes}
    if len(clocks) > 1 or len({node.name for node in nodes}) < len(nodes):
        return None
    for node in nodes:
        inside, config = node.inspect(), node.config
        table = inside.table
        if not config.interleaved_probes or config.probe_alignment or table.live != len(nodes):
            return None
        if config.measured_timeouts:
            return None  # relays are asked, and ping, where a late ack is within the half second
        if table.unverified or inside.suspicions or inside.health_score:
            return None
    names = frozenset(node.name for node in nodes)
    return names, tuple(node.inspect().table.changes for node in nodes)
