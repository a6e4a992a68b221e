"""Members that come back at once: every observer hears so once, and a founder is not left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.world import World
from sims.world.host import SimNode
from sims.world.latency import Uniform
from sims.world.network import Link, Network
from sims.world.observer import Observer
from swim.addresses import join_host_port
from swim.commands import SetTags
from swim.config import Config
from swim.events import Event, MemberFailed, MemberJoined, MemberRestarted

GAP = 0.5
"""Seconds from a crash to the restart, far below what it takes to detect a failure."""


class News(Observer):
    """What each node hears of one member."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: dict[str, list[type[Event]]] = {}

    def event(self, world: World, node: SimNode, event: Event) -> None:
        if getattr(event, "member", None) is not None and event.member.name == self.name:
            self.heard.setdefault(node.id, []).append(type(event))

    def count(self, kind: type[Event]) -> dict[str, int]:
        return {node: kinds.count(kind) for node, kinds in self.heard.items()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["n1", "n5"])
def test_every_observer_hears_of_a_restart_exactly_once(name: str, seed: int) -> None:
    """n1 founded the cluster, the others join it. Whom gossip misses, a push/pull reaches."""
    world = World(seed, nodes=8, config=Config.lan)
    world.settle()
    world.run_for(20.0)
    for _ in range(2):
        news = News(name)
        world.observe(news)
        world.crash(name)
        world.run_for(GAP)
        world.restart(name, snapshot=False)
        world.run_for(40.0)
        others = {node.id for node in world.running()} - {name}
        counted = news.count(MemberRestarted)
        assert {node: counted.get(node, 0) for node in others} == dict.fromkeys(others, 1)
        assert not any(news.count(MemberFailed).values())
        assert world.converged


def founded(seed: int, size: int, apart: float) -> World:
    """n1 founded the cluster, and the others joined it one by one, that many seconds apart."""
    world = World(seed, nodes=1, config=Config.lan)
    for _ in range(1, size):
        world.run_for(apart)
        world.add(seeds=[world.host("n1")])
    world.settle()
    return world


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(3, 7),
    apart=st.sampled_from([0.0, 0.01, 0.3, 2.0]),
    name=st.sampled_from(["n1", "n2", "n3"]),
    moment=st.floats(0.05, 30.0),
    down=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    has_seeds=st.booleans(),
)
def test_a_restart_is_heard_of_exactly_once_however_soon_after_the_joins(
    seed: int, size: int, apart: float, name: str, moment: float, down: float, has_seeds: bool
) -> None:
    """The stamp of its first join may have come by gossip, by a push/pull, or never."""
    world = founded(seed, size, apart)
    world.run_for(moment)
    news = News(name)
    world.observe(news)
    node = world.host(name)
    world.crash(node)
    world.run_for(down)
    seeds = [join_host_port(*world.host(other).endpoint) for other in ("n1", "n2", "n3") if other != name]
    config = node.config.with_changes(seeds=seeds if has_seeds or name != "n1" else ())
    world.restart(node, snapshot=False, config=config)
    world.run_for(2.5 * node.config.push_pull_interval)  # that long at most to whom gossip missed
    others = {node.id for node in world.running()} - {name}
    assert news.count(MemberRestarted) == dict.fromkeys(others, 1) | {name: 0}
    assert not any(news.count(MemberFailed).values())


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(3, 7),
    apart=st.sampled_from([0.0, 0.3, 2.0]),
    name=st.sampled_from(["n1", "n2"]),
    moments=st.lists(st.floats(0.0, 12.0), min_size=1, max_size=3),
)
def test_new_tags_right_after_the_joins_are_no_restart(
    seed: int, size: int, apart: float, name: str, moments: list[float]
) -> None:
    world = founded(seed, size, apart)
    news = News(name)
    world.observe(news)
    for number, moment in enumerate(moments):
        world.run_for(moment)
        world.command(name, SetTags({"role": f"r{number}"}))
    world.run_for(40.0)
    assert not any(news.count(MemberRestarted).values())


@pytest.mark.parametrize("seed", range(12))
def test_a_first_join_is_seen_as_a_join_only(seed: int) -> None:
    """Packets about a joiner arrive before the answer to its push/pull, if that is the slower one."""
    news = [News(f"n{number}") for number in range(1, 7)]
    network = Network(Link(latency=Uniform(0.0001, 0.02)))
    world = World(seed, nodes=6, config=Config.lan, network=network, observers=news)
    world.settle()
    world.run_for(30.0)
    for one in news:
        assert {kind for kinds in one.heard.values() for kind in kinds} == {MemberJoined}


@pytest.mark.parametrize("seed", range(3))
def test_a_founder_without_seeds_that_comes_back_empty_is_in_again_within_seconds(seed: int) -> None:
    world = World(seed, nodes=5, config=Config.lan)
    world.settle()
    world.run_for(10.0)
    world.crash("n1")
    world.run_for(GAP)
    world.restart("n1", snapshot=False)
    assert world.settle(10.0) <= 5.0
