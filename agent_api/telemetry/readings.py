"""What a node counts, as numbers with names and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agent_api.cluster import ClusterLike
from swim import NodeStats
from swim.metrics import Samples

__all__ = ["STATES", "Value", "counters", "gauges", "plain_gauges", "queues", "samples"]

STATES = ("alive", "suspect", "leaving", "left", "failed")
"""The states of listed members."""
_LABELS = {
    "swim.dropped.": ("swim.dropped", ("reason",)),
    "swim.ignored.": ("swim.ignored", ("reason",)),
    "swim.probe.": ("swim.probes", ("result",)),
    "swim.push-pull.": ("swim.push-pulls", ("result",)),
    "swim.suspicion.": ("swim.suspicions", ("outcome",)),
    "swim.transition.": ("swim.transitions", ("to", "cause")),
}
"""Counters whose names end in what is better a label, by the beginning of their names."""
_QUEUES = {"Intent": "intent_queue", "Event": "event_queue", "Query": "query_queue"}
_SAMPLED = (
    "memberlist.gossip",
    "memberlist.probeNode",
    "memberlist.pushPullNode",
    "serf.msgs.received",
    "serf.msgs.sent",
)
"""Samples that are shown from the start: milliseconds of each round or exchange, bytes of each message."""


class Value(NamedTuple):
    """One number with its name and labels."""

    name: str
    value: float
    labels: dict[str, str]


def gauges(cluster: ClusterLike) -> list[Value]:
    """Gauges, sorted: the node's, and those that are read from its view."""
    states = dict.fromkeys(STATES, 0)
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


def counters(counted: Mapping[str, int]) -> list[Value]:
    """Counters, sorted."""
    return sorted((_labelled(name, count) for name, count in counted.items()), key=_order)


def queues(stats: NodeStats) -> list[Value]:
    """The lengths of Serf's three queues, sorted."""
    return [Value(f"serf.queue.{name}", getattr(stats, field), {}) for name, field in sorted(_QUEUES.items())]


def plain_gauges(cluster: ClusterLike, stats: NodeStats) -> dict[str, float]:
    """What the node measures as it is now, by name, and the lengths of Serf's queues."""
    return {**cluster.metrics.gauges, **{each.name: each.value for each in queues(stats)}}


def samples(cluster: ClusterLike) -> list[tuple[str, Samples]]:
    """What was measured many times, by name, sorted."""
    unused = {name: Samples() for name in _SAMPLED}
    return sorted((unused | cluster.metrics.samples).items())


def _labelled(name: str, count: int) -> Value:
    for beginning, (family, labels) in _LABELS.items():
        if name.startswith(beginning):
            values = name.removeprefix(beginning).split(".", len(labels) - 1)
            return Value(family, count, dict(zip(labels, values, strict=True)))
    return Value(name, count, {})


def _order(value: Value) -> tuple[str, list[tuple[str, str]]]:
    return value.name, sorted(value.labels.items())
