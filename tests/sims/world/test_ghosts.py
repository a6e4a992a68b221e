"""Members that do not exist neither slow the detection of a real failure nor stay, whatever their source."""

from __future__ import annotations

import random

import pytest

from sims.world import World
from sims.world.host import SimNode
from swim.addresses import Endpoint
from swim.config import Config
from swim.wire.codec import encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, PushPull
from swim.wire.node_records import NodeRecord
from swim.wire.packet import PacketCodec
from tests.one_node import VSN

GHOSTS = 600
OUTSIDER: Endpoint = ("10.9.9.9", 7946)


def ghost(number: int) -> Alive:
    return Alive(1, f"ghost-{number}", bytes((10, 8, number >> 8, number & 255)), 7946, b"", VSN)


def packets(world: World, node: SimNode, source: Endpoint) -> None:
    codec = PacketCodec(node.config, Keyring(()), lambda: bytes(12))
    for first in range(0, GHOSTS, 20):
        claims = [encode(ghost(number)) for number in range(first, first + 20)]
        node.node.receive_packet(world.now, codec.seal(claims, crc=False), source)
        world.driver.pump(node)


def from_outside(world: World, node: SimNode) -> None:
    packets(world, node, OUTSIDER)


def from_a_member(world: World, node: SimNode) -> None:
    packets(world, node, world.nodes["n1" if node.id != "n1" else "n4"].endpoint)


def by_stream(world: World, node: SimNode) -> None:
    records = [
        NodeRecord(g.node, g.addr, g.port, g.meta, g.incarnation, 0, g.vsn) for g in map(ghost, range(GHOSTS))
    ]
    accepted = node.node.accept_stream(world.now, (OUTSIDER[0], 50_000))
    assert accepted is not None
    node.node.receive_stream(world.now, accepted.stream_id, encode(PushPull(False, tuple(records))))
    world.driver.pump(node)


def detection(seed: int, attack: object = None) -> float:
    world = World(seed, nodes=4, config=Config.lan)
    world.settle()
    world.run_for(20.0)
    if callable(attack):
        for node in list(world.nodes.values()):
            attack(world, node)
    world.run_for(1.0)
    world.crash("n3")
    began = world.now
    watchers = [world.nodes[name] for name in ("n1", "n2", "n4")]
    assert world.run_until(lambda _: all(node.status_of("n3") == "failed" for node in watchers), 120.0)
    return world.now - began


@pytest.mark.slow
@pytest.mark.parametrize("attack", [from_outside, from_a_member, by_stream])
def test_ghosts_do_not_slow_the_detection_of_a_failure(attack: object) -> None:
    """Those that a member gossips take at most every other probe and lengthen suspicions a little."""
    seeds = random.Random(1).sample(range(1000), 4)
    quiet = sum(detection(seed) for seed in seeds)
    haunted = sum(detection(seed, attack) for seed in seeds)
    assert haunted <= (2.5 if attack is from_a_member else 1.5) * quiet


@pytest.mark.slow
@pytest.mark.parametrize("attack", [from_outside, from_a_member, by_stream])
def test_ghosts_do_not_stay(attack: object) -> None:
    world = World(1, nodes=4, config=Config.lan)
    world.settle()
    world.run_for(20.0)
    assert callable(attack)
    for node in list(world.nodes.values()):
        attack(world, node)
    world.run_for(300.0)
    assert world.converged


@pytest.mark.slow
@pytest.mark.parametrize("attack", [from_outside, from_a_member, by_stream])
def test_ghosts_that_failed_are_not_looked_for(attack: object) -> None:
    """Never seen first-hand: their addresses get no dial, and no ping once they are listed as failed."""
    world = World(1, nodes=4, config=Config.lan)
    world.settle()
    world.run_for(20.0)
    assert callable(attack)
    for node in list(world.nodes.values()):
        attack(world, node)
    world.run_for(300.0)
    for node in world.nodes.values():
        assert not [line for line in node.node.snapshot().splitlines() if "ghost" in line]
        assert not node.node.metrics.counters["swim.rejoin.attempts"]
