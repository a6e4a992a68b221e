"""Joining: storms, names that are resolved again, refusals, and a node without peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swim.addresses import Endpoint
from swim.commands import ForceLeave, Join, SetTags
from swim.config import Config
from swim.errors import LocalError
from swim.events import MemberJoined
from tests.clusters import ELSEWHERE, add, agree, cluster, events_of, lose, world_of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "make", "seed"),
    [*((50, Config.lan, seed) for seed in range(4)), *((100, Config.local, seed) for seed in range(2))],
)
def test_a_join_storm_leaves_no_tail(count: int, make: Callable[..., Config], seed: int) -> None:
    world = world_of(seed=seed)
    peers = [add(world, f"n{number}", make=make) for number in range(count)]
    for peer in peers[1:]:
        peer.join([peers[0]])
    world.run_for(3)
    assert agree(peers)
    assert len(events_of(peers, MemberJoined)) == count * count


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_join_storm_over_a_lossy_network(seed: int) -> None:
    """Whatever gossip lost, one push/pull of each node repairs."""
    world = world_of(seed=seed)
    lose(world, 0.2)
    peers = [add(world, f"n{number}") for number in range(25)]
    for peer in peers[1:]:
        peer.join([peers[0]])
    world.run_for(2 * peers[0].config.push_pull_interval + 1)
    assert agree(peers)


def test_two_nodes() -> None:
    world = world_of()
    a, b = add(world, "a"), add(world, "b")
    assert (a.node.is_alone, b.node.is_alone) == (True, True)
    ticket = a.join([b])
    world.run_for(0.1)
    assert ticket.result.joined == 1
    assert agree([a, b])
    world.run_for(60)
    assert agree([a, b])
    assert not a.node.is_alone


def test_every_address_has_its_outcome() -> None:
    world = world_of()
    a, b, gone = (add(world, name) for name in ("a", "b", "gone"))
    world.crash(gone)
    world.network.set_names("seed.example", [b.endpoint, gone.endpoint])
    addresses = ["10.0.0.2:7946", "seed.example", "nowhere.example", "10.0.0.2:99999", "10.0.0.3:7946"]
    ticket = a.do(Join(addresses))
    world.run_for(5)
    result = ticket.result
    assert [(outcome.address, outcome.ok) for outcome in result.outcomes] == [
        ("10.0.0.2:7946", True),
        ("seed.example", True),
        ("nowhere.example", False),
        ("10.0.0.2:99999", False),
        ("10.0.0.3:7946", False),
        ("seed.example", False),
    ]
    errors = [outcome.error for outcome in result.outcomes]
    assert errors[2] == "failed to resolve nowhere.example: no such host"
    assert "99999" in errors[3]
    assert errors[4] == "failed to join 10.0.0.3:7946: connection refused"


def test_joining_nobody_is_over_at_once() -> None:
    world = world_of()
    a = add(world, "a")
    ticket = a.do(Join([]))
    assert ticket.result.outcomes == ()


class Names(dict[str, tuple[Endpoint, ...]]):
    """A name service that counts what it is asked."""

    asked = 0

    def get(self, *args: Any) -> Any:
        self.asked += 1
        return super().get(*args)


def test_seeds_are_resolved_anew_at_every_attempt() -> None:
    world = world_of()
    b = add(world, "b")
    world.network.names = names = Names({"seed.example": (ELSEWHERE,)})
    a = add(world, "a", seeds=["seed.example:7000"], rejoin_interval_alone=1.0)
    world.run_for(5)
    assert a.node.is_alone
    assert names.asked >= 3
    names["seed.example"] = (b.endpoint,)
    assert world.run_until(lambda _: agree([a, b]), 3)
    before = names.asked
    world.run_for(120)
    assert names.asked == before, "nobody is missing"


def test_versions_that_cannot_live_together_are_told_to_the_joiner() -> None:
    world = world_of()
    serf, plain = add(world, "serf"), add(world, "plain", delegate_version=0)
    ticket = plain.join([serf])
    world.run_for(1)
    [outcome] = ticket.result.outcomes
    assert "remote error" in outcome.error
    assert "speaks delegate protocol 0, outside the common" in outcome.error
    assert (set(serf.statuses()), set(plain.statuses())) == ({"serf"}, {"plain"})


def test_a_plain_memberlist_pool() -> None:
    world, peers = cluster(4, delegate_version=0)
    world.crash(peers[3])
    assert world.run_until(lambda _: all(p.statuses()["n4"] == "failed" for p in peers[:3]), 40)
    with pytest.raises(LocalError, match="plain memberlist"):
        peers[0].do(ForceLeave("n4"))


def test_a_name_is_required_if_it_is_configured() -> None:
    world = world_of()
    a, b = add(world, "a", require_node_names=True), add(world, "b")
    ticket = a.do(Join(["10.0.0.2:7946", "b/10.0.0.2:7946"]))
    world.run_for(1)
    bare, named = ticket.result.outcomes
    assert (bare.ok, named.ok) == (False, True)
    assert "a node name is required" in bare.error
    assert agree([a, b])


@pytest.mark.parametrize(
    "settings", [{"label": "other"}, {"keys": (bytes(16),)}, {"label": "x", "keys": (bytes(32),)}]
)
def test_strangers_with_another_label_or_key_stay_strangers(settings: dict[str, object]) -> None:
    world, peers = cluster(3, label="pool", keys=(b"k" * 16,))
    stranger = add(world, "stranger", **settings)
    ticket = stranger.join(peers)
    world.run_for(30)
    assert ticket.result.joined == 0
    assert agree(peers)
    assert set(stranger.statuses()) == {"stranger"}


def test_a_pool_with_label_and_key() -> None:
    world, peers = cluster(5, label="pool", keys=(b"k" * 16,))
    peers[0].do(SetTags({"role": "web"}))
    world.run_for(2)
    assert {peer.member("n1").tags["role"] for peer in peers} == {"web"}


def test_networks_that_are_not_allowed_stay_out() -> None:
    world = world_of()
    a = add(world, "a", cidrs_allowed=("192.0.2.0/24",))
    nobody = add(world, "nobody", cidrs_allowed=())
    b = add(world, "b")
    tickets = [b.join([a]), b.join([nobody])]
    world.run_for(2)
    assert [ticket.result.joined for ticket in tickets] == [0, 0]
    assert (set(a.statuses()), set(nobody.statuses()), set(b.statuses())) == ({"a"}, {"nobody"}, {"b"})
