"""Probe periods: the same numbers at every node, whatever its own clock shows."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swim.core.periods import Periods

INTERVALS = st.floats(0.05, 60.0)
CLOCKS = st.floats(0.0, 1e8)
"""Seconds on a node's own clock."""
OFFSETS = st.floats(0.0, 4e9)
"""Seconds from there to Unix time."""
NEAR = 1e-4
"""A millionth of the longest interval, and rounding."""


@given(INTERVALS, OFFSETS, CLOCKS)
def test_a_moment_lies_in_the_period_that_it_begins_and_no_other(
    interval: float, offset: float, now: float
) -> None:
    periods = Periods(interval, offset)
    number, part = periods.at(now)
    assert 0.0 <= part < 1.0
    assert periods.moment(number, part) == pytest.approx(now, abs=NEAR)
    begins, ends = periods.moment(number, 0.0), periods.moment(number + 1, 0.0)
    assert begins <= now + NEAR
    assert now < ends + NEAR
    assert ends - begins == pytest.approx(interval, abs=NEAR)


@given(INTERVALS, OFFSETS, CLOCKS, st.floats(-1e6, 1e6), st.floats(0.01, 0.99))
def test_nodes_whose_own_clocks_differ_count_alike(
    interval: float, offset: float, now: float, ahead: float, phase: float
) -> None:
    one, other = Periods(interval, offset), Periods(interval, offset - ahead)
    number, _ = one.at(now)
    moment = one.moment(number, phase)
    assert one.at(moment)[0] == other.at(moment + ahead)[0] == number
    assert other.moment(number, phase) == pytest.approx(moment + ahead, abs=NEAR)


@example(0.05, 1.0, 8388608.8125, 0.0)
@given(INTERVALS, OFFSETS, CLOCKS, st.floats(0.0, 0.999))
def test_a_moment_that_was_planned_has_come_when_its_timer_fires(
    interval: float, offset: float, now: float, phase: float
) -> None:
    """Rounding must not make a node wait for another period, or probe twice in one."""
    periods = Periods(interval, offset)
    number = periods.at(now)[0]
    reached, part = periods.at(periods.moment(number, phase))
    assert (reached, part) == (number, pytest.approx(phase, abs=NEAR))
    assert phase <= part + NEAR
