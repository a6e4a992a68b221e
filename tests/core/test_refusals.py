"""Refused streams end a suspicion, and only where they prove that the process is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sims.world.host import SimNode
from sims.world.network import Link, Nat
from swim.config import Config
from swim.core.suspicion import suspicion_timeout
from swim.events import Cause, MemberFailed, MemberRestarted, MemberSuspected
from tests.clusters import all_see, cluster, events_of, split

PROFILES = pytest.mark.parametrize("make", [Config.lan, Config.local])


def shortest(config: Config, n: int) -> float:
    return suspicion_timeout(config.suspicion_mult, n, config.probe_interval)


def suspected_for(node: SimNode, name: str) -> float:
    """Seconds from the begin of the last suspicion to the failure; accusers that came later are lines too."""
    *earlier, failed = node.node.history(name)
    began = next(line for line in reversed(earlier) if line.before != "suspect")
    assert (began.after, failed.after) == ("suspect", "failed")
    return failed.at - began.at


def why_failed(nodes: list[SimNode]) -> set[Cause]:
    return {Cause(event.reason.cause) for event in events_of(nodes, MemberFailed)}


@PROFILES
@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_killed_process_is_failed_once_its_host_has_refused_streams_for_the_grace(
    count: int, make: Callable[..., Config]
) -> None:
    world, (*rest, victim) = cluster(count, make=make)
    world.run_for(20)  # each has pinged each
    world.crash(victim)
    config = rest[0].config
    assert world.run_until(lambda _: bool(events_of(rest, MemberSuspected)), 10 * config.probe_interval)
    assert world.run_until(lambda _: all_see(rest, victim.name, "failed"), config.restart_grace + 0.5)
    [first] = [node for node in rest if node.node.history(victim.name)[-1].reason.cause is Cause.REFUSED][:1]
    assert suspected_for(first, victim.name) <= config.restart_grace < shortest(config, count)


def test_the_news_needs_no_gossip() -> None:
    """The node that found it out sends it to all of a small cluster: none waits for its own suspicion."""
    world, (*rest, victim) = cluster(20, gossip_nodes=0)
    world.run_for(40)
    world.crash(victim)
    assert world.run_until(lambda _: bool(events_of(rest, MemberFailed)), 10)
    world.run_for(0.1)
    suspecting = [node for node in rest if node.status_of(victim.name) != "failed"]
    assert all(node.inspect().accused for node in suspecting), "those that never suspected it ping it first"
    world.run_for(rest[0].config.probe_timeout)
    assert all_see(rest, victim.name, "failed")


@pytest.mark.parametrize(
    ("make", "settings"),
    [(Config.lan, {"restart_grace": 0.0}), (Config.lan, {"disable_tcp_pings": True}), (Config.wan, {})],
)
def test_without_this_evidence_a_suspicion_takes_its_time(
    make: Callable[..., Config], settings: dict[str, float]
) -> None:
    world, (*rest, victim) = cluster(5, make=make, **settings)
    world.crash(victim)
    assert world.run_until(lambda _: all_see(rest, victim.name, "failed"), 300)
    assert Cause.REFUSED not in why_failed(rest)
    assert min(suspected_for(node, victim.name) for node in rest) >= shortest(rest[0].config, 5) - 1.5


@PROFILES
@pytest.mark.parametrize("how", ["paused", "cut off", "without a host"])
def test_a_host_that_refuses_nothing_has_its_time(how: str, make: Callable[..., Config]) -> None:
    world, (*rest, victim) = cluster(5, make=make)
    world.run_for(20)
    if how == "paused":
        world.pause(victim)
    elif how == "cut off":
        split(world, rest, [victim])
    else:
        world.crash(victim, silent=True)
    assert world.run_until(lambda _: all_see(rest, victim.name, "failed"), 60)
    assert Cause.REFUSED not in why_failed(rest)


@PROFILES
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_process_that_is_back_within_the_grace_has_restarted(
    share: float, seed: int, make: Callable[..., Config]
) -> None:
    world, (*rest, victim) = cluster(5, seed, make=make)
    world.run_for(20 + seed / 7)
    world.crash(victim)
    world.run_for(share * rest[0].config.restart_grace)
    world.restart(victim)
    world.run_for(20)
    assert not events_of(rest, MemberFailed)
    assert all_see([*rest, victim], victim.name, "alive")
    assert len(events_of(rest, MemberRestarted, victim.name)) == len(rest)


def test_one_that_answers_pings_while_its_streams_are_refused_is_not_gone_when_it_stalls() -> None:
    """A firewall rejects its streams, so that their refusal does not mean that its process is gone."""
    world, (*rest, victim) = cluster(4, push_pull_interval=2.0)
    for peer in rest:
        world.network.set_link(peer.id, victim.id, Link(refuse=1.0))
    world.run_for(60)  # push/pulls with it are refused, its acks are not
    for peer in rest:
        world.network.set_link(peer.id, victim.id, Link(refuse=1.0, mtu=1))
        world.network.set_link(victim.id, peer.id, Link(stall=1.0, mtu=1))
    assert world.run_until(lambda _: all_see(rest, victim.name, "failed"), 60)
    assert Cause.REFUSED not in why_failed(rest)


def test_behind_address_translation_another_may_refuse() -> None:
    world, (*rest, victim) = cluster(4)
    world.translate(victim, Nat(("192.0.2.77", 50_000)))
    world.run_for(30)
    world.crash(victim)
    assert world.run_until(lambda _: all_see(rest, victim.name, "failed"), 60)
    assert Cause.REFUSED not in why_failed(rest)


def test_a_node_that_overslept_knows_nothing_about_the_meantime() -> None:
    """The host refused before the pause and after it, and the process ran in between."""
    world, (*rest, victim) = cluster(3)
    world.run_for(20)
    world.crash(victim)
    assert world.run_until(lambda _: bool(events_of(rest, MemberSuspected)), 10)
    [accuser] = [node for node in rest if events_of([node], MemberSuspected)][:1]
    world.pause(accuser, 30)
    world.run_for(0.3)
    world.restart(victim)
    world.run_for(25)
    world.crash(victim)
    world.run_for(4.7 + 0.5)
    assert not [event for event in events_of([accuser], MemberFailed) if event.reason.cause is Cause.REFUSED]


@pytest.mark.parametrize("calls", ["by packets", "by streams"])
def test_one_that_calls_within_the_grace_is_not_gone_though_its_host_refuses_all(calls: str) -> None:
    """A firewall in front of it rejects what is new, but what it sends itself arrives."""
    world, (peer, victim) = cluster(2, push_pull_interval=0.3, awareness_max_multiplier=1)
    world.run_for(20)
    world.network.set_link(peer.id, victim.id, Link(refuse=1.0, mtu=1))
    world.network.set_link(victim.id, peer.id, Link(mtu=1) if calls == "by streams" else Link(stall=1.0))
    world.run_for(30)
    assert events_of([peer], MemberSuspected)
    assert Cause.REFUSED not in why_failed([peer])
