"""Bounds: safe in runs, not silly beside what runs take, infinite when nothing would bring it about."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sims.theory.bounds import (
    convergence_bound,
    detection_bound,
    dissemination_bound,
    gossip_bound,
    healing_bound,
    join_bound,
    leave_bound,
    longest_suspicion,
    probe_bound,
    refutation_bound,
    worst_latency,
)
from sims.world import World
from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from sims.world.network import Link, Network
from swim.config import Config
from swim.core.rng import Rng

LATENCY = 0.001
PROFILES = [Config.lan, Config.local, Config.wan]

Bound = Callable[..., float]


def world_of(seed: int, nodes: int, config: Callable[..., Config]) -> World:
    world = World(seed, nodes=nodes, config=config, network=Network(Link(latency=Constant(LATENCY))))
    world.settle(dissemination_bound(config(name="any"), nodes, latency=LATENCY))
    return world


def until_everybody_shows(world: World, name: str, status: str, limit: float) -> float:
    began = world.now
    shown = world.run_until(lambda world: all(n.status_of(name) == status for n in world.running()), limit)
    assert shown, f"{name} is not {status} everywhere after {limit:.1f} s"
    return world.now - began


@pytest.mark.parametrize(
    "latency",
    [Constant(0.01), Uniform(0.01, 0.02), Exponential(0.01, floor=0.005), Empirical((0.01, 0.02, 0.5))],
)
def test_no_draw_is_slower_than_the_worst(latency: Latency) -> None:
    rng = Rng(random.Random(1))
    assert max(latency.draw(rng) for _ in range(5000)) <= worst_latency(latency) < 1.0


@pytest.mark.parametrize("bound", [detection_bound, dissemination_bound, refutation_bound, healing_bound])
@pytest.mark.parametrize("profile", PROFILES)
def test_bounds_are_longer_in_large_clusters(bound: Bound, profile: Callable[..., Config]) -> None:
    config = profile(name="any")
    lengths = [bound(config, n, latency=LATENCY) for n in (10, 100, 1000, 10_000)]
    assert lengths == sorted(lengths)
    assert lengths[0] > 0


@pytest.mark.parametrize("retransmit_mult", [0, 1])
def test_who_gossips_little_in_the_largest_clusters_waits_for_push_pull_and_not_for_ever(
    retransmit_mult: int,
) -> None:
    little = Config.lan(name="any", retransmit_mult=retransmit_mult)
    bound, usual = (
        dissemination_bound(config, 100_000, latency=LATENCY) for config in (little, Config.lan(name="any"))
    )
    assert usual < bound < float("inf")


@pytest.mark.parametrize("bound", [detection_bound, dissemination_bound, leave_bound, join_bound])
def test_bounds_are_longer_in_slow_networks(bound: Bound) -> None:
    config = Config.lan(name="any")
    assert bound(config, 10, latency=0.5) > bound(config, 10, latency=0.001)


def test_what_is_switched_off_never_happens() -> None:
    never = float("inf")
    base = Config.lan(name="any")
    assert detection_bound(base.with_changes(probe_interval=0.0), 10, latency=LATENCY) == never
    assert dissemination_bound(base.with_changes(push_pull_interval=0.0), 10, latency=LATENCY) == never
    assert healing_bound(base.with_changes(rejoin_interval=0.0), 10, latency=LATENCY) == never
    assert gossip_bound(base.with_changes(gossip_nodes=0), 10, latency=LATENCY) == never
    silent = base.with_changes(gossip_interval=0.0)
    assert dissemination_bound(base, 10, latency=LATENCY) < dissemination_bound(silent, 10, latency=LATENCY)
    assert dissemination_bound(silent, 10, latency=LATENCY) < never


def test_the_parts_of_a_detection() -> None:
    config = Config.lan(name="any", awareness_max_multiplier=1)
    assert probe_bound(config, 5) == 9 * 1.0 + 1.0
    assert longest_suspicion(config, 5) == 4 * 6 * 1.0
    assert detection_bound(config, 5, latency=0.0) == 10.0 + 1.0 + 24.0
    unhealthy = config.with_changes(awareness_max_multiplier=8)
    assert probe_bound(unhealthy, 5, failing=2) == 9.0 + 2 * 2 * 7.0 + 8.0


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("nodes", [3, 8])
def test_crashes_are_detected_in_time(nodes: int, profile: Callable[..., Config]) -> None:
    bound = detection_bound(profile(name="any"), nodes, latency=LATENCY)
    taken = []
    for seed in range(3):
        world = world_of(seed, nodes, profile)
        world.crash("n2")
        taken.append(until_everybody_shows(world, "n2", "failed", bound))
    assert bound < 20 * max(taken)


def test_every_prober_may_be_on_its_own() -> None:
    """Without gossip, relays or confirmations every node must detect the failure alone, which is bounded."""
    alone = {"gossip_interval": 0.0, "indirect_checks": 0, "push_pull_interval": 0.0}
    config = Config.local(name="any", **alone)
    bound = detection_bound(config, 6, latency=LATENCY)
    for seed in range(3):
        world = World(seed, nodes=6, config=config, network=Network(Link(latency=Constant(LATENCY))))
        world.run_for(20.0)
        for node in world.running():
            node.join([other for other in world.running() if other is not node])
        world.settle(20.0)
        world.crash("n2")
        until_everybody_shows(world, "n2", "failed", bound)


@pytest.mark.parametrize("profile", [Config.lan, Config.local])
def test_leaves_are_known_in_time(profile: Callable[..., Config]) -> None:
    bound = leave_bound(profile(name="any"), 8, latency=LATENCY)
    for seed in range(5):
        world = world_of(seed, 8, profile)
        world.leave("n2")
        until_everybody_shows(world, "n2", "left", bound)


@pytest.mark.slow
@pytest.mark.parametrize("profile", [Config.lan, Config.local])
@pytest.mark.parametrize("seconds", [20.0, 120.0])
def test_partitions_heal_in_time(profile: Callable[..., Config], seconds: float) -> None:
    bound = healing_bound(profile(name="any"), 6, latency=LATENCY, live=6)
    for seed in range(4):
        world = world_of(seed, 6, profile)
        world.network.partition(["n1", "n2", "n3"], ["n4", "n5", "n6"])
        world.run_for(seconds)
        world.network.heal()
        world.settle(bound)


def test_more_are_gone_the_longer_everything_takes() -> None:
    config = Config.lan(name="any")
    lengths = [convergence_bound(config, 10, latency=LATENCY, gone=gone, live=10 - gone) for gone in range(8)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]
