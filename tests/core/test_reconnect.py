"""Partitions, forgetting, and finding each other again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swim.commands import Leave
from swim.core.member import pack_address
from swim.events import MemberFailed, MemberJoined
from swim.wire.codec import encode
from swim.wire.messages import Alive
from tests.core.views import agree, all_see, events_of
from tests.world import Peer, World

NewWorld = Callable[..., World]
SERF_VSN = bytes((1, 5, 2, 2, 5, 5))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("seconds", [10, 40, 300])
def test_two_halves_find_each_other_again(new_world: NewWorld, seed: int, seconds: float) -> None:
    """Also if both sides reaped each other long ago, without a join command."""
    world = new_world(seed)
    peers = world.cluster(8)
    world.partition(peers[:3], peers[3:])
    world.run(seconds)
    if seconds > 200:
        assert all(all_see(peers[:3], f"n{number}", "failed") for number in range(4, 9))
        assert all(all_see(peers[3:], f"n{number}", "failed") for number in range(1, 4))
    world.heal()
    assert world.run(90, lambda: agree(peers))
    world.run(60)
    assert agree(peers)


def test_three_fragments_become_one(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(9)
    world.partition(peers[:3], peers[3:6], peers[6:])
    world.run(120)
    world.heal()
    assert world.run(120, lambda: agree(peers))


def test_a_node_cut_off_and_alone_comes_back(new_world: NewWorld) -> None:
    world = new_world()
    lonely, *rest = world.cluster(5)
    world.partition([lonely], rest)
    assert world.run(30, lambda: all_see(rest, "n1", "failed"))
    assert world.run(60, lambda: lonely.node.is_alone), (
        "no longer than suspicions nobody confirms, and its rounds"
    )
    world.heal()
    assert world.run(60, lambda: agree([lonely, *rest]))


def reaped(world: World) -> tuple[Peer, list[Peer], bytes]:
    """A cluster that lost n4 so long ago that the core forgot it, and an alive claim from its lifetime."""
    *rest, victim = world.cluster(4)
    host, port = victim.endpoint
    stale = encode(
        Alive(victim.node.local.incarnation, "n4", pack_address(host), port, b"\xff\x80", SERF_VSN)
    )
    world.kill(victim)
    assert world.run(60, lambda: all_see(rest, "n4", "failed"))
    world.run(rest[0].node.config.gossip_to_the_dead_time + 1)
    return victim, rest, stale


def test_a_stale_claim_does_not_bring_back_the_dead(new_world: NewWorld) -> None:
    world = new_world()
    _, rest, stale = reaped(world)
    for seconds in (0.0, 5.0, 30.0):
        world.run(seconds)
        world.inject(rest[0], stale, rest[1].endpoint)
        world.run(5)
        assert all_see(rest, "n4", "failed")
    assert not [event for event in events_of(rest, MemberJoined, "n4") if event.previous is not None]
    assert len(events_of(rest, MemberFailed, "n4")) == 3


def test_a_stale_claim_about_one_that_lives_after_all_is_true(new_world: NewWorld) -> None:
    world = new_world()
    victim, rest, stale = reaped(world)
    again = world.add("n4", port=victim.endpoint[1])
    world.inject(rest[0], stale, rest[1].endpoint)
    assert world.run(5, lambda: all_see(rest[:1], "n4", "alive"))
    assert world.run(40, lambda: agree([*rest, again]))


@pytest.mark.parametrize("remembers", [False, True])
def test_a_restart_after_reaping_comes_back(new_world: NewWorld, remembers: bool) -> None:
    world = new_world()
    victim, rest, _ = reaped(world)
    snapshot = victim.node.snapshot() if remembers else ""
    again = world.add("n4", port=victim.endpoint[1], snapshot=snapshot)
    if not remembers:
        world.join(again, rest[1])
    assert world.run(40, lambda: agree([*rest, again]))


def test_failed_and_left_members_are_forgotten_in_the_end(new_world: NewWorld) -> None:
    world = new_world()
    *rest, leaver, victim = world.cluster(5, reconnect_timeout=100.0, tombstone_timeout=50.0)
    world.command(leaver, Leave())
    world.run(10)
    world.kill(leaver)
    world.kill(victim)
    world.run(60)
    assert all_see(rest, "n4", "absent")
    assert all_see(rest, "n5", "failed")
    world.run(100)
    assert all_see(rest, "n5", "absent")


def test_a_member_that_was_away_longer_than_it_is_listed_still_comes_back(new_world: NewWorld) -> None:
    world = new_world()
    one, other = world.cluster(2, reconnect_timeout=60.0)
    world.partition([one], [other])
    world.run(300)
    assert (set(one.statuses()), set(other.statuses())) == ({"n1"}, {"n2"})
    world.heal()
    assert world.run(60, lambda: agree([one, other]))
