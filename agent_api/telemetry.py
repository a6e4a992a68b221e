"""``/v1/metrics``: what a node counts, in Nomad's JSON and in Prometheus's text format."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.responses import PlainTextResponse, Response

from agent_api.agent import Call
from agent_api.cluster import ClusterLike
from agent_api.errors import HttpError
from agent_api.text import utf8

__all__ = ["metrics"]

_PREFIX = "nomad."
_DROPPED = "swim.dropped."
_STATES = ("alive", "suspect", "leaving", "left", "failed")
_QUEUES = {"Intent": "intent_queue", "Event": "event_queue", "Query": "query_queue"}
_UNSAFE = re.compile(r"[^a-zA-Z0-9_:]")
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Value(NamedTuple):
    """One number with its name and labels."""

    name: str
    value: float
    labels: dict[str, str]


async def metrics(call: Call) -> Response:
    """Everything as of now."""
    cluster = call.agent.cluster
    if call.query.first("format") == "prometheus":
        if not call.agent.settings.prometheus_metrics:
            raise HttpError(415, "Prometheus is not enabled")
        return PlainTextResponse(utf8(_exposition(cluster)), media_type=_PROMETHEUS)
    seconds, grown = call.agent.intervals.latest()
    now = datetime.now(UTC).replace(microsecond=0)
    document = {
        "Timestamp": f"{now:%Y-%m-%d %H:%M:%S} +0000 UTC",
        "Gauges": [
            {"Name": _PREFIX + gauge.name, "Value": gauge.value, "Labels": gauge.labels}
            for gauge in _gauges(cluster)
        ],
        "Points": [],
        "Counters": [_sample(counter, int(counter.value), seconds) for counter in _counters(grown)],
        "Samples": [_sample(queue, 1, seconds) for queue in _queues(cluster)],
    }
    return call.json(document)


def _gauges(cluster: ClusterLike) -> list[Value]:
    states = dict.fromkeys(_STATES, 0)
    for member in cluster.members():
        states[member.state.value] += 1
    found = [
        Value("memberlist.node.instances", count, {"node_state": state}) for state, count in states.items()
    ]
    found += [Value(name, value, {}) for name, value in cluster.metrics.gauges.items()]
    unjoined = sum(not seed.is_joined for seed in cluster.seeds())
    found += [Value("swim.alone", int(cluster.is_alone), {}), Value("swim.seeds.unjoined", unjoined, {})]
    if "memberlist.health.score" not in cluster.metrics.gauges:
        found.append(Value("memberlist.health.score", cluster.stats().health_score, {}))
    return sorted(found, key=_order)


def _order(value: Value) -> tuple[str, list[tuple[str, str]]]:
    return value.name, sorted(value.labels.items())


def _counters(counters: dict[str, int]) -> list[Value]:
    """Drops are one counter, with the reason as its label."""
    found = [
        Value("swim.dropped", count, {"reason": name.removeprefix(_DROPPED)})
        if name.startswith(_DROPPED)
        else Value(name, count, {})
        for name, count in counters.items()
    ]
    return sorted(found, key=_order)


def _queues(cluster: ClusterLike) -> list[Value]:
    stats = cluster.stats()._asdict()
    return [Value(f"serf.queue.{name}", stats[field], {}) for name, field in sorted(_QUEUES.items())]


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


def _exposition(cluster: ClusterLike) -> str:
    lines: list[str] = []
    counters = _counters(dict(cluster.metrics.counters))
    for kind, values in (("gauge", _gauges(cluster)), ("counter", counters), ("summary", _queues(cluster))):
        lines += _family(kind, values)
    return "".join(f"{line}\n" for line in lines)


def _family(kind: str, values: Iterable[Value]) -> Iterable[str]:
    before = ""
    for value in values:
        name = _UNSAFE.sub("_", _PREFIX + value.name)
        if name != before:
            yield f"# TYPE {name} {kind}"
            before = name
        labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in value.labels.items())
        suffix = f"{{{labels}}}" if labels else ""
        if kind == "summary":
            yield f"{name}_sum{suffix} {value.value:g}"
            yield f"{name}_count{suffix} 1"
        else:
            yield f"{name}{suffix} {_number(value.value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
