"""Randomness that is the same everywhere for a seed, and fair."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.rng import Rng


def test_a_seed_is_a_run_on_every_python() -> None:
    rng = Rng(random.Random(42))
    items = list(range(8))
    rng.shuffle(items)
    drawn = [rng.below(1000), items, rng.choice("abcdef"), round(rng.uniform(1, 2), 9), rng.bytes(4).hex()]
    assert drawn == [754, [3, 4, 6, 7, 2, 5, 0, 1], "a", 1.740667666, "e465e150"]


@given(st.integers(1, 2**40), st.integers(0, 2**32))
def test_below_is_below(bound: int, seed: int) -> None:
    rng = Rng(random.Random(seed))
    assert all(0 <= rng.below(bound) < bound for _ in range(5))


@given(st.floats(-100, 100), st.floats(0.001, 100), st.integers(0, 2**32))
def test_uniform_stays_in_its_range(low: float, width: float, seed: int) -> None:
    assert low <= Rng(random.Random(seed)).uniform(low, low + width) <= low + width


@given(st.lists(st.integers()), st.integers(0, 2**32))
def test_shuffle_permutes(items: list[int], seed: int) -> None:
    shuffled = list(items)
    Rng(random.Random(seed)).shuffle(shuffled)
    assert Counter(shuffled) == Counter(items)


@pytest.mark.parametrize("size", [0, 1, 12])
def test_bytes_have_the_size_asked_for(size: int) -> None:
    assert len(Rng(random.Random(1)).bytes(size)) == size


def test_every_order_comes_up_about_as_often() -> None:
    rng = Rng(random.Random(7))
    seen: Counter[tuple[int, ...]] = Counter()
    for _ in range(6000):
        items = [1, 2, 3]
        rng.shuffle(items)
        seen[tuple(items)] += 1
    assert len(seen) == 6
    assert all(800 < count < 1200 for count in seen.values())
