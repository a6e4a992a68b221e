"""Timers as values: order, staleness, and no wake-up for what no longer means anything."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims import World
from swim.core.timers import Timer, TimerKind, Timers
from swim.errors import InternalError


class Log:
    """One kind of timer whose tokens are names; the current ones are in a set."""

    def __init__(self) -> None:
        self.current: set[str] = set()
        self.fired: list[tuple[float, str]] = []
        self.timers = Timers()
        self.timer = self.timers.kind(TimerKind.PROBE, self._fire, self.current.__contains__)

    def at(self, deadline: float, token: str) -> None:
        self.current.add(token)
        self.timers.at(deadline, self.timer, token)

    def _fire(self, now: float, token: str) -> None:
        self.fired.append((now, token))


def test_due_timers_fire_in_order_and_equal_ones_as_they_were_set() -> None:
    log = Log()
    for deadline, token in ((2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b"), (3.0, "later")):
        log.at(deadline, token)
    log.timers.fire_due(2.0)
    assert [token for _, token in log.fired] == ["a", "b", "c", "d"]
    assert log.timers.next_deadline() == 3.0


def test_a_stale_timer_neither_fires_nor_wakes() -> None:
    log = Log()
    log.at(1.0, "stale")
    log.at(2.0, "good")
    log.current.discard("stale")
    assert log.timers.next_deadline() == 2.0
    log.timers.fire_due(5.0)
    assert log.fired == [(5.0, "good")]
    assert log.timers.next_deadline() is None


def test_a_timer_set_while_firing_fires_in_the_same_turn_if_it_is_due() -> None:
    timers, fired = Timers(), list[int]()

    def fire(now: float, token: int) -> None:
        fired.append(token)
        if token < 3:
            timers.at(now, timer, token + 1)

    timer: Timer[int] = timers.kind(TimerKind.PROBE, fire, lambda token: True)
    timers.at(1.0, timer, 1)
    timers.fire_due(1.0)
    assert fired == [1, 2, 3]


def test_stale_timers_of_a_far_future_do_not_pile_up() -> None:
    class Token:
        is_current = False

    timers, kept = Timers(), Token()
    kept.is_current = True
    timer = timers.kind(TimerKind.PROBE, lambda now, token: None, lambda token: bool(token.is_current))
    timers.at(2e6, timer, kept)
    held = weakref.WeakSet[Token]()
    for _ in range(5000):
        token = Token()
        held.add(token)
        timers.at(1e6, timer, token)
    assert len(held) <= 1024
    assert timers.next_deadline() == 2e6


def test_a_node_makes_every_kind_of_timer_and_none_twice() -> None:
    timers = World(1, nodes=1).nodes["n1"].node.timers
    assert set(timers.kinds) == set(TimerKind)
    with pytest.raises(InternalError, match="two parts of one node set probe timers"):
        timers.kind(TimerKind.PROBE, lambda now, token: None, lambda token: True)


def test_a_simulation_can_put_a_timer_off_or_let_it_fire() -> None:
    log = Log()
    log.at(1.0, "put-off")

    def around(now: float, fire: Callable[[], None]) -> float | None:
        if now < 5.0:
            return 5.0
        fire()
        return None

    log.timers.wrap(TimerKind.PROBE, around)
    log.timers.fire_due(1.0)
    assert (log.fired, log.timers.next_deadline()) == ([], 5.0)
    log.timers.fire_due(5.0)
    assert (log.fired, log.timers.next_deadline()) == ([(5.0, "put-off")], None)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=30))
def test_everything_current_fires_once_and_nothing_else(plan: list[tuple[int, bool]]) -> None:
    log = Log()
    for number, (deadline, _) in enumerate(plan):
        log.at(float(deadline), f"{number}")
    log.current -= {f"{number}" for number, (_, stays) in enumerate(plan) if not stays}
    while (deadline := log.timers.next_deadline()) is not None:
        log.timers.fire_due(deadline)
    wanted = [(float(deadline), f"{number}") for number, (deadline, stays) in enumerate(plan) if stays]
    assert log.fired == sorted(wanted, key=lambda entry: entry[0])
