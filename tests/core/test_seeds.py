"""Each seed's last error, and one warning when it starts failing and one when it works."""

from __future__ import annotations

import logging

import pytest

from swim.core.member import pack_address
from swim.core.output import Dial, StreamEnd
from swim.detection import SeedStatus
from swim.wire.codec import encode
from swim.wire.messages import Alive, NodeRecord, PushPull
from tests.one_node import PORT, VSN, Lone, Solo

SEED = "10.0.0.2:7946"


def solo_with(*seeds: str) -> Solo:
    return Solo(host="10.0.0.1", seeds=seeds)


def dials(solo: Solo) -> list[Dial]:
    """The streams opened since the last look."""
    streams, solo.streams = solo.streams, []
    return [action for action in streams if isinstance(action, Dial)]


def refuse(solo: Solo, seconds: float) -> int:
    """Lets time pass; every dial is refused, every name unknown. Returns how many attempts there were."""
    count = 0
    for _ in range(round(seconds)):
        solo.advance(1.0)
        lookups, solo.lookups = solo.lookups, []
        for address in lookups:
            solo.engine.resolved(solo.now, address, [], "no such host")
        for dial in dials(solo):
            solo.engine.stream_ended(solo.now, dial.stream_id, StreamEnd.REFUSED, "Connection refused")
        count += len(lookups)
    solo.collect()
    return count


def seeds(solo: Solo) -> tuple[SeedStatus, ...]:
    return solo.engine.rejoining.seeds()


def test_a_seed_that_was_not_tried_has_no_error() -> None:
    [status] = seeds(solo_with(SEED))
    assert status._replace(next_at=None) == SeedStatus(SEED, False)


def test_a_node_alone_knows_when_it_next_tries_its_seed() -> None:
    solo = solo_with("seed.example")
    for _ in range(5):
        [status] = seeds(solo)
        assert status.next_at is not None
        assert status.next_at > solo.now
        solo.advance(status.next_at - solo.now - 0.01)
        assert not solo.lookups
        solo.advance(0.02)
        assert solo.lookups == ["seed.example"]
        solo.lookups = []
        solo.engine.resolved(solo.now, "seed.example", [], "no such host")


@pytest.mark.parametrize(
    ("seed", "why"),
    [(SEED, f"{SEED}: Connection refused"), ("seed.example", "no such host")],
)
def test_a_seed_that_never_works_is_said_once_and_keeps_its_last_error(
    seed: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    solo = solo_with(seed)
    refuse(solo, 60.0)
    [status] = seeds(solo)
    assert (status.address, status.is_joined, status.error) == (seed, False, why)
    assert status.at is not None
    assert solo.now - status.at < 20.0
    assert [record.message for record in caplog.records] == [
        f"seed {seed} cannot be joined, trying on: {why}"
    ]


def test_a_node_alone_tries_less_and_less_often() -> None:
    solo = solo_with("seed.example")
    counts = [refuse(solo, 100.0) for _ in range(6)]
    assert counts[0] > 2 * counts[-1]
    assert min(counts) >= 100.0 / (1.5 * solo.config.rejoin_interval) - 1
    assert sum(counts[2:]) < 1.5 * 400.0 / solo.config.rejoin_interval


def test_a_node_that_lost_its_last_peer_tries_often_again() -> None:
    lone = Lone(seeds=[f"127.0.9.9:{PORT}"], rejoin_interval=30.0, tcp_timeout=0.5)
    lone.advance(600.0)
    lone.meet("x")
    lone.fail("x")
    lone.streams.clear()
    lone.advance(10.0)
    assert len([action for action in lone.streams if isinstance(action, Dial)]) >= 2


def test_a_seed_that_works_again_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    solo = solo_with(SEED)
    refuse(solo, 10.0)
    while not (opened := dials(solo)):
        solo.advance(0.5)
    peer = NodeRecord("peer", pack_address("10.0.0.2"), PORT, b"", 1, 0, VSN)
    solo.engine.receive_stream(solo.now, opened[0].stream_id, encode(PushPull(False, (peer,))))
    solo.advance(0.5)
    [status] = seeds(solo)
    assert (status.is_joined, status.error) == (True, "")
    assert [record.message.split(" trying")[0] for record in caplog.records] == [
        f"seed {SEED} cannot be joined,",
        f"seed {SEED} works again",
    ]


def test_a_seed_that_joins_us_counts_as_working(caplog: pytest.LogCaptureFixture) -> None:
    solo = solo_with(SEED)
    refuse(solo, 10.0)
    solo.hear(Alive(1, "peer", pack_address("10.0.0.2"), PORT, b"", VSN), source=("10.0.0.2", PORT))
    assert seeds(solo)[0].is_joined
    assert caplog.records[-1].message == f"seed {SEED} works again"


def test_a_name_of_which_one_address_answers_works(caplog: pytest.LogCaptureFixture) -> None:
    solo = solo_with("seed.example")
    while not solo.lookups:
        solo.advance(0.5)
    found = [("10.0.0.8", PORT), ("10.0.0.2", PORT), ("10.0.0.9", PORT)]
    solo.engine.resolved(solo.now, "seed.example", found, "")
    solo.collect()
    peer = NodeRecord("peer", pack_address("10.0.0.2"), PORT, b"", 1, 0, VSN)
    first, second, third = dials(solo)
    solo.engine.stream_ended(solo.now, first.stream_id, StreamEnd.REFUSED, "Connection refused")
    solo.engine.receive_stream(solo.now, second.stream_id, encode(PushPull(False, (peer,))))
    solo.engine.stream_ended(solo.now, third.stream_id, StreamEnd.REFUSED, "Connection refused")
    solo.collect()
    assert seeds(solo)[0].is_joined
    assert not caplog.records


def test_a_seed_out_of_reach_says_so(caplog: pytest.LogCaptureFixture) -> None:
    solo = Solo(host="127.0.0.1", seeds=["seed.example"])
    while not solo.lookups:
        solo.advance(0.5)
    solo.engine.resolved(solo.now, "seed.example", [("10.0.0.2", PORT)], "")
    solo.collect()
    assert not dials(solo)
    assert "an address beyond loopback, and this node is at 127.0.0.1; set bind" in seeds(solo)[0].error
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING


def test_the_own_address_as_the_only_seed_is_fine(caplog: pytest.LogCaptureFixture) -> None:
    solo = solo_with("10.0.0.1:7946")
    solo.advance(60.0)
    assert seeds(solo) == (SeedStatus("10.0.0.1:7946", True),)
    assert not caplog.records
