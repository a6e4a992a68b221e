"""Addresses that cannot work: dropped in claims, refused when they are dialled."""

from __future__ import annotations

import pytest

from swim.core.member import pack_address
from swim.core.output import Dial, Send
from swim.events import JoinResult
from swim.wire.codec import encode
from swim.wire.messages import Alive, MessageType, NodeRecord, PushPull
from tests.one_node import PORT, VSN, Solo

# Own address, and one that no member can have in its eyes.
UNUSABLE = [
    ("10.0.0.1", "0.0.0.0"),
    ("10.0.0.1", "0.0.0.7"),
    ("10.0.0.1", "224.0.0.1"),
    ("10.0.0.1", "255.255.255.255"),
    ("10.0.0.1", "fd00::2"),
    ("10.0.0.1", "169.254.169.254"),
    ("10.0.0.1", "127.0.0.1"),
    ("10.0.0.1", "::ffff:127.0.0.1"),
    ("fd00::1", "::"),
    ("fd00::1", "ff02::1"),
    ("fd00::1", "fe80::2"),
    ("fd00::1", "10.0.0.2"),
    ("fd00::1", "::1"),
    ("127.0.0.1", "0.0.0.0"),
    ("127.0.0.1", "198.51.100.7"),
    ("127.0.0.1", "169.254.169.254"),
    ("::1", "2001:db8::2"),
]


def alive(name: str, host: str, incarnation: int = 1) -> Alive:
    return Alive(incarnation, name, pack_address(host), PORT, b"", VSN)


def record(name: str, host: str, state: int = 0) -> NodeRecord:
    return NodeRecord(name, pack_address(host), PORT, b"", 1, state, VSN)


def dropped(solo: Solo) -> int:
    return solo.metrics.counters["swim.dropped.address"]


def peer_of(own: str) -> str:
    return {"10.0.0.1": "10.0.0.2", "fd00::1": "fd00::2", "127.0.0.1": "127.0.0.2", "::1": "::1"}[own]


@pytest.mark.parametrize(("own", "host"), UNUSABLE)
def test_a_claim_with_an_address_that_cannot_work_is_dropped_and_counted(own: str, host: str) -> None:
    solo = Solo(host=own)
    solo.hear(alive("ghost", host), source=(peer_of(own), PORT))
    assert solo.state("ghost") == "absent"
    assert dropped(solo) == 1
    assert not solo.transmits  # and no ping or stream goes out for it
    solo.pushed([record("peer", peer_of(own))], host=peer_of(own))
    solo.pushed([record("peer", peer_of(own)), record("ghost", host)], host=peer_of(own))
    assert (solo.state("peer"), solo.state("ghost")) == ("alive", "absent")
    assert dropped(solo) == 2
    solo.advance(30.0)
    assert host not in {target for (target, _), _ in solo.sent()}
    assert host not in {action.endpoint[0] for action in solo.streams if isinstance(action, Dial)}


@pytest.mark.parametrize(("own", "host"), UNUSABLE)
def test_a_member_does_not_move_to_an_address_that_cannot_work(own: str, host: str) -> None:
    solo = Solo(host=own, dead_node_reclaim_time=1.0)
    solo.hear(alive("peer", peer_of(own)), source=(peer_of(own), PORT))
    solo.hear(alive("peer", host, 9), alive("node-a", host, 9), source=(peer_of(own), PORT))
    assert solo.record("peer").endpoint[0] == peer_of(own)
    assert solo.upstairs.events == ["join:peer"]
    assert dropped(solo) == 2


@pytest.mark.parametrize(
    ("own", "address", "why"),
    [
        ("127.0.0.1", "198.51.100.7", "an address beyond loopback, and this node is at 127.0.0.1"),
        ("127.0.0.1", "[::1]", "an IPv6 address"),
        ("10.0.0.1", "0.0.0.0", "an unspecified address"),
        ("10.0.0.1", "239.1.1.1", "a multicast address"),
        ("10.0.0.1", "255.255.255.255", "the broadcast address"),
        ("10.0.0.1", "10.0.0.1", "that is this node's own address"),
        ("fd00::1", "[fd00::1]:7946", "that is this node's own address"),
    ],
)
def test_a_join_says_why_an_address_cannot_work(own: str, address: str, why: str) -> None:
    solo = Solo(host=own)
    ticket = solo.engine.join(solo.now, [address])
    solo.collect()
    assert not solo.streams
    [finished] = solo.finished
    assert isinstance(finished.result, JoinResult)
    [outcome] = finished.result.outcomes
    assert finished.ticket == ticket
    assert why in outcome.error
    assert not outcome.ok


def test_a_node_on_a_network_may_dial_loopback() -> None:
    solo = Solo(host="10.0.0.1")
    solo.engine.join(solo.now, ["127.0.0.1:7947"])
    solo.collect()
    assert [action.endpoint for action in solo.streams if isinstance(action, Dial)] == [("127.0.0.1", 7947)]


def test_a_name_that_lists_this_node_too_is_joined_at_the_others() -> None:
    solo = Solo(host="10.0.0.1")
    solo.engine.join(solo.now, ["seed.example"])
    solo.engine.resolved(solo.now, "seed.example", [("10.0.0.1", PORT), ("10.0.0.2", PORT)], "")
    solo.collect()
    assert [action.endpoint for action in solo.streams if isinstance(action, Dial)] == [("10.0.0.2", PORT)]


def test_seeds_out_of_reach_are_not_dialled() -> None:
    solo = Solo(host="127.0.0.1", seeds=["198.51.100.7:7946"])
    solo.advance(60.0)
    assert not solo.streams
    assert dropped(solo) > 5


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([record("peer", "10.0.0.2")], "peer advertises 10.0.0.2, an address beyond loopback"),
        ([record("node-a", "127.0.0.1"), record("peer", "10.0.0.2")], "peer advertises 10.0.0.2"),
    ],
)
def test_who_lists_nobody_in_reach_is_not_joined(records: list[NodeRecord], why: str) -> None:
    solo = Solo(host="127.0.0.1")
    solo.engine.join(solo.now, ["127.0.0.1:7947"])
    solo.collect()
    [dial] = solo.streams
    solo.engine.receive_stream(solo.now, dial.stream_id, encode(PushPull(False, tuple(records))))
    solo.collect()
    [finished] = solo.finished
    [outcome] = finished.result.outcomes
    assert why in outcome.error


def test_who_cannot_be_reached_hears_why_when_it_joins() -> None:
    solo = Solo(host="10.0.0.1")
    solo.pushed([record("joiner", "127.0.0.1")], join=True, host="10.0.0.9")
    [send] = solo.streams
    assert isinstance(send, Send)
    assert send.data[0] == MessageType.ERROR
    assert b"joiner advertises 127.0.0.1, a loopback address" in send.data
    assert solo.state("joiner") == "absent"


def test_a_node_that_dials_itself_hears_so() -> None:
    solo = Solo()
    solo.pushed([record("node-a", "127.0.0.1")], join=True, host="127.0.0.1")
    [send] = solo.streams
    assert isinstance(send, Send)
    assert b"that is the own address of node-a" in send.data


def test_a_peer_that_is_leaving_is_no_reason_to_refuse() -> None:
    solo = Solo(host="10.0.0.1")
    solo.pushed([record("node-a", "10.0.0.1"), record("peer", "10.0.0.2", state=3)], host="10.0.0.2")
    assert solo.metrics.drops == 0
