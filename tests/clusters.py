"""Small clusters of the simulator, and in one word what several of their nodes see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sims.checkers import EventsTellTheTable
from sims.world import Start, World
from sims.world.host import SimNode
from sims.world.network import Link, Network
from swim.addresses import Endpoint
from swim.config import Config
from swim.events import MemberEvent, MemberFailed, MemberSuspected

__all__ = [
    "ELSEWHERE",
    "accusations_by",
    "add",
    "agree",
    "all_see",
    "cluster",
    "events_of",
    "lose",
    "split",
    "world_of",
]

ELSEWHERE: Endpoint = ("10.0.9.9", 7777)
"""An address of no host of these worlds."""


def world_of(
    count: int = 0,
    seed: int = 1,
    *,
    make: Callable[..., Config] = Config.lan,
    start: Start = "apart",
    byte_mode: bool = True,
    **settings: Any,
) -> World:
    """``count`` nodes n1... without seeds; the events of each must add up to its table."""
    config = partial(make, **settings)
    return World(
        seed,
        nodes=count,
        config=config,
        start=start,
        network=Network(),
        byte_mode=byte_mode,
        observers=[EventsTellTheTable()],
    )


def add(
    world: World,
    name: str,
    *,
    make: Callable[..., Config] = Config.lan,
    endpoint: Endpoint | None = None,
    id: str = "",
    seeds: Iterable[str] = (),
    snapshot: str = "",
    **settings: Any,
) -> SimNode:
    """One more host, with settings of its own; it knows its ``seeds`` only."""
    config = partial(make, **settings)
    return world.add(name, id=id, config=config, endpoint=endpoint, seeds=seeds, snapshot=snapshot)


def cluster(count: int, seed: int = 1, **settings: Any) -> tuple[World, list[SimNode]]:
    """``count`` nodes n1..., without seeds, that joined the first one by command and agree."""
    world = world_of(count, seed, **settings)
    first, *others = nodes = list(world.nodes.values())
    for node in others:
        node.join([first])
    world.run_for(3.0)
    assert agree(nodes)
    return world, nodes


def lose(world: World, share: float) -> None:
    """From now on every link loses that share of all packets."""
    world.network.set_default(Link(latency=world.network.default.latency, loss=share))


def all_see(nodes: Iterable[SimNode], name: str, status: str) -> bool:
    """Whether each of ``nodes`` lists ``name`` under ``status``; ``absent`` means not at all."""
    return all((node.status_of(name) or "absent") == status for node in nodes)


def agree(nodes: Iterable[SimNode]) -> bool:
    """Whether each of ``nodes`` sees exactly these, alive."""
    nodes = list(nodes)
    names = {node.name for node in nodes}
    return all(node.statuses() == dict.fromkeys(names, "alive") for node in nodes)


def events_of(nodes: Iterable[SimNode], kind: type[MemberEvent], name: str = "") -> list[MemberEvent]:
    """The events of a kind that any of ``nodes`` saw in its current run, about ``name`` if given."""
    return [
        event
        for node in nodes
        for event in node.events
        if isinstance(event, kind) and name in ("", event.member.name)
    ]


def accusations_by(nodes: Iterable[SimNode], name: str) -> list[MemberEvent]:
    """Suspicions and failures for which ``name`` was the accuser."""
    events = events_of(nodes, MemberSuspected) + events_of(nodes, MemberFailed)
    return [event for event in events if event.reason.accuser == name]


def split(world: World, *groups: Iterable[SimNode]) -> None:
    """From now on nothing passes between any two of the groups."""
    world.network.partition(*([node.id for node in group] for group in groups))
