"""Times of day of what happened on a cluster's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from agent_api.cluster import ClusterLike

__all__ = ["WallClock", "iso"]

_STEP = 0.5
"""Seconds by which the time of day must jump before older moments are dated anew."""


def iso(date: datetime) -> str:
    """A date in UTC as ISO 8601 with milliseconds, such as ``2026-01-31T12:00:00.000Z``."""
    return date.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class WallClock:
    """Dates moments of a cluster. One moment always has the same date, unless the time of day was set.

    Args:
        cluster: on whose clock the moments are.
        wall: the time of day, seconds since 1970 in UTC.
    """

    __slots__ = ("_cluster", "_offset", "_wall")

    def __init__(self, cluster: ClusterLike, wall: Callable[[], float] = time.time) -> None:
        self._cluster = cluster
        self._wall = wall
        self._offset = float("-inf")

    def now(self) -> str:
        """This moment."""
        return self.date(self._cluster.now())

    def date(self, moment: float) -> str:
        """A moment as ``iso`` writes it."""
        offset = self._wall() - self._cluster.now()
        if abs(offset - self._offset) > _STEP:
            self._offset = offset
        return iso(datetime.fromtimestamp(self._offset + moment, UTC))
