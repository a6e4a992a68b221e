"""Lamport clocks and the ring of recent stamps, against simple models."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swim.serf.intents import IntentBuffer
from swim.serf.lamport import LamportClock
from swim.serf.messages import JoinIntent, LeaveIntent
from swim.serf.seen import RecentRing

STAMPS = st.integers(0, 2**40) | st.integers(0, 2**64 - 1)
SIZE = 8


@given(st.lists(STAMPS))
def test_a_clock_never_goes_back_nor_jumps_absurdly(stamps: list[int]):
    clock = LamportClock()
    for stamp in stamps:
        before = clock.time
        clock.witness(stamp)
        assert before <= clock.time <= before + 2**32 + 1
        assert clock.time < 2**63 + 1


@given(st.lists(STAMPS))
def test_a_clock_is_past_all_it_believed(stamps: list[int]):
    clock = LamportClock()
    for stamp in stamps:
        believed = not clock.is_absurd(stamp)
        clock.witness(stamp)
        assert (clock.time > stamp) or not believed


@given(st.lists(st.integers(0, 1000)), st.integers(0, 1000))
def test_witnessing_twice_is_witnessing_once(stamps: list[int], last: int):
    clock = LamportClock()
    for stamp in [*stamps, last]:
        clock.witness(stamp)
    time = clock.time
    for stamp in [last, *stamps]:
        clock.witness(stamp)
    assert clock.time == time == max(1, *(stamp + 1 for stamp in [*stamps, last]))


def test_a_stamp_is_the_time_before_the_clock_moves_on():
    clock = LamportClock()
    assert [clock.stamp(), clock.stamp(), clock.time] == [1, 2, 3]


def test_a_stamp_ahead_of_time_takes_the_clock_along():
    clock = LamportClock()
    assert [clock.stamp(ahead=9), clock.stamp(), clock.time] == [10, 11, 12]


def test_an_equal_stamp_advances():
    clock = LamportClock()
    clock.witness(1)
    assert clock.time == 2


class Model:
    """Serf's rules said plainly: a slot holds one stamp, and everything seen under it."""

    def __init__(self) -> None:
        self.time = 1
        self.slots: dict[int, tuple[int, set[str]]] = {}

    def admit(self, ltime: int, key: str) -> bool:
        self.time = max(self.time, ltime + 1)
        if self.time > SIZE and ltime < self.time - SIZE:
            return False
        held = self.slots.get(ltime % SIZE, (ltime, set()))
        keys = held[1] if held[0] == ltime else set()
        self.slots[ltime % SIZE] = (ltime, keys | {key})
        return key not in keys


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc"))))
def test_the_ring_admits_what_the_rules_admit(messages: list[tuple[int, str]]):
    model, clock = Model(), LamportClock()
    ring: RecentRing[str] = RecentRing(clock, size=SIZE)
    for ltime, key in messages:
        assert ring.admit(ltime, key) == model.admit(ltime, key)
    assert clock.time == model.time
    told = {(ltime, key) for ltime, keys in ring.recent() for key in keys}
    kept = {(ltime, key) for ltime, keys in model.slots.values() for key in keys}
    assert told == {(ltime, key) for ltime, key in kept if ltime >= clock.time - SIZE}


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=1))
def test_what_was_admitted_is_not_admitted_again(messages: list[tuple[int, str]]):
    ring: RecentRing[str] = RecentRing(LamportClock(), size=SIZE)
    for ltime, key in messages:
        ring.admit(ltime, key)
        assert not ring.admit(ltime, key)


def test_a_stamp_used_by_a_flood_of_messages_is_full_at_some_time():
    ring: RecentRing[int] = RecentRing(LamportClock())
    assert sum(ring.admit(5, key) for key in range(5000)) == 1024
    assert ring.admit(6, 0)


@given(
    st.lists(
        st.builds(JoinIntent, st.integers(0, 9), st.sampled_from("abcd"))
        | st.builds(LeaveIntent, st.integers(0, 9), st.sampled_from("abcd"))
    ),
    st.integers(0, 3),
)
def test_the_intent_buffer_is_bounded_and_keeps_the_newest(
    intents: list[JoinIntent | LeaveIntent], size: int
):
    buffer = IntentBuffer(size=size, timeout=10)
    for intent in intents:
        kept = buffer.get(0, intent.node)
        taken = buffer.offer(0, intent)
        assert taken == (size > 0 and (kept is None or intent.ltime > kept.ltime))
        assert buffer.get(0, intent.node) == (intent if taken else kept)
        assert len(buffer) <= size
