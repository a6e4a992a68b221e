"""Samples: what is kept of many measurements, and which interval a reader sees."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.metrics import SAMPLE_INTERVAL, Aggregate, Metrics, Samples

VALUES = st.lists(st.integers(0, 10**6), min_size=1, max_size=30)


@given(VALUES)
def test_an_aggregate_is_what_the_statistics_of_its_values_are(values: list[int]) -> None:
    kept = Aggregate()
    for value in values:
        kept.add(value)
    assert (kept.count, kept.sum, kept.least, kept.most) == (
        len(values),
        sum(values),
        min(values),
        max(values),
    )
    assert kept.mean == pytest.approx(statistics.fmean(values))
    wanted = statistics.stdev(values) if len(values) > 1 else 0.0
    assert kept.deviation == pytest.approx(wanted, rel=1e-6, abs=1e-2)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=20),
    st.integers(0, 60),
    st.integers(0, 9),
)
def test_a_reader_sees_the_last_interval_that_ended_or_the_first_one_as_it_runs(
    waits: list[tuple[int, int]], later: int, started_at: int
) -> None:
    now, samples, added = float(started_at), Samples(), list[tuple[float, int]]()
    for wait, value in waits:
        now += wait
        samples.add(now, value)
        added.append((now, value))
    now += later
    begin = now // SAMPLE_INTERVAL * SAMPLE_INTERVAL
    if started_at < begin:
        begin -= SAMPLE_INTERVAL
    wanted = [value for at, value in added if begin <= at < begin + SAMPLE_INTERVAL]
    seen = samples.latest(now, float(started_at))
    assert (seen.count, seen.sum) == (len(wanted), sum(wanted))
    assert (samples.count, samples.sum) == (len(added), sum(value for _, value in added))


def test_what_took_time_is_in_milliseconds() -> None:
    metrics = Metrics()
    metrics.took(12.5, "x", 12.25)
    assert metrics.samples["x"].latest(12.5, 10.0).most == 250.0
