"""Failure detection: failed members are detected in time, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swim.addresses import join_host_port
from swim.config import Config
from swim.core.suspicion import suspicion_timeout
from swim.events import MemberFailed, MemberJoined, MemberRefuted, MemberSuspected
from tests.core.views import accusations_by, agree, all_see, events_of
from tests.world import Peer, World

NewWorld = Callable[..., World]


def slow(*values: int) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


def detection_bound(config: Config, n: int) -> float:
    """Longest detection time among healthy nodes: its turn, one round, the whole suspicion, gossip."""
    turns = (2 * (n - 1) - 1) * config.probe_interval
    return turns + config.probe_interval + longest_suspicion(config, n) + 1.0


def longest_suspicion(config: Config, n: int) -> float:
    shortest = suspicion_timeout(config.suspicion_mult, n, config.probe_interval)
    return shortest * config.suspicion_max_timeout_mult


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("make", "count"), [(Config.lan, 8), (Config.local, 5)])
def test_a_killed_node_is_failed_by_all_in_time(
    new_world: NewWorld, seed: int, make: Callable[..., Config], count: int
) -> None:
    world = new_world(seed)
    *rest, victim = world.cluster(count, make=make)
    name = victim.node.config.name
    world.kill(victim)
    assert world.run(detection_bound(rest[0].node.config, count), lambda: all_see(rest, name, "failed"))
    assert {event.member.name for event in events_of(rest, MemberFailed)} == {name}
    [accused] = {event.member.name for event in events_of(rest, MemberSuspected)}
    assert accused == name
    history = rest[0].node.history(name)
    assert [line.after for line in history[-2:]] == ["suspect", "failed"]
    lasted = history[-1].at - history[-2].at
    assert lasted < longest_suspicion(rest[0].node.config, count), "further accusers shorten the suspicion"


@pytest.mark.parametrize("make", [Config.lan, Config.local])
@pytest.mark.parametrize(("count", "left"), [(5, 1), (11, 1), (11, 2), slow(30, 1), slow(30, 3)])
def test_survivors_do_not_doubt_themselves_where_hosts_refuse_their_streams(
    new_world: NewWorld, count: int, left: int, make: Callable[..., Config]
) -> None:
    """Most died at once, and no member acks, nacks or confirms; but their hosts refuse streams.

    The first death is found out as fast as that of one among many, the others as their turns come.
    """
    world = new_world()
    peers = world.cluster(count, make=make)
    survivors, dead = peers[:left], peers[left:]
    world.run(60)  # each has pinged each
    for peer in dead:
        world.kill(peer)
    config = survivors[0].node.config
    shortest = suspicion_timeout(config.suspicion_mult, count, config.probe_interval)
    assert world.run(shortest + 3 * config.probe_interval, lambda: failed_at(survivors[0]) > 0)
    assert world.run(2 * count * config.probe_interval, lambda: failed_at(survivors[0]) == len(dead))
    assert all(peer.node.stats().health_score == 0 for peer in survivors)


@pytest.mark.parametrize("way", ["refused", "nowhere"])
def test_a_lone_accuser_is_in_no_hurry_unless_it_is_heard(new_world: NewWorld, way: str) -> None:
    """Four of five are gone: what the last one says of the first counts sooner where hosts refuse streams."""
    world = new_world()
    survivor, *dead = world.cluster(5)
    world.run(10)
    for peer in dead:
        if way == "refused":
            world.kill(peer)
        else:
            world.partition([survivor], dead)
    world.run(10)
    assert (failed_at(survivor) > 0) is (way == "refused")


def test_one_that_nothing_answers_doubts_itself_still(new_world: NewWorld) -> None:
    world = new_world()
    survivor, *others = world.cluster(5)
    world.run(10)
    world.partition([survivor], others)
    world.run(20)
    assert survivor.node.stats().health_score > 0
    assert len(events_of([survivor], MemberSuspected)) < 4


def failed_at(peer: Peer) -> int:
    """How many members the peer lists as failed."""
    return list(peer.statuses().values()).count("failed")


def test_the_last_of_two_is_found_out_too(new_world: NewWorld) -> None:
    world = new_world()
    a, b = world.cluster(2)
    world.kill(b)
    assert world.run(detection_bound(a.node.config, 2), lambda: all_see([a], "n2", "failed"))
    assert a.node.is_alone


def test_a_host_that_answers_nothing_at_all(new_world: NewWorld) -> None:
    """No refused streams here: packets and streams both go nowhere."""
    world = new_world()
    *rest, victim = world.cluster(5)
    world.partition(rest, [victim])
    assert world.run(detection_bound(rest[0].node.config, 5), lambda: all_see(rest, "n5", "failed"))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"disable_tcp_pings": True}])
def test_nobody_fails_for_lost_packets(new_world: NewWorld, settings: dict[str, bool]) -> None:
    world = new_world(3)
    peers = world.cluster(8, **settings)
    world.loss = 0.1
    world.run(300)
    assert not events_of(peers, MemberFailed)
    world.loss = 0.0
    world.run(30)
    assert agree(peers)


def test_a_node_whose_packets_are_blocked_stays_alive_by_streams(
    new_world: NewWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = new_world()
    peers = world.cluster(4)
    mute = peers[3].endpoint
    world.lose = lambda source, target: mute in (source, target)
    world.run(120)
    assert not events_of(peers, MemberFailed)
    assert sum(peer.node.metrics.counters["swim.probe.stream-only"] for peer in peers) > 10
    said = [record.getMessage() for record in caplog.records if "answers streams" in record.getMessage()]
    assert len(said) == 6, "once by each of three about one, and by that one about each of three"
    assert sum(f"at {join_host_port(*mute)}, as it advertises" in line for line in said) == 3
    assert all("is UDP blocked in between?" in line for line in said)
    world.lose = lambda source, target: False
    world.run(60)
    over = [record.getMessage() for record in caplog.records if record.getMessage().endswith(" again")]
    assert len(over) == 6


def test_a_link_that_is_down_one_way_is_bridged_by_relays(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(5, disable_tcp_pings=True)
    one, other = peers[0].endpoint, peers[1].endpoint
    world.blocked = lambda a, b: (a, b) in ((one, other), (other, one))
    world.run(120)
    assert not events_of(peers, MemberSuspected)


def paused(world: World, seconds: float) -> tuple[Peer, list[Peer]]:
    sleeper, *rest = world.cluster(6)
    world.pause(sleeper, seconds)
    return sleeper, rest


@pytest.mark.parametrize("seed", range(3))
def test_a_paused_node_is_failed_comes_back_and_accuses_nobody(new_world: NewWorld, seed: int) -> None:
    world = new_world(seed)
    sleeper, rest = paused(world, 20.0)
    assert world.run(20, lambda: all_see(rest, "n1", "failed"))
    world.run(60)
    assert agree([sleeper, *rest])
    assert not accusations_by([sleeper, *rest], "n1")
    assert not events_of([sleeper], MemberFailed)
    assert sleeper.node.metrics.counters["swim.overslept"] == 1
    back = [event for event in events_of(rest, MemberJoined, "n1") if event.previous is not None]
    assert len(back) == len(rest)


def test_a_short_pause_is_refuted(new_world: NewWorld) -> None:
    world = new_world()
    sleeper, rest = paused(world, 4.0)
    world.run(30)
    assert agree([sleeper, *rest])
    assert not events_of(rest, MemberFailed)
    assert events_of(rest, MemberSuspected, "n1")
    assert events_of(rest, MemberRefuted, "n1")
    assert sleeper.node.local.incarnation > 1
    assert {peer.node.member("n1").incarnation for peer in rest} == {sleeper.node.local.incarnation}
    assert not any(peer.node.member("n1").is_suspect for peer in rest)


def test_a_suspicion_that_was_running_does_not_expire_in_a_pause(new_world: NewWorld) -> None:
    world = new_world()
    a, b = world.cluster(2)
    world.partition([a], [b])
    assert world.run(10, lambda: any(member.is_suspect for member in a.node.members()))
    world.pause(a, 30.0)
    world.run(29.999)
    world.heal()
    assert world.run(30, lambda: agree([a, b]))
    assert not events_of([a], MemberFailed)


def test_when_everybody_goes_silent_accusations_are_spaced_out(new_world: NewWorld) -> None:
    """The lonely node suspects itself first: after two targets, one accusation per half a suspicion."""
    world = new_world()
    lonely, *rest = world.cluster(12, suspicion_mult=20)
    world.partition([lonely], rest)
    world.run(20)
    suspected = events_of([lonely], MemberSuspected)
    assert len({event.member.name for event in suspected}) == 2
    assert lonely.node.metrics.counters["swim.self-doubt"] > 0
    world.heal()
    assert world.run(60, lambda: agree([lonely, *rest]))


def test_a_cluster_that_was_paused_as_a_whole_wakes_up_as_one(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(5)
    for peer in peers:
        world.pause(peer, 40.0)
    world.run(60)
    assert agree(peers)
    assert not events_of(peers, MemberFailed)


def test_aligned_probes_keep_their_pace_and_share_their_moments(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(4, probe_alignment=0.25)
    world.run(5)
    packets = world.packets
    moments: set[float] = set()
    for _ in range(400):
        before = world.packets
        world.run(0.05)
        if world.packets > before:
            moments.add(round(world.now % 0.25, 2))
    assert world.packets - packets == pytest.approx(2 * 20 * len(peers), rel=0.1)
    assert moments <= {0.0, 0.05, 0.25}
