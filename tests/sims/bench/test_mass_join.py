"""Joining costs about what it costs in memberlist, and agrees no later: by ratio, at small sizes."""

from __future__ import annotations

import pytest

from sims.bench.mass_join import newcomer, storm

SEEDS = range(3)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.slow
def test_a_mass_join_costs_at_most_a_fifth_more_than_memberlist_s_and_agrees_no_later() -> None:
    ours = [storm("ours", 40, seed) for seed in SEEDS]
    memberlist = [storm("lifeguard", 40, seed) for seed in SEEDS]
    for measure in ours[0]:
        ratio = mean([one[measure] for one in ours]) / mean([one[measure] for one in memberlist])
        assert ratio <= (1.2 if "packets" in measure else 1.0), measure


@pytest.mark.slow
def test_what_a_newcomer_receives_does_not_grow_with_the_cluster() -> None:
    received = [value for seed in SEEDS for value in newcomer("ours", 150, seed).values()]
    assert max(received) <= 30
