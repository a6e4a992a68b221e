"""Every kind of hostile input, a little of each: within its limits on what is sent and kept."""

from __future__ import annotations

from random import Random

import pytest

from sims.bench.attacks import PACKETS, STREAMS
from sims.bench.hostile import LIMITS, Victim
from sims.bench.report import TARGETS


@pytest.mark.parametrize("kind", PACKETS)
def test_packets_are_answered_by_no_more_than_their_limit(kind: str) -> None:
    random, victim = Random(2), Victim(members=5)
    for _ in range(20):
        data = PACKETS[kind](random)
        assert len(data) <= 65_507
        victim.packet(data)
    assert victim.sent <= LIMITS[kind]["sent, B per B"] * victim.received + 2_000
    assert victim.node.status == "running"


@pytest.mark.slow
@pytest.mark.parametrize("kind", STREAMS)
def test_streams_are_worked_through_and_forgotten(kind: str) -> None:
    random, victim = Random(2), Victim(members=5)
    victim.stream(STREAMS[kind](random))
    limit = LIMITS[kind]["sent, B per B"]
    assert victim.sent <= limit * victim.received + 2_000
    assert victim.node.local.status == "alive"
    victim.stream(STREAMS["empty push/pull"](random))
    assert victim.sent > 0, "the next one is answered"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["user events", "join intents", "leave intents"])
def test_what_a_flood_keeps_does_not_grow_for_ever(kind: str) -> None:
    """Twice as much of it keeps about as much, once the budget is used up."""
    import gc
    import tracemalloc

    budgets = {"max_queue_depth": 50, "max_intents": 50, "max_recent_event_bytes": 20_000, "max_members": 30}
    random, victim = Random(2), Victim(members=5, max_new_members_per_packet=2, **budgets)
    kept = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for _ in range(400):
                victim.packet(PACKETS[kind](random))
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert kept[2] - kept[1] < 400 * 250


def test_the_report_knows_all_limits() -> None:
    named = {measure for scenario, measure in TARGETS if scenario == "hostile"}
    assert named == {f"{kind}: {measure}" for kind, limits in LIMITS.items() for measure in limits}
