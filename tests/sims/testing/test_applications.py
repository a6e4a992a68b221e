"""Applications on simulated nodes: one per life, the node's events, timers, and invariants at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sims.errors import ViolationError
from sims.testing.applications import Applications, every
from sims.world import World
from sims.world.host import SimNode
from swim.config import Config
from swim.events import Event, MemberEvent, MemberReaped


class Roll:
    """Keeps the members as the events tell them, and counts seconds."""

    def __init__(self, world: World, node: SimNode) -> None:
        self.node = node
        self.members: dict[str, object] = {}
        self.ticks: list[float] = []
        every(world, node, 1.0, lambda: self.ticks.append(world.now))

    def on_event(self, now: float, event: Event) -> None:
        if isinstance(event, MemberReaped):
            del self.members[event.member.name]
        elif isinstance(event, MemberEvent):
            self.members[event.member.name] = event.member


def test_events_add_up_to_the_members() -> None:
    rolls = Applications(Roll)
    world = World(nodes=4, config=Config.local, observers=[rolls])
    world.settle()
    world.crash("n3")
    world.run_for(20.0)
    assert sorted(rolls.running()) == ["n1", "n2", "n4"]
    for host, roll in rolls.running().items():
        assert roll.members == {member.name: member for member in world.host(host).members()}
        assert roll.members["n3"].status == "failed"


def test_each_life_has_its_own_application() -> None:
    rolls = Applications(Roll)
    world = World(nodes=2, config=Config.local, observers=[rolls])
    world.settle()
    first = rolls["n2"]
    world.restart("n2")
    world.run_for(5.0)
    assert rolls["n2"] is not first
    assert set(rolls["n2"].members) == {"n1", "n2"}
    assert first.ticks == []
    assert len(rolls["n2"].ticks) == 5


def test_a_paused_process_does_nothing() -> None:
    rolls = Applications(Roll)
    world = World(nodes=2, config=Config.local, observers=[rolls])
    world.run_for(3.5)
    world.pause("n2", 3.0)
    assert list(rolls.running()) == ["n1"]
    world.run_for(4.0)
    assert rolls["n2"].ticks == [1.0, 2.0, 3.0, 7.0]
    assert list(rolls.running()) == ["n1", "n2"]


def test_nodes_that_run_already_get_one() -> None:
    world = World(nodes=2, config=Config.local)
    world.crash("n2")
    rolls = Applications(Roll)
    world.observe(rolls)
    assert list(rolls.running()) == ["n1"]


def test_applications_command_their_nodes() -> None:
    class Greeter:
        def __init__(self, world: World, node: SimNode) -> None:
            self.node = node

        def on_event(self, now: float, event: Event) -> None:
            if isinstance(event, MemberEvent) and event.member.name != self.node.name:
                self.node.set_tags(met=event.member.name)

    world = World(nodes=2, config=Config.local, observers=[Applications(Greeter)])
    world.run_for(5.0)
    assert [dict(node.node.local.tags) for node in world.nodes.values()] == [{"met": "n2"}, {"met": "n1"}]


def test_an_invariant_says_when_and_where() -> None:
    def everybody_alive(world: World, applications: Mapping[str, Any]) -> None:
        assert applications == {}
        for node in world.running():
            assert "failed" not in node.statuses().values(), f"{node.id} misses somebody"

    world = World(nodes=3, config=Config.local, observers=[Applications(invariants=[everybody_alive])])
    world.settle()
    world.crash("n2")
    with pytest.raises(ViolationError, match=r"n\d misses somebody") as caught:
        world.run_for(60.0)
    assert caught.value.checker.endswith("everybody_alive")
    assert caught.value.at == world.now
    assert world.host(caught.value.node).status_of("n2") == "failed"
