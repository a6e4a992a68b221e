"""Counters and gauges as plain values; names are memberlist's and Serf's where they have one."""

from __future__ import annotations

from collections import Counter

__all__ = ["Metrics"]


class Metrics:
    """Counters and gauges of one node since it was created. Cheap to update; read by copying.

    Attributes:
        counters: monotonically growing integers by name, e.g. ``"memberlist.udp.received"`` (bytes)
            or ``"swim.dropped.decrypt"`` (packets or streams dropped, by reason).
        drops: how often ``dropped`` was called; cheap to look at.
        gauges: last value by name, e.g. ``"memberlist.health.score"``.
    """

    __slots__ = ("counters", "drops", "gauges")

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.drops: int = 0

    def count(self, name: str, amount: int = 1) -> None:
        """Adds ``amount`` to the counter ``name``."""
        self.counters[name] += amount

    def dropped(self, reason: str, amount: int = 1) -> None:
        """Counts dropped packets, streams or messages under ``swim.dropped.<reason>``."""
        self.drops += 1
        self.counters[f"swim.dropped.{reason}"] += amount

    def gauge(self, name: str, value: float) -> None:
        """Sets the gauge ``name``."""
        self.gauges[name] = value
