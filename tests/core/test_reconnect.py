"""Partitions, forgetting, and finding each other again."""

from __future__ import annotations

import pytest

from sims.world import World
from sims.world.host import SimNode
from swim.addresses import join_host_port
from swim.commands import Leave
from swim.core.member import pack_address
from swim.events import MemberFailed, MemberJoined
from swim.wire.codec import encode
from swim.wire.messages import Alive
from tests.clusters import add, agree, all_see, cluster, events_of, split

SERF_VSN = bytes((1, 5, 2, 2, 5, 5))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("seconds", [10, 40, 300])
def test_two_halves_find_each_other_again(seed: int, seconds: float) -> None:
    """Also if both sides reaped each other long ago, without a join command."""
    world, peers = cluster(8, seed)
    split(world, peers[:3], peers[3:])
    world.run_for(seconds)
    if seconds > 200:
        assert all(all_see(peers[:3], f"n{number}", "failed") for number in range(4, 9))
        assert all(all_see(peers[3:], f"n{number}", "failed") for number in range(1, 4))
    world.network.heal()
    assert world.run_until(lambda _: agree(peers), 90)
    world.run_for(60)
    assert agree(peers)


def test_three_fragments_become_one() -> None:
    world, peers = cluster(9)
    split(world, peers[:3], peers[3:6], peers[6:])
    world.run_for(120)
    world.network.heal()
    assert world.run_until(lambda _: agree(peers), 120)


def test_a_node_cut_off_and_alone_comes_back() -> None:
    world, (lonely, *rest) = cluster(5)
    split(world, [lonely], rest)
    assert world.run_until(lambda _: all_see(rest, "n1", "failed"), 30)
    assert world.run_until(lambda _: lonely.node.is_alone, 60), (
        "no longer than suspicions nobody confirms, and its rounds"
    )
    world.network.heal()
    assert world.run_until(lambda _: agree([lonely, *rest]), 60)


def reaped() -> tuple[World, SimNode, list[SimNode], bytes]:
    """A cluster that lost n4 so long ago that the core forgot it, and an alive claim from its lifetime."""
    world, (*rest, victim) = cluster(4)
    host, port = victim.endpoint
    stale = encode(
        Alive(victim.node.local.incarnation, "n4", pack_address(host), port, b"\xff\x80", SERF_VSN)
    )
    world.crash(victim)
    assert world.run_until(lambda _: all_see(rest, "n4", "failed"), 60)
    world.run_for(rest[0].config.gossip_to_the_dead_time + 1)
    return world, victim, rest, stale


def test_a_stale_claim_does_not_bring_back_the_dead() -> None:
    world, _, rest, stale = reaped()
    for seconds in (0.0, 5.0, 30.0):
        world.run_for(seconds)
        world.inject(rest[0], stale, rest[1].endpoint)
        world.run_for(5)
        assert all_see(rest, "n4", "failed")
    assert not [event for event in events_of(rest, MemberJoined, "n4") if event.previous is not None]
    assert len(events_of(rest, MemberFailed, "n4")) == 3


def test_a_stale_claim_about_one_that_lives_after_all_is_true() -> None:
    world, victim, rest, stale = reaped()
    world.restart(victim, snapshot=False)
    world.inject(rest[0], stale, rest[1].endpoint)
    assert world.run_until(lambda _: all_see(rest[:1], "n4", "alive"), 5)
    assert world.run_until(lambda _: agree([*rest, victim]), 40)


@pytest.mark.parametrize("remembers", [False, True])
def test_a_restart_after_reaping_comes_back(remembers: bool) -> None:
    world, victim, rest, _ = reaped()
    world.restart(victim, snapshot=remembers)
    if not remembers:
        victim.join([rest[1]])
    assert world.run_until(lambda _: agree([*rest, victim]), 40)


def test_failed_and_left_members_are_forgotten_in_the_end() -> None:
    world, (*rest, leaver, victim) = cluster(5, reconnect_timeout=100.0, tombstone_timeout=50.0)
    leaver.do(Leave())
    world.run_for(10)
    world.crash(leaver)
    world.crash(victim)
    world.run_for(60)
    assert all_see(rest, "n4", "absent")
    assert all_see(rest, "n5", "failed")
    world.run_for(100)
    assert all_see(rest, "n5", "absent")


def test_a_member_that_was_away_longer_than_it_is_listed_still_comes_back() -> None:
    world, (one, other) = cluster(2, reconnect_timeout=60.0)
    split(world, [one], [other])
    world.run_for(300)
    assert (set(one.statuses()), set(other.statuses())) == ({"n1"}, {"n2"})
    world.network.heal()
    assert world.run_until(lambda _: agree([one, other]), 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_one_that_the_first_member_never_knew_is_looked_for_in_turn(seed: int) -> None:
    """Of three members the first by name came too late to know the two lost ones, of which one is back."""
    world, (*rest, lost, dead) = cluster(4, seed, rejoin_interval=10.0)
    world.crash(lost)
    world.crash(dead)
    assert world.run_until(lambda _: all_see(rest, dead.name, "failed"), 60)
    add(world, "a", seeds=[join_host_port(*rest[0].endpoint)], rejoin_interval=10.0)
    world.run_for(20)
    world.restart(lost, snapshot=False)  # it knows of no member, and waits to be found
    turns = 4 * 3
    assert world.run_until(lambda _: all_see(rest, lost.name, "alive"), 2 * turns * 10.0 * 1.5)
