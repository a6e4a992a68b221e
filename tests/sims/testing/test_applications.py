"""Applications on simulated nodes: one per life, the node's events, timers, and invariants at every step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from sims.errors import UsageError, ViolationError
from sims.testing.applications import Applications, every, once
from sims.world import Observer, World
from sims.world.host import SimNode
from swim import SwimError
from swim.config import Config
from swim.events import Event, MemberEvent, MemberReaped


class Roll:
    """Keeps the members by folding the events, and counts seconds."""

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


def test_a_paused_process_does_nothing_and_makes_up_for_one_tick() -> None:
    rolls = Applications(Roll)
    world = World(nodes=2, config=Config.local, observers=[rolls])
    world.run_for(3.5)
    world.pause("n2", 3.0)
    assert list(rolls.running()) == ["n1"]
    world.run_for(4.0)
    assert rolls["n2"].ticks == [1.0, 2.0, 3.0, 6.5, 7.5]
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
                self.node.set_tags({"met": event.member.name})

    world = World(nodes=2, config=Config.local, observers=[Applications(Greeter)])
    world.run_for(5.0)
    assert [dict(node.node.local.tags) for node in world.nodes.values()] == [{"met": "n2"}, {"met": "n1"}]


def test_an_invariant_says_when_and_where() -> None:
    def everybody_alive(world: World, applications: Mapping[str, Any]) -> None:
        assert applications == {}
        for node in world.running():
            assert "failed" not in node.statuses().values(), f"{node.id} misses a member"

    world = World(nodes=3, config=Config.local, observers=[Applications(invariants=[everybody_alive])])
    world.settle()
    world.crash("n2")
    with pytest.raises(ViolationError, match=r"n\d misses a member") as caught:
        world.run_for(60.0)
    assert caught.value.checker.endswith("everybody_alive")
    assert caught.value.at == world.now
    assert world.host(caught.value.node).status_of("n2") == "failed"


async def later(*_: object) -> None:
    raise AssertionError("this is never awaited")


def generated(*_: object) -> Iterator[None]:
    yield


def hidden(*_: object) -> object:
    return later()


@pytest.mark.parametrize("call", [later, generated, partial(later)])
def test_what_nobody_would_await_is_refused_where_it_is_handed_in(call: Callable[..., Any]) -> None:
    world = World(nodes=1, config=Config.local)
    node = world.host("n1")
    attempts: list[Callable[[], object]] = [
        lambda: Applications(call),
        lambda: Applications(invariants=[call]),
        lambda: every(world, node, 1.0, call),
        lambda: once(world, node, 1.0, call),
        lambda: world.at(1.0, call),
        lambda: node.subscribe(call),
        lambda: world.run_until(call, 1.0),
    ]
    for attempt in attempts:
        with pytest.raises(UsageError, match="must be a plain function"):
            attempt()


@pytest.mark.filterwarnings("error")
def test_a_coroutine_that_is_returned_is_refused_too() -> None:
    class Awaited:
        async def on_event(self, now: float, event: Event) -> None: ...

    for applications in (
        Applications(lambda world, node: Awaited()),
        Applications(invariants=[hidden]),
        Applications(hidden),
    ):
        with pytest.raises(UsageError, match="must be a plain function"):
            World(nodes=2, config=Config.local, observers=[applications]).run_for(1.0)
    world = World(nodes=1, config=Config.local)
    every(world, world.host("n1"), 1.0, hidden)
    with pytest.raises(UsageError, match="must be a plain function"):
        world.run_for(2.0)


def test_an_observer_with_an_async_hook_is_refused() -> None:
    class Late(Observer):
        async def event(self, world: World, node: SimNode, event: Event) -> None:  # type: ignore[override]
            ...

    with pytest.raises(UsageError, match="event must be a plain function"):
        World(nodes=1, observers=[Late()])


@pytest.mark.parametrize("value", [False, 0, ""])
def test_an_invariant_may_return_whether_it_holds(value: object) -> None:
    with pytest.raises(ViolationError, match=f"returned {value!r}"):
        World(nodes=1, observers=[Applications(invariants=[lambda world, applications: value])])
    World(nodes=1, observers=[Applications(invariants=[lambda world, applications: True])])


@pytest.mark.parametrize("where", ["start", "on_event", "every", "invariant"])
def test_an_exception_of_the_application_names_node_and_time(where: str) -> None:
    class Broken:
        def __init__(self, world: World, node: SimNode) -> None:
            self.node = node
            if where == "every":
                every(world, node, 2.0, self.fail)
            elif where == "start":
                self.fail()

        def on_event(self, now: float, event: Event) -> None:
            if where == "on_event":
                self.fail()

        def fail(self) -> None:
            raise KeyError("oh")

    def check(world: World, applications: Mapping[str, Any]) -> None:
        if where == "invariant":
            raise KeyError("oh")

    with pytest.raises(KeyError, match="oh") as caught:
        World(7, nodes=1, observers=[Applications(Broken, invariants=[check])]).run_for(5.0)
    [note] = caught.value.__notes__
    assert re.fullmatch(r"raised by the application: \S+ on n1 at [02]\.000000 s, seed 7", note)


def test_a_timer_that_fires_once_survives_a_pause_and_ends_with_the_life() -> None:
    world = World(nodes=2, config=Config.local)
    fired: list[tuple[str, float]] = []
    for host in ("n1", "n2"):
        once(world, world.host(host), 3.0, partial(lambda host: fired.append((host, world.now)), host))
    world.pause("n1", 5.0)
    world.restart("n2")
    world.run_for(20.0)
    assert fired == [("n1", 5.0)]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_period_has_to_be_positive(seconds: float) -> None:
    world = World(nodes=1)
    with pytest.raises(SwimError, match=r"^seconds"):
        every(world, world.host("n1"), seconds, lambda: None)
