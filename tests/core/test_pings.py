"""Outstanding pings: whose ack counts, what it yields, and that it cannot be guessed."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.addresses import Endpoint
from swim.core.member import pack_address
from swim.core.pings import Outstanding
from swim.core.rng import Rng
from swim.wire.codec import encode
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, Nack, Ping
from tests.core.test_hostile import probing
from tests.one_node import NON_MEMBER, PORT, VSN, Solo

TRANSLATED = [
    pytest.param(("127.0.0.2", PORT), id="as advertised"),
    pytest.param(("127.0.0.2", 40123), id="another port"),
    pytest.param(("127.9.9.9", PORT), id="another address"),
    pytest.param(("fd00::2", 40123), id="another family"),
]


class Toss:
    """A purpose."""


class Repeating:
    """Random bits that repeat every value several times."""

    def __init__(self) -> None:
        self._calls = 0

    def getrandbits(self, k: int) -> int:
        self._calls += 1
        return self._calls // 3 % (1 << k)


def quiet(**settings: Any) -> Solo:
    settings = {"probe_interval": 0, "push_pull_interval": 0, "gossip_interval": 0} | settings
    solo = Solo(**settings)
    solo.meet("node-b", "node-c", "node-d")
    solo.forget_outputs()
    return solo


# -- whose ack counts: any sender that knows the number


@pytest.mark.parametrize("source", TRANSLATED)
def test_a_probe_is_acked_from_any_address(source: Endpoint) -> None:
    solo, _, seq_no = probing(disable_tcp_pings=True, indirect_checks=0)
    solo.hear(Ack(seq_no), source=source)
    solo.advance(0.9)
    assert {solo.state(name) for name in ("node-b", "node-c", "node-d")} == {"alive"}
    assert solo.metrics.drops == 0


@pytest.mark.parametrize("source", TRANSLATED)
def test_a_relayed_ping_is_acked_from_any_address(source: Endpoint) -> None:
    solo = quiet()
    solo.hear(IndirectPing(9, pack_address("127.0.0.2"), PORT, "node-b", True), source=("127.0.1.1", PORT))
    [(_, ping)] = solo.sent_of(Ping)
    solo.hear(Ack(ping.seq_no), source=source)
    assert solo.sent_of(Ack) == [(("127.0.1.1", PORT), Ack(9))]
    solo.advance(5.0)
    assert not solo.sent_of(Nack)


@pytest.mark.parametrize("source", TRANSLATED)
def test_second_hand_news_is_verified_from_any_address(source: Endpoint) -> None:
    solo = quiet()
    claim = Alive(3, "node-x", pack_address("127.0.0.50"), PORT, None, VSN)
    solo.advance(60.0)
    solo.hear(claim)
    [(_, ping)] = solo.sent_of(Ping)
    solo.hear(Ack(ping.seq_no), source=source)
    record = solo.record("node-x")
    assert record is not None
    assert (record.verified, solo.queued) == (True, [encode(claim)])


@pytest.mark.parametrize("source", TRANSLATED)
def test_an_accusation_is_disproved_from_any_address(source: Endpoint) -> None:
    solo = quiet()
    solo.hear(Dead(1, "node-b", "node-c"), source=("127.0.1.1", PORT))
    [(_, ping)] = solo.sent_of(Ping)
    solo.hear(Ack(ping.seq_no), source=source)
    solo.advance(5.0)
    assert solo.state("node-b") == "alive"


def test_each_nack_counts_once_and_no_more_than_were_asked_for() -> None:
    """A relay may answer through a translated port as well."""
    solo, _, seq_no = probing(disable_tcp_pings=True)
    solo.advance(0.5)
    relays = [to for to, _ in solo.sent_of(IndirectPing)]
    assert len(relays) == 2
    for source in (relays[0], relays[0]):
        solo.hear(Nack(seq_no), source=source)
    solo.hear(Nack(seq_no ^ 1), source=relays[1])
    assert solo.metrics.counters["swim.dropped.unexpected-nack"] == 1
    assert solo.metrics.counters["swim.dropped.unmatched-nack"] == 1
    solo.advance(0.5)
    assert solo.score == 1, "two were asked, one nacked"


def test_nacks_from_translated_ports_are_not_missed() -> None:
    solo, _, seq_no = probing(disable_tcp_pings=True)
    solo.advance(0.5)
    for port in (40001, 40002, 40003):
        solo.hear(Nack(seq_no), source=("127.0.0.99", port))
    solo.advance(0.5)
    assert solo.score == 0
    assert solo.metrics.counters["swim.dropped.unexpected-nack"] == 1


def test_nobody_is_asked_for_a_nack_of_a_relayed_ping() -> None:
    solo = quiet()
    solo.hear(IndirectPing(9, pack_address("127.0.0.2"), PORT, "node-b", True), source=("127.0.1.1", PORT))
    [(_, ping)] = solo.sent_of(Ping)
    solo.hear(Nack(ping.seq_no), source=("127.0.0.2", PORT))
    assert solo.metrics.counters["swim.dropped.unexpected-nack"] == 1
    assert not solo.sent()


# -- numbers


@given(st.integers(0, 2**32))
def test_sequence_numbers_are_random_over_all_32_bits(seed: int) -> None:
    solo = Solo(seed=seed)
    pings = solo.engine.pings
    numbers = [pings.ping(0.0, "node-b", ("127.0.0.2", PORT), Toss()).seq_no for _ in range(64)]
    assert len(set(numbers)) == 64
    assert all(1 <= number < 2**32 for number in numbers)
    steps = [later - number for number, later in itertools.pairwise(numbers)]
    assert len(set(steps)) == 63, "they neither count up nor repeat a step"
    assert max(numbers) - min(numbers) > 2**30


def test_a_number_in_use_or_just_used_is_not_given_out_again() -> None:
    solo = Solo(rng=Rng(Repeating()))
    pings = solo.engine.pings
    pings.register(Toss, lambda *_: None)
    numbers = []
    for _ in range(50):
        numbers.append(pings.ping(0.0, "node-b", ("127.0.0.2", PORT), Toss()).seq_no)
        if len(numbers) % 2:
            pings.ack(1.0, Ack(numbers[-1]))
    assert len(set(numbers)) == 50


def test_guesses_keep_nobody_alive_and_are_counted() -> None:
    solo, target, seq_no = probing(disable_tcp_pings=True, indirect_checks=0)
    guesser = random.Random(7)
    guesses = [seq_no + step for step in range(-500, 500) if step]
    guesses += [guesser.getrandbits(32) for _ in range(4000)]
    for guess in guesses:
        solo.hear(Ack(guess % 2**32), source=target)
    solo.advance(1.0)
    assert "suspect" in {solo.state(name) for name in ("node-b", "node-c", "node-d")}
    assert solo.metrics.counters["swim.dropped.unmatched-ack"] == len(guesses)


def test_a_late_or_second_ack_is_counted_and_no_reason_to_warn() -> None:
    solo, target, seq_no = probing(disable_tcp_pings=True, indirect_checks=0)
    solo.advance(1.0)
    solo.forget_outputs()
    solo.hear(Ack(seq_no), source=target)
    solo.hear(Nack(seq_no), source=target)
    assert solo.metrics.counters["swim.late-acks"] == 1
    assert solo.metrics.counters["swim.late-nacks"] == 1
    assert solo.metrics.drops == 0


def test_the_last_128_pings_are_remembered_and_not_many_more() -> None:
    solo = Solo(probe_interval=0)
    pings = solo.engine.pings
    pings.register(Toss, lambda *_: None)
    ended = [pings.ping(0.0, "node-b", ("127.0.0.2", PORT), Toss()).seq_no for _ in range(500)]
    for count, seq_no in enumerate(ended, 1):
        pings.ack(1.0, Ack(seq_no))
        solo.metrics.counters.clear()
        for late in ended[max(0, count - 128) : count]:
            pings.ack(2.0, Ack(late))
        assert solo.metrics.counters == {"swim.late-acks": min(count, 128)}
    solo.metrics.counters.clear()
    for forgotten in ended[:-256]:
        pings.ack(2.0, Ack(forgotten))
    assert solo.metrics.counters == {"swim.dropped.unmatched-ack": 500 - 256}


# -- what an ack yields


def test_an_ack_yields_a_round_trip_time_and_its_payload() -> None:
    solo, target, seq_no = probing()
    name = solo.name_at(target)
    solo.advance(0.25)
    solo.hear(Ack(seq_no, b"where I am"), source=target)
    solo.hear(Ack(seq_no, b"again"), source=target)
    assert solo.upstairs.round_trips == [(name, pytest.approx(0.25), b"where I am")]


def test_an_ack_that_may_have_come_through_a_relay_times_nothing() -> None:
    solo, target, seq_no = probing(disable_tcp_pings=True)
    solo.advance(0.6)
    solo.hear(Ack(seq_no), source=target)
    assert not solo.upstairs.round_trips


@pytest.mark.parametrize("payload", [None, b"", b"\x01coordinate"])
def test_an_ack_to_a_direct_ping_carries_the_delegates_payload(payload: bytes | None) -> None:
    solo = quiet(enable_compression=False)
    solo.upstairs.payload = payload
    solo.hear(Ping(7, "node-a"), source=("127.0.0.2", PORT))
    assert solo.sent_of(Ack) == [(("127.0.0.2", PORT), Ack(7, payload))]
    solo.hear(Ping(8, "node-a"), source=NON_MEMBER)
    assert solo.sent_of(Ack) == [(NON_MEMBER, Ack(8))], "to a non-member as little as possible"
    solo.hear(IndirectPing(9, pack_address("127.0.0.2"), PORT, "node-b", True), source=("127.0.1.1", PORT))
    [(_, ping)] = solo.sent_of(Ping)
    solo.hear(Ack(ping.seq_no, b"theirs"), source=("127.0.0.2", PORT))
    assert solo.sent_of(Ack) == [(("127.0.1.1", PORT), Ack(9))], "memberlist's relays pass no payload on"


def test_a_ping_ends_once_by_an_ack_or_by_its_deadline() -> None:
    solo = Solo(probe_interval=0)
    pings = solo.engine.pings
    acks: list[tuple[float, Outstanding, Ack]] = []
    expired: list[float] = []
    pings.register(
        Toss,
        lambda now, purpose, ping, ack: acks.append((now, ping, ack)),
        expired=lambda now, purpose: expired.append(now),
    )
    home = ("127.0.0.2", PORT)
    acked = pings.ping(100.0, "node-b", home, Toss(), until=101.0)
    pings.ping(100.0, "node-b", home, Toss(), until=102.0)
    forgotten = pings.ping(100.0, "node-b", home, Toss(), until=103.0)
    pings.forget(forgotten.seq_no)
    pings.ack(100.5, Ack(acked.seq_no, b"x"))
    solo.advance(5.0)
    [(now, ping, ack)] = acks
    assert (now, ping.endpoint, ping.sent_at, ack.payload) == (100.5, home, 100.0, b"x")
    assert expired == [102.0]
