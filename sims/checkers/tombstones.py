"""Members that were reaped are remembered for as long as old news of them may come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sims.checkers.base import Checker, PerLife
from swim.config import Config

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["TombstonesLast", "shortest_tombstone"]


def shortest_tombstone(config: Config, n: int, *, left: bool) -> float:
    """Seconds that a reaped member is remembered at least, in a table of ``n``.

    As long as it stays listed, and as an old alive claim can be under way: a peer that missed the dead claim
    probes the member within two rounds of its list, suspects it for the longest timeout, and may have sent
    its record on by two push/pulls. Written down here a second time, since a check that asks the code it
    checks finds nothing.
    """
    interval = config.probe_interval or 0.0
    suspicion = config.suspicion_mult * max(1.0, math.log10(max(1, n))) * interval
    slower = 1 + max(0, math.ceil(math.log2(max(1, n) / 32)))
    exchanges = 2 * (config.push_pull_interval or 0.0) * slower
    stale = (2 * n - 1) * interval + suspicion * config.suspicion_max_timeout_mult + exchanges
    return max(stale, config.tombstone_timeout if left else config.reconnect_timeout)


class _Kept:
    __slots__ = ("changes", "ends", "n")

    def __init__(self) -> None:
        self.n = 0
        self.changes = 0
        self.ends: dict[str, float] = {}


class TombstonesLast(Checker):
    """A reaped member is remembered for long enough, and until then, unless it is back.

    Or unless more are gone than ``max_tombstones``: those reaped first have to make room.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._lives = PerLife(_Kept)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        table, kept = node.inspect().table, self._lives.of(node)
        if table.changes == kept.changes:
            return
        kept.changes = table.changes
        stones = table.tombstones
        if stones or kept.ends:
            self._look(world, node, kept)
        kept.n = len(table)

    def _look(self, world: World, node: SimNode, kept: _Kept) -> None:
        table, config = node.inspect().table, node.config
        stones, n = table.tombstones, min(len(table), kept.n or len(table))
        for name, ends in list(kept.ends.items()):
            if name not in stones:
                del kept.ends[name]
                early = world.now < ends and len(stones) < config.max_tombstones
                if early and table.get(name) is None and node.state == "running":
                    self.violated(world, node, f"{name} is forgotten {ends - world.now:.1f} s too early")
        for name in reversed(list(stones)):
            if name in kept.ends:
                break
            record = stones[name].record
            kept.ends[name] = stones[name].expires
            least = shortest_tombstone(config, n, left=record.state.name == "LEFT")
            lasts = stones[name].expires - world.now
            if lasts < 0.99 * least:
                self.violated(world, node, f"{name} is remembered for {lasts:.1f} s, not {least:.1f}")
