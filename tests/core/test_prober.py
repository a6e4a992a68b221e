"""Failure detection: failed members are detected in time, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sims.world import World
from sims.world.host import SimNode
from sims.world.network import Link
from swim.addresses import join_host_port
from swim.config import Config
from swim.core.suspicion import suspicion_timeout
from swim.events import MemberFailed, MemberJoined, MemberRefuted, MemberSuspected
from tests.clusters import accusations_by, agree, all_see, cluster, events_of, lose, split


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
def test_a_killed_node_is_failed_by_all_in_time(seed: int, make: Callable[..., Config], count: int) -> None:
    world, (*rest, victim) = cluster(count, seed, make=make)
    name = victim.name
    world.crash(victim)
    assert world.run_until(lambda _: all_see(rest, name, "failed"), detection_bound(rest[0].config, count))
    assert {event.member.name for event in events_of(rest, MemberFailed)} == {name}
    [accused] = {event.member.name for event in events_of(rest, MemberSuspected)}
    assert accused == name
    history = rest[0].node.history(name)
    assert [line.after for line in history[-2:]] == ["suspect", "failed"]
    lasted = history[-1].at - history[-2].at
    assert lasted < longest_suspicion(rest[0].config, count), "further accusers shorten the suspicion"


@pytest.mark.parametrize("make", [Config.lan, Config.local])
@pytest.mark.parametrize(("count", "left"), [(5, 1), (11, 1), (11, 2), slow(30, 1), slow(30, 3)])
def test_survivors_do_not_doubt_themselves_where_hosts_refuse_their_streams(
    count: int, left: int, make: Callable[..., Config]
) -> None:
    """Most died at once, and no member acks, nacks or confirms; but their hosts refuse streams.

    The first death is found out as fast as that of one among many, the others as their turns come.
    """
    world, peers = cluster(count, make=make)
    survivors, dead = peers[:left], peers[left:]
    world.run_for(4 * count * peers[0].config.probe_interval)  # each has pinged each
    for peer in dead:
        world.crash(peer)
    config = survivors[0].config
    shortest = suspicion_timeout(config.suspicion_mult, count, config.probe_interval)
    assert world.run_until(lambda _: failed_at(survivors[0]) > 0, shortest + 3 * config.probe_interval)
    assert world.run_until(lambda _: failed_at(survivors[0]) == len(dead), 2 * count * config.probe_interval)
    assert all(peer.node.stats().health_score == 0 for peer in survivors)


@pytest.mark.parametrize("way", ["refused", "nowhere"])
def test_a_lone_accuser_is_in_no_hurry_unless_it_is_heard(way: str) -> None:
    """Four of five are gone: what the last one says of the first counts sooner where hosts refuse streams."""
    world, (survivor, *dead) = cluster(5)
    world.run_for(10)
    if way == "refused":
        for peer in dead:
            world.crash(peer)
    else:
        split(world, [survivor], dead)
    world.run_for(10)
    assert (failed_at(survivor) > 0) is (way == "refused")


def test_one_that_nothing_answers_doubts_itself_still() -> None:
    world, (survivor, *others) = cluster(5)
    world.run_for(10)
    split(world, [survivor], others)
    world.run_for(20)
    assert survivor.node.stats().health_score > 0
    assert len(events_of([survivor], MemberSuspected)) < 4


def failed_at(node: SimNode) -> int:
    """How many members the node lists as failed."""
    return list(node.statuses().values()).count("failed")


def test_the_last_of_two_is_found_out_too() -> None:
    world, (a, b) = cluster(2)
    world.crash(b)
    assert world.run_until(lambda _: all_see([a], "n2", "failed"), detection_bound(a.config, 2))
    assert a.node.is_alone


def test_a_host_that_answers_nothing_at_all() -> None:
    """No refused streams here: packets and streams both go nowhere."""
    world, (*rest, victim) = cluster(5)
    split(world, rest, [victim])
    assert world.run_until(lambda _: all_see(rest, "n5", "failed"), detection_bound(rest[0].config, 5))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"disable_tcp_pings": True}])
def test_nobody_fails_for_lost_packets(settings: dict[str, bool]) -> None:
    world, peers = cluster(8, 3, **settings)
    lose(world, 0.1)
    world.run_for(300)
    assert not events_of(peers, MemberFailed)
    lose(world, 0.0)
    world.run_for(30)
    assert agree(peers)


def test_a_node_whose_packets_are_blocked_stays_alive_by_streams(caplog: pytest.LogCaptureFixture) -> None:
    world, peers = cluster(4)
    world.run_for(3)  # each has pinged each
    for ends in (("n4", None), (None, "n4")):
        world.network.set_link(*ends, Link(mtu=1))
    world.run_for(120)
    assert not events_of(peers, MemberFailed)
    assert sum(peer.metrics.counters["swim.probe.stream-only"] for peer in peers) > 10
    said = [record.getMessage() for record in caplog.records if "answers streams" in record.getMessage()]
    assert len(said) == 6, "once by each of three about one, and by that one about each of three"
    assert sum(f"at {join_host_port(*peers[3].endpoint)}, as it advertises" in line for line in said) == 3
    assert all("is UDP blocked in between?" in line for line in said)
    world.network.calm()
    world.run_for(60)
    over = [record.getMessage() for record in caplog.records if record.getMessage().endswith(" again")]
    assert len(over) == 6


def test_a_link_that_is_down_one_way_is_bridged_by_relays() -> None:
    world, peers = cluster(5, disable_tcp_pings=True)
    world.network.cut(["n1"], ["n2"])
    world.run_for(120)
    assert not events_of(peers, MemberSuspected)


def paused(seconds: float, seed: int = 1) -> tuple[World, SimNode, list[SimNode]]:
    world, (sleeper, *rest) = cluster(6, seed)
    world.pause(sleeper, seconds)
    return world, sleeper, rest


@pytest.mark.parametrize("seed", range(3))
def test_a_paused_node_is_failed_comes_back_and_accuses_nobody(seed: int) -> None:
    world, sleeper, rest = paused(20.0, seed)
    assert world.run_until(lambda _: all_see(rest, "n1", "failed"), 20)
    world.run_for(60)
    assert agree([sleeper, *rest])
    assert not accusations_by([sleeper, *rest], "n1")
    assert not events_of([sleeper], MemberFailed)
    assert sleeper.metrics.counters["swim.overslept"] == 1
    back = [event for event in events_of(rest, MemberJoined, "n1") if event.previous is not None]
    assert len(back) == len(rest)


def test_a_short_pause_is_refuted() -> None:
    world, sleeper, rest = paused(4.0)
    world.run_for(30)
    assert agree([sleeper, *rest])
    assert not events_of(rest, MemberFailed)
    assert events_of(rest, MemberSuspected, "n1")
    assert events_of(rest, MemberRefuted, "n1")
    assert sleeper.node.local.incarnation > 1
    assert {peer.member("n1").incarnation for peer in rest} == {sleeper.node.local.incarnation}
    assert not any(peer.member("n1").is_suspect for peer in rest)


def test_a_suspicion_that_was_running_does_not_expire_in_a_pause() -> None:
    world, (a, b) = cluster(2)
    split(world, [a], [b])
    assert world.run_until(lambda _: any(member.is_suspect for member in a.members()), 10)
    world.pause(a, 30.0)
    world.run_for(29.999)
    world.network.heal()
    assert world.run_until(lambda _: agree([a, b]), 30)
    assert not events_of([a], MemberFailed)


def test_when_everybody_goes_silent_accusations_are_spaced_out() -> None:
    """The lonely node suspects itself first: after two targets, one accusation per half a suspicion."""
    world, (lonely, *rest) = cluster(12, suspicion_mult=20)
    split(world, [lonely], rest)
    world.run_for(20)
    suspected = events_of([lonely], MemberSuspected)
    assert len({event.member.name for event in suspected}) == 2
    assert lonely.metrics.counters["swim.self-doubt"] > 0
    world.network.heal()
    assert world.run_until(lambda _: agree([lonely, *rest]), 60)


def test_a_cluster_that_was_paused_as_a_whole_wakes_up_as_one() -> None:
    world, peers = cluster(5)
    for peer in peers:
        world.pause(peer, 40.0)
    world.run_for(60)
    assert agree(peers)
    assert not events_of(peers, MemberFailed)


def test_aligned_probes_keep_their_pace_and_share_their_moments() -> None:
    world, peers = cluster(4, probe_alignment=0.25)
    world.run_for(5)
    packets = world.driver.packets.sent
    moments: set[float] = set()
    for _ in range(400):
        before = world.driver.packets.sent
        world.run_for(0.05)
        if world.driver.packets.sent > before:
            moments.add(round(world.now % 0.25, 2))
    assert world.driver.packets.sent - packets == pytest.approx(2 * 20 * len(peers), rel=0.1)
    assert moments <= {0.0, 0.05, 0.25}
