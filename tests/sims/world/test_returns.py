"""Members that come back at once: every observer hears so once, and a founder is not left alone."""

from __future__ import annotations

import pytest

from sims.world import World
from sims.world.host import SimNode
from sims.world.observer import Observer
from swim.config import Config
from swim.events import Event, MemberFailed, MemberRestarted

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
    """n1 founded the cluster and has no seeds; the others join it."""
    world = World(seed, nodes=8, config=Config.lan)
    world.settle()
    world.run_for(20.0)
    for _ in range(2):
        news = News(name)
        world.observe(news)
        world.crash(name)
        world.run_for(GAP)
        world.restart(name, snapshot=False)
        world.run_for(10.0)
        others = {node.id for node in world.running()} - {name}
        counted = news.count(MemberRestarted)
        assert {node: counted.get(node, 0) for node in others} == dict.fromkeys(others, 1)
        assert not any(news.count(MemberFailed).values())
        assert world.converged


def test_first_joins_are_no_restarts() -> None:
    news = [News(f"n{number}") for number in range(1, 13)]
    world = World(3, nodes=12, config=Config.lan, observers=news)
    world.settle()
    world.run_for(30.0)
    assert not any(any(one.count(MemberRestarted).values()) for one in news)


@pytest.mark.parametrize("seed", range(3))
def test_a_founder_without_seeds_that_comes_back_empty_is_in_again_within_seconds(seed: int) -> None:
    world = World(seed, nodes=5, config=Config.lan)
    world.settle()
    world.run_for(10.0)
    world.crash("n1")
    world.run_for(GAP)
    world.restart("n1", snapshot=False)
    assert world.settle(10.0) <= 5.0
