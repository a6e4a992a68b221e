"""Pings that an operator asks for: by packet, by stream and through relays; they change nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from sims.world import World
from sims.world.host import SimNode
from sims.world.network import Link
from swim import ConfigError, LocalError, SendPing
from swim.core.asked_pings import ASKED_MAX
from swim.errors import SwimError
from swim.wire.messages import Ack, IndirectPing, Ping
from tests.clusters import ELSEWHERE, cluster
from tests.one_node import Lone, home

WAYS = ("packet", "stream", "relay")


def pinged(world: World, node: SimNode, name: str, **how: Any) -> Any:
    ticket = node.ping(name, **how)
    world.run_until(lambda _: ticket.is_done, 20)
    return ticket.result


@pytest.mark.parametrize("way", WAYS)
def test_a_member_that_answers_takes_a_round_trip(way: str) -> None:
    world, (one, *_) = cluster(3)
    seconds = pinged(world, one, "n2", via=way)
    assert 0 < seconds < 0.1


@pytest.mark.parametrize("way", WAYS)
def test_a_member_that_is_gone_takes_the_whole_timeout(way: str) -> None:
    world, (one, two, _) = cluster(3)
    world.crash(two, silent=True)
    began = world.now
    assert pinged(world, one, "n2", via=way, timeout=0.25) is None
    assert world.now - began == pytest.approx(0.25)


def test_each_way_fails_by_itself() -> None:
    """No packet of one reaches the other: a relay still does."""
    world, (one, two, _) = cluster(3)
    world.network.set_link(one.id, two.id, Link(loss=1.0))
    assert pinged(world, one, "n2", timeout=0.3) is None
    assert pinged(world, one, "n2", via="relay", timeout=0.3) is not None


def test_nothing_else_changes() -> None:
    world, (one, two, _) = cluster(3, probe_interval=0)
    assert pinged(world, one, "n2") is not None
    world.crash(two, silent=True)
    before = one.members(), one.metrics.drops, len(one.events)
    for way in WAYS:
        assert pinged(world, one, "n2", via=way) is None
    assert (one.members(), one.metrics.drops, len(one.events)) == before


@pytest.mark.parametrize(
    ("name", "via", "why"),
    [
        ("nobody", "packet", "^no member named 'nobody'"),
        ("me", "packet", "^a node does not ping itself"),
        ("x", "relay", "^no other member could relay a ping"),
        ("x", "stream", "^no stream to x is opened before its address has acked a ping"),
    ],
)
def test_what_cannot_be_asked_is_refused(name: str, via: str, why: str) -> None:
    lone = Lone()
    lone.meet("x")
    with pytest.raises(LocalError, match=why):
        lone.command(SendPing(name, via=via))


def test_pings_under_way_have_a_limit() -> None:
    lone = Lone()
    lone.meet("x")
    for _ in range(ASKED_MAX):
        lone.command(SendPing("x", timeout=5))
    with pytest.raises(LocalError, match="under way already"):
        lone.command(SendPing("x"))
    lone.advance(6)
    lone.command(SendPing("x"))


def test_after_a_leave_there_are_none() -> None:
    world, (one, _) = cluster(2)
    one.leave(stop=False)
    world.run_for(10)
    with pytest.raises(LocalError, match="after leaving"):
        one.ping("n2")


def test_the_outcome_is_the_time_until_the_ack() -> None:
    lone = Lone()
    lone.meet("x")
    lone.sent()
    ticket = lone.command(SendPing("x", timeout=2))
    [ping] = [message for to, message in lone.sent() if to == home("x") and isinstance(message, Ping)]
    lone.advance(0.125)
    lone.hear(Ack(ping.seq_no), source=ELSEWHERE)
    assert lone.result(ticket) == pytest.approx(0.125)
    lone.hear(Ack(ping.seq_no), source=home("x"))
    assert lone.is_done(ticket)


def test_as_many_relays_are_asked_as_in_a_probe_round() -> None:
    lone = Lone(indirect_checks=2)
    lone.meet("x", "y", "z", "w")
    lone.sent()
    ticket = lone.command(SendPing("x", via="relay"))
    sent = lone.sent()
    requests = [message for _, message in sent if isinstance(message, IndirectPing)]
    assert len(requests) == 2
    assert not [message for to, message in sent if to == home("x") and isinstance(message, Ping)]
    lone.advance(0.5)
    lone.hear(Ack(requests[0].seq_no), source=home("y"))
    lone.hear(Ack(requests[0].seq_no), source=home("z"))
    assert lone.result(ticket) == pytest.approx(0.5)


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^via: must be one of packet, stream, relay, not 'tcp'"):
        SendPing("x", via="tcp")
    with pytest.raises(SwimError, match=r"^timeout\b"):
        SendPing("x", timeout=float("inf"))
