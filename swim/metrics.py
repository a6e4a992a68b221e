"""Counters, gauges and samples as plain values; names are memberlist's and Serf's where they have one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

__all__ = ["SAMPLE_INTERVAL", "Aggregate", "Metrics", "Samples"]

SAMPLE_INTERVAL = 10.0
"""Seconds of each interval in which samples are summed up, as in Nomad."""


class Aggregate:
    """What is kept of any number of samples.

    Attributes:
        count: how many there were.
        sum: of their values.
        least: the smallest value; 0 if there was none.
        most: the largest value; 0 if there was none.
    """

    __slots__ = ("_squares", "count", "least", "most", "sum")

    def __init__(self) -> None:
        self.count: int = 0
        self.sum: float = 0.0
        self.least: float = 0.0
        self.most: float = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        """Takes one more sample."""
        if not self.count:
            self.least = self.most = value
        elif value < self.least:
            self.least = value
        elif value > self.most:
            self.most = value
        self.count += 1
        self.sum += value
        self._squares += value * value

    @property
    def mean(self) -> float:
        """The mean value; 0 if there was no sample."""
        return self.sum / self.count if self.count else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of the values, as of a part of them (n - 1); 0 for less than two."""
        if self.count < 2:
            return 0.0
        spread = self.count * self._squares - self.sum * self.sum
        return math.sqrt(max(0.0, spread) / (self.count * (self.count - 1)))


class Samples:
    """The samples of one name: all of them, and those of the latest two intervals that had one.

    Intervals begin at multiples of ``SAMPLE_INTERVAL`` on the node's clock. No timer ends them.

    Attributes:
        count: all samples since the node was created.
        sum: of their values.
    """

    __slots__ = ("_before", "_before_number", "_number", "_running", "count", "sum")

    def __init__(self) -> None:
        self.count: int = 0
        self.sum: float = 0.0
        self._number = self._before_number = -1.0
        self._running = self._before = Aggregate()

    def add(self, now: float, value: float) -> None:
        """Takes one more sample, at ``now`` (seconds)."""
        self.count += 1
        self.sum += value
        number = now // SAMPLE_INTERVAL
        if number != self._number:
            self._before, self._before_number = self._running, self._number
            self._running, self._number = Aggregate(), number
        self._running.add(value)

    def latest(self, now: float, started_at: float) -> Aggregate:
        """The samples of the last interval that has ended by ``now``; of the first one while it lasts.

        Args:
            now: seconds, on the node's clock.
            started_at: when the node started.
        """
        wanted = now // SAMPLE_INTERVAL
        if started_at < wanted * SAMPLE_INTERVAL:
            wanted -= 1
        if wanted == self._number:
            return self._running
        return self._before if wanted == self._before_number else Aggregate()


class Metrics:
    """Counters, gauges and samples of one node since it was created. Cheap to update; read by copying.

    Attributes:
        counters: monotonically growing integers by name, e.g. ``"memberlist.udp.received"`` (bytes)
            or ``"swim.dropped.decrypt"`` (packets or streams dropped, by reason).
        drops: how often ``dropped`` was called; cheap to look at.
        gauges: last value by name, e.g. ``"memberlist.health.score"``.
        samples: what was measured many times, by name, e.g. ``"memberlist.probeNode"`` (milliseconds).
    """

    __slots__ = ("counters", "drops", "gauges", "samples")

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.samples: defaultdict[str, Samples] = defaultdict(Samples)
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

    def sample(self, now: float, name: str, value: float) -> None:
        """Adds a measured value to the samples of ``name``, at ``now`` (seconds)."""
        self.samples[name].add(now, value)

    def took(self, now: float, name: str, since: float) -> None:
        """Adds the milliseconds from ``since`` until ``now`` (both seconds) to the samples of ``name``."""
        self.samples[name].add(now, 1000 * (now - since))
