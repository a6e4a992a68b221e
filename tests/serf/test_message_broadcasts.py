"""Messages to all members: once each, in Serf pools and in plain ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.world.host import SimNode
from sims.world.network import Link
from swim import BroadcastMessage, ConfigError, DeliveryError, LocalError
from swim.core.user_messages import BYTES_PER_SECOND, WAITING_MAX
from swim.events import UserMessage
from swim.serf.messages import Query
from swim.serf.queries import BROADCAST_NAME, NO_BROADCAST
from swim.serf.query_filters import TO_NO_NODE
from swim.wire.codec import encode_user_stream
from swim.wire.messages import User
from swim.wire.user_messages import (
    encode_broadcast,
)
from tests.clusters import cluster
from tests.one_node import SERF_VSN, VSN, Lone, home

POOLS = pytest.mark.parametrize("pool", [5, 0], ids=["serf", "plain"])


def messages(node: SimNode) -> list[tuple[str, bytes, bool]]:
    return [(e.source, e.payload, e.is_broadcast) for e in node.events if isinstance(e, UserMessage)]


@POOLS
def test_a_broadcast_reaches_all_once(pool: int):
    world, nodes = cluster(8, delegate_version=pool)
    for payload in (b"one", b"two", b"one"):
        nodes[2].broadcast(payload)
    world.run_for(10.0)
    for node in nodes:
        assert sorted(messages(node)) == [("n3", b"one", True), ("n3", b"one", True), ("n3", b"two", True)]


@POOLS
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), loss=st.floats(0.0, 0.4), copies=st.floats(0.0, 0.5))
def test_at_most_once_whatever_the_network_does(pool: int, seed: int, loss: float, copies: float):
    world, nodes = cluster(5, seed, delegate_version=pool)
    world.network.set_default(Link(loss=loss, duplicate=copies))
    for number in range(4):
        nodes[number].broadcast(bytes([number]))
    others = [member for member in nodes[0].members() if member.name != "n1"]
    tickets = [nodes[0].send(member, member.name.encode()) for member in others]
    world.run_for(30.0)
    for node in nodes:
        seen = messages(node)
        assert len(set(seen)) == len(seen)
    for member, ticket in zip(others, tickets, strict=True):
        if _succeeded(ticket):
            assert ("n1", member.name.encode(), False) in messages(world.host(member.name))


def _succeeded(ticket: object) -> bool:
    try:
        return ticket.result is None  # type: ignore[attr-defined]
    except DeliveryError:
        return False


@POOLS
def test_a_lone_node_hears_itself(pool: int):
    lone = Lone(delegate_version=pool)
    lone.command(BroadcastMessage(b"x"))
    assert [e for e in lone.events if isinstance(e, UserMessage)] == [UserMessage("me", b"x", True, 2)]


@POOLS
def test_a_broadcast_has_a_limit_that_its_error_names(pool: int):
    lone = Lone(delegate_version=pool)
    with pytest.raises(ConfigError, match=r"^payload: is 513 bytes, more than broadcast_size_limit \(512\)"):
        lone.command(BroadcastMessage(bytes(513)))
    lone = Lone(delegate_version=pool, udp_buffer_size=512)
    with pytest.raises(ConfigError, match="fits no packet"):
        lone.command(BroadcastMessage(bytes(500)))


@POOLS
def test_more_broadcasts_than_gossip_spreads_are_refused(pool: int):
    lone = Lone(delegate_version=pool)
    lone.meet("x", vsn=SERF_VSN if pool else VSN)
    for number in range(WAITING_MAX):
        lone.command(BroadcastMessage(bytes([number])))
    with pytest.raises(LocalError, match="wait to be sent"):
        lone.command(BroadcastMessage(b"one more"))
    lone.advance(60.0)
    lone.command(BroadcastMessage(b"again"))


def query(payload: bytes, id: int = 7, flags: int = 0) -> Query:
    return Query(5, id, bytes(4), 1, "x", (TO_NO_NODE,), flags, 0, 0, BROADCAST_NAME, payload)


def test_in_a_serf_pool_it_is_a_query_to_no_node():
    lone = Lone()
    lone.meet("x")
    lone.events.clear()
    lone.say(query(b"1"), query(b"1"), query(b"2", id=8, flags=NO_BROADCAST))
    assert [(e.source, e.payload, e.is_broadcast) for e in lone.events] == [
        ("x", b"1", True),
        ("x", b"2", True),
    ]
    assert len(lone.node.inspect().queries) == 1  # passed on, unless the sender forbids it


def test_a_flood_of_broadcasts_is_counted_and_not_passed_on():
    lone = Lone(max_packet_bytes=100_000)
    lone.meet("x")
    lone.events.clear()
    most = -(-BYTES_PER_SECOND // 60_000)
    for number in range(most + 16):
        lone.say(query(bytes(60_000), id=number))
    assert len(lone.events) == most
    assert lone.node.metrics.counters["swim.dropped.message-budget"] == 16


def test_in_a_plain_pool_it_is_a_user_message_with_a_header():
    lone = Lone(delegate_version=0)
    lone.meet("x", "y", vsn=VSN)
    lone.events.clear()
    for id in (b"a" * 12, b"a" * 12, b"b" * 12):
        lone.receive(encode_broadcast(id, "x", b"same"), home("y"))
    assert [(e.source, e.payload, e.is_broadcast) for e in lone.events] == 2 * [("x", b"same", True)]
    lone.hear(User(b"from Go"), source=home("y"))
    assert lone.events[-1] == UserMessage("y", b"from Go", False, lone.events[-1].sequence)
    lone.dialled(encode_user_stream(b"by stream"))
    assert lone.events[-1].payload == b"by stream"


def test_a_header_belongs_to_its_own_body_only():
    lone = Lone(delegate_version=0)
    lone.meet("x", vsn=VSN)
    lone.events.clear()
    header, _ = lone.packets.open(encode_broadcast(b"a" * 12, "x", b"body"))
    lone.receive(header, home("x"))
    lone.hear(User(b"other"), source=home("x"))
    lone.hear(User(b"body"), source=home("x"))
    assert [(e.payload, e.is_broadcast) for e in lone.events] == [(b"other", False), (b"body", False)]
