"""Reaps members that are dead or left: after a while, tombstones replace their records."""

from __future__ import annotations

from swim.core.context import Context
from swim.core.member import Record, State
from swim.core.push_pull_schedule import push_pull_scale
from swim.core.suspicion import suspicion_timeout
from swim.core.timers import TimerKind

__all__ = ["Reaper"]


class Reaper:
    """Removes dead and left records ``gossip_to_the_dead_time`` after they changed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reaping = context.timers.kind(TimerKind.REAP, self._reap, self._is_reapable)

    def arm(self, now: float, record: Record) -> None:
        """Starts the timer of a member that is dead or left as of now."""
        deadline = now + self._context.config.gossip_to_the_dead_time
        self._context.timers.at(deadline, self._reaping, (record.name, record.changed_at))

    def forget(self, now: float, name: str) -> None:
        """Removes a dead or left member at once, leaving a tombstone. Its dead claim is still broadcast."""
        record = self._context.table.get(name)
        if record is not None and not record.is_live and record is not self._context.local:
            self._reap(now, (name, record.changed_at))

    def _is_reapable(self, token: tuple[str, float]) -> bool:
        name, changed_at = token
        record = self._context.table.get(name)
        return record is not None and record.changed_at == changed_at and not record.is_live

    def _reap(self, now: float, token: tuple[str, float]) -> None:
        record = self._context.table.get(token[0])
        if record is not None and not record.is_live:
            self._context.table.bury(record, now + self._tombstone_seconds(record))
            self._context.resized(now)

    def _tombstone_seconds(self, record: Record) -> float:
        """At least as long as the member stays listed, and as a stale alive claim can circulate.

        A peer that missed the dead claim probes the member within two rounds of its list, suspects it for the
        longest timeout, and may have sent its record to others by push/pull meanwhile.
        """
        config, n = self._context.config, self._context.n
        probes = (2 * n - 1) * config.probe_interval
        suspicion = suspicion_timeout(config.suspicion_mult, n, config.probe_interval)
        exchanges = 2 * push_pull_scale(config.push_pull_interval, n)
        longest = probes + suspicion * config.suspicion_max_timeout_mult + exchanges
        listed = config.tombstone_timeout if record.state is State.LEFT else config.reconnect_timeout
        return max(longest, config.gossip_to_the_dead_time, listed)
