"""How much each counter grew in the latest interval, without a task that samples them."""

from __future__ import annotations

from agent_api.cluster import ClusterLike

__all__ = ["Intervals"]

_INTERVAL_SECONDS = 10.0


class Intervals:
    """What was counted at the last reading that is at least ten seconds old.

    JSON shows counters of the time since then. Nothing is sampled in between: no reader, no work.
    """

    __slots__ = ("_base", "_base_at", "_cluster", "_last", "_last_at")

    def __init__(self, cluster: ClusterLike) -> None:
        self._cluster = cluster
        self._base: dict[str, int] = {}
        self._base_at = cluster.started_at
        self._last: dict[str, int] = {}
        self._last_at = cluster.started_at

    def latest(self) -> tuple[float, dict[str, int]]:
        """Seconds, and how much each counter grew in them."""
        now, counters = self._cluster.now(), dict(self._cluster.metrics.counters)
        if now - self._last_at >= _INTERVAL_SECONDS:
            self._base, self._base_at = self._last, self._last_at
            self._last, self._last_at = counters, now
        grown = {name: count - self._base.get(name, 0) for name, count in counters.items()}
        return max(now - self._base_at, 0.001), grown
