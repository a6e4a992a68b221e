"""Counts, clocks and queue lengths of one node."""

from __future__ import annotations

from typing import NamedTuple

from swim.core.engine import Engine
from swim.events import MemberStatus
from swim.serf.delegate import SerfDelegate

__all__ = ["NodeStats", "node_stats"]


class NodeStats(NamedTuple):
    """Serf's stats section. ``members`` counts all listed ones; the times are Lamport clocks.

    ``coordinate_resets`` is None if the node has no coordinate; ``sequence`` is that of the last event.
    """

    members: int
    failed: int
    left: int
    health_score: int
    member_time: int
    event_time: int
    query_time: int
    intent_queue: int
    event_queue: int
    query_queue: int
    encrypted: bool
    coordinate_resets: int | None = None
    sequence: int = 0


def node_stats(engine: Engine, layer: SerfDelegate) -> NodeStats:
    """The numbers of a node as of now; brings its gauges up to date."""
    context = engine.context
    context.metrics.gauge("memberlist.health.score", context.awareness.score)
    context.metrics.gauge("memberlist.queue.broadcasts", len(context.queue))
    return NodeStats(
        len(layer.roster),
        layer.roster.count(MemberStatus.FAILED),
        layer.roster.count(MemberStatus.LEFT),
        context.awareness.score,
        layer.clock.time,
        layer.events.clock.time,
        layer.queries.clock.time,
        len(layer.queues.intents),
        len(layer.queues.events),
        len(layer.queues.queries),
        bool(context.keyring),
        None if layer.coordinates is None else layer.coordinates.resets,
        layer.roster.sequence,
    )
