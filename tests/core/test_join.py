"""Joining: storms, names that are resolved again, refusals, and a node without peers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swim.commands import ForceLeave, Join, SetTags
from swim.config import Config
from swim.errors import LocalError
from swim.events import MemberJoined
from tests.core.views import agree, events_of
from tests.world import World

NewWorld = Callable[..., World]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "make", "seed"),
    [*((50, Config.lan, seed) for seed in range(4)), *((100, Config.local, seed) for seed in range(2))],
)
def test_a_join_storm_leaves_no_tail(
    new_world: NewWorld, count: int, make: Callable[..., Config], seed: int
) -> None:
    world = new_world(seed)
    peers = [world.add(f"n{number}", make=make) for number in range(count)]
    for peer in peers[1:]:
        world.join(peer, peers[0])
    world.run(3)
    assert agree(peers)
    assert len(events_of(peers, MemberJoined)) == count * count


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_join_storm_over_a_lossy_network(new_world: NewWorld, seed: int) -> None:
    """Whatever gossip lost, one push/pull of each node repairs."""
    world = new_world(seed)
    world.loss = 0.2
    peers = [world.add(f"n{number}") for number in range(25)]
    for peer in peers[1:]:
        world.join(peer, peers[0])
    world.run(2 * peers[0].node.config.push_pull_interval + 1)
    assert agree(peers)


def test_two_nodes(new_world: NewWorld) -> None:
    world = new_world()
    a, b = world.add("a"), world.add("b")
    assert (a.node.is_alone, b.node.is_alone) == (True, True)
    ticket = world.join(a, b)
    world.run(0.1)
    assert world.joined(a, ticket).joined == 1
    assert agree([a, b])
    world.run(60)
    assert agree([a, b])
    assert not a.node.is_alone


def test_every_address_has_its_outcome(new_world: NewWorld) -> None:
    world = new_world()
    a, b = world.add("a"), world.add("b")
    world.names["seed.example"] = [b.endpoint, ("127.0.0.1", 9)]
    addresses = ["127.0.0.1:7001", "seed.example", "nowhere.example", "127.0.0.1:99999", "127.0.0.1:9"]
    ticket = world.command(a, Join(addresses))
    world.run(5)
    result = world.joined(a, ticket)
    assert [(outcome.address, outcome.ok) for outcome in result.outcomes] == [
        ("127.0.0.1:7001", True),
        ("seed.example", True),
        ("nowhere.example", False),
        ("127.0.0.1:99999", False),
        ("127.0.0.1:9", False),
        ("seed.example", False),
    ]
    errors = [outcome.error for outcome in result.outcomes]
    assert errors[2] == "failed to resolve nowhere.example: no such host"
    assert "99999" in errors[3]
    assert errors[4] == "failed to join 127.0.0.1:9: connection refused"


def test_joining_nobody_is_over_at_once(new_world: NewWorld) -> None:
    world = new_world()
    a = world.add("a")
    ticket = world.command(a, Join([]))
    assert world.joined(a, ticket).outcomes == ()


def test_seeds_are_resolved_anew_at_every_attempt(new_world: NewWorld) -> None:
    world = new_world()
    b = world.add("b")
    world.names["seed.example"] = [("127.0.0.1", 9)]
    a = world.add("a", seeds=("seed.example:7000",), rejoin_interval_alone=1.0)
    world.run(5)
    assert a.node.is_alone
    assert world.lookups.count("seed.example:7000") >= 3
    world.names["seed.example"] = [b.endpoint]
    assert world.run(3, lambda: agree([a, b]))
    before = len(world.lookups)
    world.run(120)
    assert len(world.lookups) == before, "nobody is missing"


def test_versions_that_cannot_live_together_are_told_to_the_joiner(new_world: NewWorld) -> None:
    world = new_world()
    serf, plain = world.add("serf"), world.add("plain", delegate_version=0)
    ticket = world.join(plain, serf)
    world.run(1)
    [outcome] = world.joined(plain, ticket).outcomes
    assert "remote error" in outcome.error
    assert "speaks delegate protocol 0, outside the common" in outcome.error
    assert (set(serf.statuses()), set(plain.statuses())) == ({"serf"}, {"plain"})


def test_a_plain_memberlist_pool(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(4, delegate_version=0)
    world.kill(peers[3])
    assert world.run(40, lambda: all(p.statuses()["n4"] == "failed" for p in peers[:3]))
    with pytest.raises(LocalError, match="plain memberlist"):
        peers[0].node.do(world.now, ForceLeave("n4"))


def test_a_name_is_required_if_it_is_configured(new_world: NewWorld) -> None:
    world = new_world()
    a, b = world.add("a", require_node_names=True), world.add("b")
    ticket = world.command(a, Join(["127.0.0.1:7001", "b/127.0.0.1:7001"]))
    world.run(1)
    bare, named = world.joined(a, ticket).outcomes
    assert (bare.ok, named.ok) == (False, True)
    assert "a node name is required" in bare.error
    assert agree([a, b])


@pytest.mark.parametrize(
    "settings", [{"label": "other"}, {"keys": (bytes(16),)}, {"label": "x", "keys": (bytes(32),)}]
)
def test_strangers_with_another_label_or_key_stay_strangers(
    new_world: NewWorld, settings: dict[str, object]
) -> None:
    world = new_world()
    peers = world.cluster(3, label="pool", keys=(b"k" * 16,))
    stranger = world.add("stranger", **settings)
    ticket = world.join(stranger, *peers)
    world.run(30)
    assert world.joined(stranger, ticket).joined == 0
    assert agree(peers)
    assert set(stranger.statuses()) == {"stranger"}


def test_a_pool_with_label_and_key(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(5, label="pool", keys=(b"k" * 16,))
    world.command(peers[0], SetTags({"role": "web"}))
    world.run(2)
    assert {peer.node.member("n1").tags["role"] for peer in peers} == {"web"}


def test_networks_that_are_not_allowed_stay_out(new_world: NewWorld) -> None:
    world = new_world()
    a = world.add("a", cidrs_allowed=("10.0.0.0/8",))
    nobody = world.add("nobody", cidrs_allowed=())
    b = world.add("b")
    tickets = [world.join(b, a), world.join(b, nobody)]
    world.run(2)
    assert [world.joined(b, ticket).joined for ticket in tickets] == [0, 0]
    assert (set(a.statuses()), set(nobody.statuses()), set(b.statuses())) == ({"a"}, {"nobody"}, {"b"})
