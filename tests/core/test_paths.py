"""Members that are reached one way only: the log says which, from where, and when it is over; once each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sims.world import World
from swim.addresses import Endpoint
from swim.config import Config
from swim.core.member import pack_address
from swim.core.output import Dial
from swim.wire.codec import decode, encode
from swim.wire.messages import Ack, Ping, Suspect
from tests.one_node import PORT, Solo

PEER: Endpoint = ("127.0.0.2", PORT)


def lines(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    return [record.message for record in caplog.records if part in record.message]


def answer_streams(solo: Solo, seconds: float) -> None:
    """Lets time pass; ``node-b`` answers stream pings and nothing else."""
    for _ in range(round(seconds / 0.1)):
        solo.advance(0.1)
        streams, solo.streams = solo.streams, []
        for dial in streams:
            if isinstance(dial, Dial) and isinstance(ping := decode(dial.data), Ping):
                solo.engine.receive_stream(solo.now, dial.stream_id, encode(Ack(ping.seq_no)))
        solo.collect()


def answer_pings(solo: Solo, seconds: float) -> None:
    """Lets time pass; ``node-b`` acks."""
    for _ in range(round(seconds / 0.1)):
        solo.advance(0.1)
        for _to, ping in solo.sent_of(Ping):
            solo.hear(Ack(ping.seq_no), source=PEER)


def test_a_member_that_answers_streams_only_is_said_once_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    solo = Solo(push_pull_interval=0)
    solo.meet("node-b")
    answer_streams(solo, 60.0)
    [line] = lines(caplog, "answers streams")
    assert "member node-b answers streams at 127.0.0.2:7946, as it advertises, but no pings" in line
    assert "pings from 127.0.0.1:7946 or their acks are lost: is UDP blocked in between?" in line
    solo.sent()
    answer_pings(solo, 10.0)
    assert lines(caplog, "again") == ["member node-b answers pings at 127.0.0.2:7946 again"]


def test_it_says_where_the_pings_of_such_a_member_come_from(caplog: pytest.LogCaptureFixture) -> None:
    solo = Solo(push_pull_interval=0)
    solo.meet("node-b")
    solo.hear(Ping(7, "node-a", pack_address("127.0.0.2"), PORT, "node-b"), source=("127.0.0.9", 40_000))
    answer_streams(solo, 60.0)
    [line] = lines(caplog, "answers streams")
    assert "its pings come from 127.0.0.9:40000: is an address translated in between?" in line


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refuse", "stall"])
def test_members_to_which_no_stream_leads_are_said_once_each_and_when_it_is_over(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(5, nodes=4, config=Config.local)
    world.run_for(20.0)
    clear = world.network.default
    world.network.set_default(replace(clear, **{how: 1.0}))
    world.run_for(20 * 60.0)
    assert world.converged
    said = lines(caplog, "is TCP blocked in between?")
    assert len(said) == 4 * 3, "once by each about each"
    assert all("answers pings at" in line and "as it advertises, but streams from" in line for line in said)
    world.network.set_default(clear)
    world.run_for(10 * 60.0)
    assert len(lines(caplog, "work again")) == 4 * 3
    assert len(lines(caplog, "is TCP blocked")) == 4 * 3


@pytest.mark.slow
def test_members_that_crash_and_return_are_not_said_to_be_blocked(caplog: pytest.LogCaptureFixture) -> None:
    world = World(6, nodes=4, config=Config.local)
    world.run_for(20.0)
    for name in ("n2", "n3", "n4"):
        world.crash(name)
        world.run_for(1.0)
        world.restart(name)
        world.run_for(60.0)
    assert not lines(caplog, "blocked in between")


@pytest.mark.parametrize("source", ["", "10.77.0.1"])
def test_a_node_that_others_do_not_hear_is_said_to_be_accused_again_and_again(
    caplog: pytest.LogCaptureFixture, source: str
) -> None:
    solo = Solo(push_pull_interval=0)
    solo.engine.sends_from(source)
    solo.meet("node-b")
    for number in range(40):
        solo.hear(Suspect(number + 2, "node-a", "node-b"), source=PEER)
        answer_pings(solo, 15.0)
    [line] = lines(caplog, "accused 5 times")
    assert "last by node-b: it does not hear this node at 127.0.0.1:7946, which this node advertises" in line
    assert (f"though its streams leave from {source}" in line) is bool(source)


def test_an_accusation_now_and_then_is_usual(caplog: pytest.LogCaptureFixture) -> None:
    solo = Solo(push_pull_interval=0)
    solo.meet("node-b")
    for number in range(10):
        solo.hear(Suspect(number + 2, "node-a", "node-b"), source=PEER)
        answer_pings(solo, 60.0)
    assert not lines(caplog, "accused 5 times")
