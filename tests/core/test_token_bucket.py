"""A token bucket: never more than the burst at once, and than the rate in the long run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.token_bucket import TokenBucket

attempts = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=60)
"""Eighths of a second since the attempt before, and the amount wanted; both exact in binary."""


@given(st.integers(0, 16), st.integers(0, 16), attempts)
def test_spent_in_any_span_is_at_most_the_burst_and_what_came_in(
    rate: int, burst: int, tried: list[tuple[int, int]]
) -> None:
    bucket = TokenBucket(per_second=rate, burst=burst)
    now, spent = 5.0, list[tuple[float, int]]()
    for eighths, amount in tried:
        now += eighths / 8
        if bucket.spend(now, amount):
            spent.append((now, amount))
    for place, (start, _) in enumerate(spent):
        total = 0
        for end, amount in spent[place:]:
            total += amount
            assert total <= burst + rate * (end - start)


@given(st.integers(1, 16), st.integers(1, 16), attempts)
def test_a_refusal_is_never_too_strict(rate: int, burst: int, tried: list[tuple[int, int]]) -> None:
    """It follows the definition: what was left, plus what came in since, but at most the burst."""
    bucket = TokenBucket(per_second=rate, burst=burst)
    now, left = 5.0, float(burst)
    for eighths, amount in tried:
        now += eighths / 8
        left = min(float(burst), left + rate * eighths / 8)
        is_enough = amount <= left
        assert bucket.spend(now, amount) is is_enough
        left -= amount if is_enough else 0


@pytest.mark.parametrize("start", [0.0, 1e9])
def test_it_starts_full_whatever_the_time(start: float) -> None:
    bucket = TokenBucket(per_second=1.0, burst=3.0)
    assert [bucket.spend(start) for _ in range(4)] == [True, True, True, False]
    assert bucket.spend(start + 1.0)
