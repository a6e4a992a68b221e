"""The answer of ``/v1/metrics``: in Nomad's JSON, or for Prometheus if that is enabled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import PlainTextResponse, Response

from agent_api.agent import Call
from agent_api.errors import HttpError
from agent_api.telemetry.prometheus import CONTENT_TYPE, exposition
from agent_api.telemetry.readings import Value, counters, gauges, queues
from agent_api.text import utf8

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
    now = datetime.now(UTC).replace(microsecond=0)
    document = {
        "Timestamp": f"{now:%Y-%m-%d %H:%M:%S} +0000 UTC",
        "Gauges": [
            {"Name": _PREFIX + gauge.name, "Value": gauge.value, "Labels": gauge.labels}
            for gauge in gauges(cluster)
        ],
        "Points": [],
        "Counters": [_sample(counter, int(counter.value), seconds) for counter in counters(grown)],
        "Samples": [_sample(queue, 1, seconds) for queue in queues(cluster)],
    }
    return call.json(document)


def _sample(value: Value, count: int, seconds: float) -> dict[str, Any]:
    number = value.value
    return {
        "Name": _PREFIX + value.name,
        "Count": count,
        "Rate": number / seconds,
        "Sum": number,
        "Min": number,
        "Max": number,
        "Mean": number,
        "Stddev": 0,
        "Labels": value.labels,
    }
