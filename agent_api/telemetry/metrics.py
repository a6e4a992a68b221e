"""The answer of ``/v1/metrics``: in Nomad's JSON, or for Prometheus if that is enabled."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from starlette.responses import PlainTextResponse, Response

from agent_api.agent import Call
from agent_api.errors import HttpError
from agent_api.telemetry.prometheus import CONTENT_TYPE, exposition
from agent_api.telemetry.readings import Value, counters, gauges, queues, samples
from agent_api.text import utf8
from swim.metrics import SAMPLE_INTERVAL, Aggregate

__all__ = ["metrics"]

_PREFIX = "nomad."


async def metrics(call: Call) -> Response:
    """Everything as of now."""
    cluster = call.agent.cluster
    if call.query.first("format") == "prometheus":
        if not call.agent.settings.prometheus_metrics:
            raise HttpError(415, "Prometheus is not enabled")
        return PlainTextResponse(utf8(exposition(cluster)), media_type=CONTENT_TYPE)
    seconds, grown = call.agent.intervals.latest()
    today = datetime.now(UTC).replace(microsecond=0)
    now, started_at = cluster.now(), cluster.started_at
    sampled = [(name, found.latest(now, started_at)) for name, found in samples(cluster)]
    sampled += [(queue.name, _once(queue.value)) for queue in queues(cluster.stats())]
    document = {
        "Timestamp": f"{today:%Y-%m-%d %H:%M:%S} +0000 UTC",
        "Gauges": [
            {"Name": _PREFIX + gauge.name, "Value": gauge.value, "Labels": gauge.labels}
            for gauge in gauges(cluster)
        ],
        "Points": [],
        "Counters": [_counter(counter, seconds) for counter in counters(grown)],
        "Samples": [
            _sample(name, aggregate, {}, SAMPLE_INTERVAL)
            for name, aggregate in sorted(sampled, key=itemgetter(0))
        ],
    }
    return call.json(document)


def _counter(counter: Value, seconds: float) -> dict[str, Any]:
    count = int(counter.value)
    return _sample(counter.name, _once(count), counter.labels, seconds) | {"Count": count}


def _once(value: float) -> Aggregate:
    aggregate = Aggregate()
    aggregate.add(value)
    return aggregate


def _sample(name: str, found: Aggregate, labels: dict[str, str], seconds: float) -> dict[str, Any]:
    return {
        "Name": _PREFIX + name,
        "Count": found.count,
        "Rate": found.sum / seconds,
        "Sum": found.sum,
        "Min": found.least,
        "Max": found.most,
        "Mean": found.mean,
        "Stddev": found.deviation,
        "Labels": labels,
    }
