"""Suspicion, self-doubt and the outcome of one probe round, each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.member import Record, State
from swim.core.probe import ProbeRound, SelfDoubt
from swim.core.suspicion import Suspicion, confirmations_wanted
from swim.wire.messages import Alive
from tests.one_node import VSN


def lan(wanted: int = 2) -> Suspicion:
    return Suspicion(100.0, 7, "first", low=4.0, high=24.0, wanted=wanted)


def test_a_suspicion_nobody_could_confirm_is_short() -> None:
    assert lan(wanted=0).deadline == 104.0


def test_independent_accusers_shorten_it_to_the_minimum() -> None:
    suspicion = lan()
    assert suspicion.deadline == 124.0
    assert suspicion.confirm(100.0, "second")
    assert suspicion.deadline == pytest.approx(111.381)
    assert suspicion.confirm(101.0, "third")
    assert suspicion.deadline == pytest.approx(104.0)
    assert not suspicion.confirm(102.0, "fourth"), "more than enough"


def test_the_same_accuser_counts_once() -> None:
    suspicion = lan()
    assert not suspicion.confirm(100.0, "first")
    assert suspicion.confirm(100.0, "second")
    assert not suspicion.confirm(100.0, "second")
    assert suspicion.accusers == {"first", "second"}


def test_one_that_is_certain_needs_no_others_and_is_no_news_twice() -> None:
    suspicion = Suspicion(100.0, 1, "a", low=5.0, high=30.0, wanted=3)
    assert suspicion.confirm(101.0, "b", is_certain=True)
    assert suspicion.deadline == 105.0
    assert not suspicion.confirm(102.0, "b", is_certain=True)
    assert not suspicion.confirm(103.0, "a", is_certain=True)
    assert suspicion.deadline == 105.0


def test_a_confirmation_that_comes_late_ends_it_at_once() -> None:
    suspicion = lan()
    suspicion.confirm(120.0, "second")
    assert suspicion.deadline == 120.0


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 9)), max_size=20))
def test_a_deadline_never_moves_away_and_never_below_the_minimum(steps: list[tuple[float, int]]) -> None:
    suspicion, now = lan(wanted=4), 100.0
    for wait, accuser in steps:
        now += wait
        before = suspicion.deadline
        if now >= before:
            break
        suspicion.confirm(now, f"{accuser}")
        assert min(104.0, now) - 1e-9 <= suspicion.deadline <= before + 1e-3


def test_time_slept_through_does_not_count() -> None:
    suspicion = lan()
    suspicion.hold(130.0, 20.0, 1.0)
    assert suspicion.deadline == 144.0
    suspicion.hold(150.0, 0.0, 1.0)
    assert suspicion.deadline == 151.0, "one round at least"


def test_a_suspicion_that_came_after_the_sleep_is_not_prolonged_by_it() -> None:
    suspicion = lan()
    suspicion.hold(100.0, 600.0, 1.0)
    assert suspicion.deadline == 124.0
    suspicion.hold(105.0, 600.0, 1.0)
    assert suspicion.deadline == 129.0, "not longer than it has run"


@pytest.mark.parametrize(
    ("mult", "n", "wanted"), [(4, 10, 2), (4, 4, 2), (4, 3, 0), (3, 3, 1), (2, 50, 0), (6, 50, 4)]
)
def test_confirmations_wanted(mult: int, n: int, wanted: int) -> None:
    assert confirmations_wanted(mult, n) == wanted


def test_self_doubt_spaces_accusations_out_until_an_ack() -> None:
    doubt = SelfDoubt(3)
    assert [doubt.may_accuse(float(second), f"m{second}", 2.0) for second in range(2)] == [True, True]
    assert [doubt.may_accuse(float(second), f"m{second}", 2.0) for second in range(2, 8)] == [False, True] * 3
    doubt.answered()
    assert [doubt.may_accuse(float(second), f"m{second}", 2.0) for second in range(8, 10)] == [True, True]


def test_one_target_that_keeps_failing_is_no_reason_for_self_doubt() -> None:
    doubt = SelfDoubt(3)
    assert all(doubt.may_accuse(second / 10, "m", 2.0) for second in range(20))


def test_self_doubt_can_be_off() -> None:
    doubt = SelfDoubt(0)
    assert all(doubt.may_accuse(second / 10, f"m{second}", 2.0) for second in range(20))


class TestProbeRound:
    target = Record(Alive(3, "node-b", b"\x7f\x00\x00\x02", 7946, None, VSN), State.ALIVE, 0.0)

    def round_with(self, relays: int, nacks: int, *, fallback: str = "", can_nack: bool = True) -> ProbeRound:
        probe = ProbeRound(self.target, 0.0, 1.0)
        probe.is_indirect = True
        probe.relays = {(f"127.0.1.{place}", 7946): can_nack for place in range(relays)}
        probe.nacks = {(f"127.0.1.{place}", 7946) for place in range(nacks)}
        probe.fallback = fallback
        return probe

    @pytest.mark.parametrize(
        ("relays", "nacks", "delta"), [(3, 3, 0), (3, 1, 2), (3, 0, 3), (0, 0, 1), (1, 1, 0)]
    )
    def test_missing_nacks_count_against_us(self, relays: int, nacks: int, delta: int) -> None:
        assert self.round_with(relays, nacks).failure_delta() == delta

    def test_relays_that_cannot_nack_are_not_missed(self) -> None:
        assert self.round_with(3, 0, can_nack=False).failure_delta() == 1

    def test_it_is_decided_when_nobody_can_still_answer(self) -> None:
        assert self.round_with(3, 3, fallback="connection refused").is_decided
        assert not self.round_with(3, 2, fallback="connection refused").is_decided
        assert not self.round_with(3, 3, fallback="pending").is_decided
        assert not self.round_with(3, 3).is_decided, "no stream was tried"
        assert not self.round_with(0, 0, fallback="connection refused").is_decided
        assert not self.round_with(3, 3, fallback="connection refused", can_nack=False).is_decided

    def test_the_reason_names_what_was_tried(self) -> None:
        text = self.round_with(3, 2, fallback="connection refused").describe_failure()
        assert text == "no ack: direct, 3 relays (2 nacks), stream (connection refused)"
