"""The order of probes: every name once a round, in a new random order, while names come and go."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from swim.core.cycle import Cycle
from swim.core.rng import Rng

NAMES = [f"m{number}" for number in range(8)]
steps = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "next", "next", "at"]), st.integers(0, 7)), max_size=80
)


def cycle_of(*names: str, seed: int = 1) -> Cycle:
    return Cycle(Rng(random.Random(seed)), list(names))


@given(steps, st.integers(0, 2**32))
def test_it_holds_the_names_that_were_added_and_not_removed(taken: list[tuple[str, int]], seed: int) -> None:
    cycle, held = cycle_of(seed=seed), set[str]()
    for what, number in taken:
        name = NAMES[number]
        if what == "add" and name not in held:
            cycle.add(name)
            held.add(name)
        elif what == "remove" and name in held:
            cycle.remove(name)
            held.discard(name)
        elif what == "next":
            drawn = cycle.next()
            assert drawn in held if held else not drawn
        elif what == "at" and cycle.order:
            assert cycle.at(number % len(cycle.order)) in held | {""}
        assert sorted(cycle) == sorted(held)
        assert len(cycle) == len(held)


@given(st.integers(2, 8), steps, st.integers(0, 2**32))
def test_a_name_that_stays_is_drawn_within_two_rounds(
    count: int, taken: list[tuple[str, int]], seed: int
) -> None:
    """However many others come and go in between."""
    cycle, held = cycle_of("stays", seed=seed), set[str]()
    waited = 0
    for what, number in taken:
        name = NAMES[number % count]
        if what == "add" and name not in held:
            cycle.add(name)
            held.add(name)
        elif what == "remove" and name in held:
            cycle.remove(name)
            held.discard(name)
        else:
            waited = 0 if cycle.next() == "stays" else waited + 1
            assert waited <= 2 * (count + 1)


def test_every_name_comes_once_a_round() -> None:
    cycle = cycle_of(*NAMES)
    for _ in range(20):
        assert sorted(cycle.next() for _ in NAMES) == NAMES


def test_every_order_of_a_round_comes_up_about_as_often() -> None:
    cycle = cycle_of("a", "b", "c")
    orders = Counter("".join(cycle.next() for _ in range(3)) for _ in range(3000))
    assert len(orders) == 6
    assert all(400 <= times <= 600 for times in orders.values())


def test_a_newcomer_waits_for_half_a_round_on_average() -> None:
    """A place at the end of the order would make a crash soon after a join take longer to detect."""
    waits = []
    for seed in range(2000):
        cycle = cycle_of(*NAMES, seed=seed)
        for _ in range(seed % 8):
            cycle.next()
        cycle.add("new")
        waits.append(next(turn for turn in range(1, 30) if cycle.next() == "new"))
    assert 4 <= sum(waits) / len(waits) <= 6.5


def test_a_removed_name_that_is_back_before_its_turn_has_one_place() -> None:
    cycle = cycle_of(*NAMES)
    for _ in range(5):
        cycle.remove("m3")
        cycle.add("m3")
    assert sorted(cycle.next() for _ in NAMES) == NAMES
