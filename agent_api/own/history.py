"""Five minutes of metrics, so that a client that has just come can draw them."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import anyio

from agent_api.own.shapes import Observer
from agent_api.telemetry.readings import plain_gauges
from swim import NodeStats

__all__ = ["HISTORY_FIELDS", "SAMPLES_MAX", "SAMPLE_SECONDS", "MetricsHistory"]

SAMPLES_MAX = 150
SAMPLE_SECONDS = 2.0
_IDLE_SECONDS_MAX = 32.0
"""The longest pause while nothing is counted."""
HISTORY_FIELDS = ("members", "failed", "left", "health_score", "intent_queue", "event_queue", "query_queue")
"""Of ``NodeStats``, in each sample."""


class _Sample(NamedTuple):
    at: float
    stats: NodeStats
    counters: dict[str, int]
    gauges: dict[str, float]

    def is_same_as(self, other: _Sample) -> bool:
        return self[1:] == other[1:]


class MetricsHistory:
    """The last samples of an agent's metrics, ``SAMPLE_SECONDS`` apart.

    A task of the HTTP layer takes them, with a timer of its own: gossip is not touched. While nothing is
    counted, its pauses double; the samples left out are filled in later, since they would have been the same.

    Args:
        observer: of the agent's cluster.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES_MAX)

    async def run(self) -> None:
        """Takes samples until it is cancelled."""
        pause = SAMPLE_SECONDS
        while True:
            before = self._samples[-1] if self._samples else None
            self._take()
            is_idle = before is not None and self._samples[-1].is_same_as(before)
            pause = min(2 * pause, _IDLE_SECONDS_MAX) if is_idle else SAMPLE_SECONDS
            await anyio.sleep(pause)

    def shape(self) -> dict[str, Any]:
        """A list of values for each name, oldest first; before a counter was first counted, it is 0."""
        if not self._samples or self._observer.cluster.now() - self._samples[-1].at >= SAMPLE_SECONDS:
            self._take()
        samples = self._samples
        counters = sorted(set().union(*(sample.counters for sample in samples)))
        gauges = sorted(set().union(*(sample.gauges for sample in samples)))
        return {
            "seconds": SAMPLE_SECONDS,
            "at": [self._observer.clock.date(sample.at) for sample in samples],
            **{name: [getattr(sample.stats, name) for sample in samples] for name in HISTORY_FIELDS},
            "counters": {name: [sample.counters.get(name, 0) for sample in samples] for name in counters},
            "gauges": {name: [sample.gauges.get(name) for sample in samples] for name in gauges},
        }

    def _take(self) -> None:
        """Adds a sample of now, after one like the last for each that was left out."""
        cluster = self._observer.cluster
        now, stats = cluster.now(), cluster.stats()
        while self._samples and now - (last := self._samples[-1]).at >= 2 * SAMPLE_SECONDS:
            skipped = max(1, int((now - last.at) / SAMPLE_SECONDS) - SAMPLES_MAX)
            self._samples.append(last._replace(at=last.at + skipped * SAMPLE_SECONDS))
        metrics = cluster.metrics
        self._samples.append(_Sample(now, stats, dict(metrics.counters), plain_gauges(cluster, stats)))
