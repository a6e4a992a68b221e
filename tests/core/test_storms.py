"""Random weather, then calm: whatever happened, the members that run agree on each other in the end."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from swim.commands import Leave, Rejoin, SetTags
from swim.config import Config
from tests.world import Peer, World

NewWorld = Callable[..., World]
SEEDS = ("127.0.0.1:7000", "127.0.0.1:7001")
SETTINGS: tuple[dict[str, object], ...] = (
    {},
    {"make": Config.local},
    {"delegate_version": 0},
    {"label": "pool", "keys": (b"k" * 16,)},
)


class Weather:
    """Does something random to a cluster, again and again."""

    def __init__(self, world: World, seed: int, settings: dict[str, object]) -> None:
        self.random = random.Random(seed)
        self.world = world
        self.settings = {"seeds": SEEDS, **settings}
        self.up: list[Peer] = world.cluster(self.random.randint(3, 8), **self.settings)
        self.down: list[Peer] = []
        self.paused_until: dict[str, float] = {}

    def blow(self) -> None:
        world, choose = self.world, self.random.choice
        world.run(choose([0.01, 0.3, 2.0, 10.0, 40.0]))
        peer = choose(self.up)
        if self.paused_until.get(peer.node.config.name, 0.0) > world.now:
            return
        action = choose([self.kill, self.leave, self.restart, self.pause, self.split, self.tag, world.heal])
        if action == world.heal:
            world.loss = choose([0.0, 0.1, 0.3])
            world.heal()
        else:
            action(peer)

    def kill(self, peer: Peer) -> None:
        if len(self.up) > 2:
            self.world.kill(peer)
            self.up.remove(peer)
            self.down.append(peer)

    def leave(self, peer: Peer) -> None:
        ticket = self.world.command(peer, Leave())
        assert self.world.run(10, lambda: ticket in peer.finished)
        if len(self.up) > 2 and self.random.random() < 0.5:
            self.kill(peer)
        else:
            self.world.run(self.random.choice([0.1, 50.0]))
            self.world.command(peer, Rejoin())

    def restart(self, _: Peer) -> None:
        if self.down:
            old = self.down.pop(self.random.randrange(len(self.down)))
            snapshot = self.random.choice(["", old.node.snapshot()])
            name, port = old.node.config.name, old.endpoint[1]
            self.up.append(self.world.add(name, port=port, snapshot=snapshot, **self.settings))

    def pause(self, peer: Peer) -> None:
        seconds = self.random.choice([1.0, 5.0, 25.0])
        self.world.pause(peer, seconds)
        self.paused_until[peer.node.config.name] = self.world.now + seconds

    def split(self, _: Peer) -> None:
        place = self.random.randrange(1, len(self.up))
        self.world.partition(self.up[:place], self.up[place:])

    def tag(self, peer: Peer) -> None:
        if peer.node.status == "running":
            self.world.command(peer, SetTags({"at": f"{self.world.now:.2f}"}))


def alive_as_seen_by(peer: Peer) -> set[tuple[object, ...]]:
    return {
        (member.name, member.incarnation, tuple(member.tags.items()), member.is_suspect)
        for member in peer.node.members()
        if member.status == "alive"
    }


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("seed", range(8))
def test_calm_after_any_storm_is_agreement(
    new_world: NewWorld, seed: int, settings: dict[str, object]
) -> None:
    world = new_world(seed)
    weather = Weather(world, seed, settings)
    for _ in range(weather.random.randint(5, 20)):
        weather.blow()
    world.heal()
    world.loss = 0.0
    names = {peer.node.config.name for peer in weather.up}

    def agreed() -> bool:
        views = [alive_as_seen_by(peer) for peer in weather.up]
        return {name for name, *_ in views[0]} == names and all(view == views[0] for view in views)

    assert world.run(150, agreed)
    world.run(30)
    assert agreed()
