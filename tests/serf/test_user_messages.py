"""Messages to one life of a member, in Serf pools and in plain ones."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sims.world import World
from sims.world.host import SimNode
from swim import ConfigError, DeliveryError, LocalError, SendMessage
from swim.commands import MESSAGE_BYTES_MAX
from swim.events import UserMessage
from tests.clusters import cluster, split
from tests.one_node import Lone

POOLS = pytest.mark.parametrize("pool", [5, 0], ids=["serf", "plain"])
LIFE = b"a life 8"


def messages(node: SimNode) -> list[tuple[str, bytes, bool]]:
    return [(e.source, e.payload, e.is_broadcast) for e in node.events if isinstance(e, UserMessage)]


def three(pool: int, **settings: object) -> tuple[World, list[SimNode]]:
    return cluster(3, delegate_version=pool, **settings)


def error_of(node: SimNode, world: World, to: str, payload: bytes = b"x", *, member: object = None) -> str:
    """Sends, and returns the reason of the failure; "" if it was delivered."""
    try:
        ticket = node.send(member or node.member(to), payload)  # type: ignore[arg-type]
        world.run_for(15.0)
        assert ticket.result is None
    except DeliveryError as error:
        return error.reason if str(error).startswith(f"message to {error.member}: ") else "?"
    return ""


# -- to one member


@POOLS
@pytest.mark.parametrize("size", [0, 1, MESSAGE_BYTES_MAX])
def test_a_message_reaches_one_application_once(pool: int, size: int):
    world, (one, two, three_) = three(pool)
    payload = random.Random(1).randbytes(size)
    ticket = one.send(one.member("n2"), payload)  # type: ignore[arg-type]
    world.run_for(1.0)
    assert ticket.result is None
    assert [messages(node) for node in (one, two, three_)] == [[], [("n1", payload, False)], []]


@POOLS
def test_a_member_may_write_to_itself(pool: int):
    world, (one, *_) = three(pool)
    assert error_of(one, world, "n1") == ""
    assert messages(one) == [("n1", b"x", False)]


@POOLS
def test_messages_need_no_acquaintance(pool: int):
    """A member that gossip has just listed was never pinged from here; the message waits for that ack."""
    world, nodes = cluster(2, delegate_version=pool, probe_interval=0.0)
    newcomer = world.add("new", config=lambda name, **k: nodes[0].config.with_changes(name=name, **k))
    newcomer.join([nodes[0]])
    while not nodes[1].member("new"):
        world.run_for(0.01)
    assert error_of(nodes[1], world, "new") == ""


@POOLS
@pytest.mark.parametrize("is_introduced", [False, True], ids=["at once", "after its join"])
def test_a_life_that_is_over_gets_nothing(pool: int, is_introduced: bool):
    world, (one, two, _) = three(pool)
    assert error_of(one, world, "n2") == ""
    before = one.member("n2")
    world.crash(two)
    world.restart(two, snapshot=False)
    if is_introduced:
        two.join([world.host("n3")])
        world.run_for(2.0)
        assert one.member("n2").incarnation > before.incarnation  # type: ignore[union-attr]
    assert error_of(one, world, "n2", member=before) == "restarted"
    assert messages(two) == []
    if is_introduced:
        assert error_of(one, world, "n2") == ""


@POOLS
def test_new_tags_are_not_a_new_life(pool: int):
    world, (one, two, _) = three(pool)
    before = one.member("n2")
    two.set_tags({"a": "b"})
    world.run_for(2.0)
    assert error_of(one, world, "n2", member=before) == ""


@POOLS
def test_a_refutation_is_not_a_new_life(pool: int):
    world, (one, two, three_) = three(pool)
    before = one.member("n2")
    split(world, [one, three_], [two])
    world.run_for(3.0)
    world.network.heal()
    world.run_for(30.0)
    assert one.member("n2").incarnation > before.incarnation  # type: ignore[union-attr]
    assert error_of(one, world, "n2", member=before) == ""


@POOLS
def test_members_that_left_or_failed_or_are_unknown(pool: int):
    world, (one, two, three_) = three(pool)
    left, failed = one.member("n2"), one.member("n3")
    two.leave()
    world.crash(three_)
    assert error_of(one, world, "n3") == "unreachable"  # nothing is known of its death yet
    world.run_for(30.0)
    assert error_of(one, world, "n2", member=left) == "left"
    assert error_of(one, world, "n3", member=failed) == "failed"
    assert error_of(one, world, "n9", member=replace(one.local, name="n9")) == "unknown"


@POOLS
def test_a_node_that_left_sends_nothing(pool: int):
    world, (one, *_) = three(pool)
    member = one.member("n2")
    one.leave(stop=False)
    world.run_for(15.0)
    with pytest.raises(LocalError, match="not possible after leaving"):
        one.send(member, b"x")  # type: ignore[arg-type]
    with pytest.raises(LocalError, match="not possible after leaving"):
        one.broadcast(b"x")


@POOLS
def test_a_life_ends_with_a_leave(pool: int):
    world, (one, two, _) = three(pool)
    before = one.member("n2")
    two.leave(stop=False)
    world.run_for(15.0)
    two.rejoin()
    world.run_for(5.0)
    assert error_of(one, world, "n2", member=before) == "restarted"
    assert error_of(one, world, "n2") == ""


def test_a_payload_too_large_names_both_sizes():
    member = Lone().node.local
    with pytest.raises(ConfigError, match=r"^payload: is 65537 bytes, more than 65536"):
        SendMessage(member, bytes(MESSAGE_BYTES_MAX + 1))
