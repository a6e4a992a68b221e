"""When a node pushes and pulls: periodically, slower in large clusters, and soon after a burst of joins."""

from __future__ import annotations

import itertools

import pytest

from swim.core.push_pull_schedule import push_pull_scale
from tests.one_node import Solo

INTERVAL = 30.0


def solo_with(count: int, **settings: object) -> Solo:
    """A node that knows so many others, and does nothing but push/pull."""
    quiet = {"probe_interval": 0, "rejoin_interval": 0, "gossip_interval": 0}
    solo = Solo(**{"push_pull_interval": INTERVAL} | quiet | settings)
    solo.meet(*(f"m{number}" for number in range(count)))
    return solo


def dials(solo: Solo, seconds: float) -> list[float]:
    """When it dials within this time, seconds from now; each peer answers that it knows no more."""
    start, times = solo.now, []
    end = start + seconds
    while (deadline := solo.next_deadline()) is not None and deadline <= end:
        solo.advance(deadline - solo.now)
        if solo.streams:
            times.append(solo.now - start)
            solo.reply()
            solo.streams.clear()
    solo.advance(end - solo.now)
    return times


@pytest.mark.parametrize("others", [1, 31, 32, 63, 64, 100])
def test_an_exchange_comes_once_an_interval_that_grows_with_the_cluster(others: int) -> None:
    solo = solo_with(others)
    dials(solo, 5 * INTERVAL)
    period = push_pull_scale(INTERVAL, others + 1)
    times = dials(solo, 20 * period)
    assert len(times) in (19, 20, 21)
    assert {round(later - time, 6) for time, later in itertools.pairwise(times)} == {period}


def test_nodes_that_start_together_do_not_exchange_together() -> None:
    phases = []
    for seed in range(20):
        solo = solo_with(1, seed=seed)
        dials(solo, 0.9 * INTERVAL)
        [first, *_] = dials(solo, 3 * INTERVAL)
        phases.append(first)
    assert max(phases) - min(phases) > INTERVAL / 2


def test_after_a_burst_of_joins_some_extra_exchanges_follow() -> None:
    solo = solo_with(7)
    times = dials(solo, 0.9 * INTERVAL)
    assert len(times) == 4
    assert times[0] < 1.0
    assert times[-1] < 4.0


def test_a_burst_that_goes_on_postpones_none_and_they_come_at_growing_distances() -> None:
    solo, times = solo_with(7), []
    for number in range(60):
        solo.meet(f"late-{number}")
        times += [number / 10 + at for at in dials(solo, 0.1)]
    distances = [later - time for time, later in itertools.pairwise(times)]
    assert times[0] < 0.2
    assert 5 <= len(times) <= 10
    assert distances[-1] > 8 * distances[0]


def test_one_newcomer_among_many_brings_no_extra_exchange() -> None:
    solo = solo_with(60)
    dials(solo, 0.9 * INTERVAL)
    before = dials(solo, 20 * INTERVAL)
    solo.meet("late")
    after = dials(solo, 20 * INTERVAL)
    assert abs(len(after) - len(before)) <= 1


@pytest.mark.parametrize("settings", [{"push_pull_interval": 0}, {}])
def test_there_is_none_without_an_interval_or_without_a_peer(settings: dict[str, object]) -> None:
    solo = solo_with(7 if settings else 0, **settings)
    assert dials(solo, 10 * INTERVAL) == []
