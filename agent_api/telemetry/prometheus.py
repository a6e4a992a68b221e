"""Prometheus's text format: our own families, ``swim_...``, and memberlist's and Serf's counters as in Nomad.

Our own show their usual label values from the start, as 0: Prometheus sees an increase only between values.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from agent_api.cluster import ClusterLike
from agent_api.telemetry.readings import STATES, Value, counters, gauges, queues, samples
from swim import __version__

__all__ = ["CONTENT_TYPE", "exposition"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]

_UNSAFE = re.compile(r"[^a-zA-Z0-9_:]")
_OWN = "swim."


class Family(NamedTuple):
    """What is said of one metric, and the usual values of its label."""

    name: str
    about: str
    label: str = ""
    usual: tuple[str, ...] = ()


_COUNTED = {
    "swim.probes": Family(
        "swim_probes_total",
        "Probe rounds: acked directly, through relays or by stream only, or failed.",
        "result",
        ("direct", "indirect", "stream-only", "failed"),
    ),
    "swim.suspicions": Family(
        "swim_suspicions_total",
        "Suspicions that ended, by what came of them.",
        "outcome",
        ("refuted", "failed"),
    ),
    "swim.transitions": Family(
        "swim_transitions_total", "Changes of members' states in this view, by their causes."
    ),
    "swim.push-pulls": Family(
        "swim_push_pulls_total",
        "Exchanges of full state: dialled by this node, answered by it, or failed.",
        "result",
        ("dialled", "answered", "failed"),
    ),
    "swim.dropped": Family(
        "swim_dropped_total",
        "Packets, streams, messages and requests that were dropped.",
        "reason",
        ("decrypt", "label", "plaintext", "member-limit", "queue-full", "http-denied"),
    ),
    "swim.packets": Family("swim_packets_total", "Packets of gossip.", "direction", ("received", "sent")),
    "swim.bytes": Family("swim_bytes_total", "Bytes in these packets.", "direction", ("received", "sent")),
    "swim.oversleep": Family(
        "swim_oversleep_seconds_total", "Seconds by which the node woke up too late.", "", ("",)
    ),
}
"""Our own families of counters."""
_MEMBERS = {
    "memberlist.degraded.probe": ("swim.probes", {"result": "failed"}),
    "memberlist.udp.received": ("swim.bytes", {"direction": "received"}),
    "memberlist.udp.sent": ("swim.bytes", {"direction": "sent"}),
    "swim.packets.received": ("swim.packets", {"direction": "received"}),
    "swim.packets.sent": ("swim.packets", {"direction": "sent"}),
    "swim.overslept-ms": ("swim.oversleep", {}),
}
"""Counters that are one value of a family."""


def exposition(cluster: ClusterLike) -> str:
    """Everything as of now."""
    shown, counted = gauges(cluster), counters(cluster.metrics.counters)
    lines = [*_own_gauges(cluster, shown), *_own_counters(counted)]
    for kind, values in (("gauge", shown), ("counter", counted)):
        lines += _nomads(kind, [value for value in values if not value.name.startswith(_OWN)])
    lines += _summaries(cluster)
    return "".join(f"{line}\n" for line in lines)


def _own_gauges(cluster: ClusterLike, shown: Iterable[Value]) -> Iterator[str]:
    numbers = {value.name: value.value for value in shown if not value.labels}
    states = {value.labels["node_state"]: value.value for value in shown if value.labels}
    stats = cluster.stats()
    depths = {
        "broadcast": numbers.pop("memberlist.queue.broadcasts", 0),
        "event": stats.event_queue,
        "intent": stats.intent_queue,
        "query": stats.query_queue,
    }
    build = {"version": __version__, "python": platform.python_version()}
    yield from _family("swim_build_info", "gauge", "Versions; always 1.", [(build, 1)])
    members = [({"status": state}, states[state]) for state in STATES]
    yield from _family("swim_members", "gauge", "Listed members, by their state in this view.", members)
    score = numbers["memberlist.health.score"]
    yield from _family("swim_health_score", "gauge", "How unwell this node is; 0 is healthy.", [({}, score)])
    uptime = cluster.now() - cluster.started_at
    yield from _family("swim_uptime_seconds", "gauge", "Seconds since the node started.", [({}, uptime)])
    waiting = [({"queue": queue}, depth) for queue, depth in depths.items()]
    yield from _family("swim_queue_depth", "gauge", "Messages that wait to be gossiped.", waiting)
    for name, number in numbers.items():
        if name.startswith(_OWN):
            yield from _family(_safe(name), "gauge", f"The gauge {name}.", [({}, number)])


def _own_counters(counted: Iterable[Value]) -> Iterator[str]:
    others: dict[str, list[tuple[Labels, float]]] = {}
    values: dict[str, list[tuple[Labels, float]]] = {name: [] for name in _COUNTED}
    for value in counted:
        name, labels = _MEMBERS.get(value.name, (value.name, value.labels))
        if name in _COUNTED:
            number = value.value / 1000 if name == "swim.oversleep" else value.value
            values[name].append((labels, number))
        elif name.startswith(_OWN):
            others.setdefault(name, []).append((labels, value.value))
    for name, family in _COUNTED.items():
        known = [labels for labels, _ in values[name]]
        usual: list[Labels] = [{family.label: each} if family.label else {} for each in family.usual]
        zeros = [(labels, 0.0) for labels in usual if labels not in known]
        yield from _family(family.name, "counter", family.about, [*values[name], *zeros])
    for name, found in others.items():
        yield from _family(f"{_safe(name)}_total", "counter", f"The counter {name}.", found)


def _nomads(kind: str, values: Iterable[Value]) -> Iterator[str]:
    before = ""
    for value in values:
        name = _safe(f"nomad.{value.name}")
        if name != before:
            yield f"# TYPE {name} {kind}"
            before = name
        yield _line(name, value.labels, value.value)


def _summaries(cluster: ClusterLike) -> Iterator[str]:
    found = [(name, one.count, one.sum) for name, one in samples(cluster)]
    found += [(queue.name, 1, queue.value) for queue in queues(cluster.stats())]
    for dotted, count, total in sorted(found):
        name = _safe(f"nomad.{dotted}")
        yield f"# TYPE {name} summary"
        yield _line(f"{name}_sum", {}, total)
        yield _line(f"{name}_count", {}, count)


def _family(name: str, kind: str, about: str, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
    for labels, number in values:
        yield _line(name, labels, number)


def _line(name: str, labels: Labels, number: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    suffix = f"{{{shown}}}" if shown else ""
    return f"{name}{suffix} {int(number) if number == int(number) else repr(number)}"


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
