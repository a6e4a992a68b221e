"""Hostile bytes: floods of garbage, replayed packets, flipped bits."""

from __future__ import annotations

from collections import deque

from sims.measure import FalsePositives
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import limit, measure_wrong, settled
from sims.theory.bounds import refutation_bound
from sims.world import World
from sims.world.network import Link
from sims.world.observer import Observer, Packet
from swim.core.rng import Rng

__all__ = ["byte_flipper", "flood"]

_ATTACKER = ("10.255.0.1", 7946)
_KEPT = 256
_LARGEST = 1400
_NEWS_EVERY = 2.0
_TYPES = 15
"""memberlist's message types are below this number."""


@scenario("flood", keys=True, rate=500, seconds=20.0, at_least={"rate": 1})
def flood(run: Run) -> None:
    """A non-member floods all nodes with garbage and with real packets, changed or replayed: nothing happens.

    ``keys``: the cluster encrypts. Without keys a non-member can invent members; then the nodes must only
        neither
    crash nor declare each other failed. ``rate``: packets per second in total.
    """
    config = run.config(keys=(bytes(range(32)),)) if run["keys"] else run.config()
    world = settled(run, config=config)
    wrong = FalsePositives()
    world.observe(wrong)
    attacker = _Attacker(run["rate"], world.now + run["seconds"])
    world.observe(attacker)
    _keep_busy(world, run["seconds"])
    world.run_for(run["seconds"])
    measure_wrong(run, wrong, allowed=not run["keys"])
    world.run_for(10.0)
    run.measure("packets", attacker.count)
    run.measure("dropped", sum(node.metrics.drops for node in world.nodes.values()))
    _expect_no_made_up_members(run, world, allowed=not run["keys"])
    _expect_truth(run, world)


@scenario("byte-flipper", corrupt=0.1, seconds=120.0, at_most={"corrupt": 1})
def byte_flipper(run: Run) -> None:
    """The network flips a bit in a tenth of all packets: no member may appear, change or disappear.

    Packets contain a checksum, except those to peers that could not read it.
    """
    world = settled(run)
    wrong = FalsePositives()
    world.observe(wrong)
    world.network.set_default(Link(corrupt=run["corrupt"]))
    _keep_busy(world, run["seconds"])
    world.run_for(run["seconds"])
    measure_wrong(run, wrong)
    run.measure("failed_checksums", _dropped(world, "crc"))
    run.measure("dropped", sum(node.metrics.drops for node in world.nodes.values()))
    _expect_no_made_up_members(run, world)
    world.network.calm()
    _expect_truth(run, world)


class _Attacker(Observer):
    """Records real packets and sends its own, evenly spaced, to random nodes.

    Attributes:
        count: packets sent.
    """

    def __init__(self, rate: int, until: float) -> None:
        self.count = 0
        self._interval = 1.0 / rate
        self._until = until
        self._heard: deque[bytes] = deque(maxlen=_KEPT)
        self._rng: Rng

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        self._rng = world.random_for("attacker")
        world.at(world.now, self._strike, world)

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        self._heard.append(bytes(packet.data))

    def _strike(self, world: World) -> None:
        target = self._rng.choice(list(world.nodes.values()))
        world.inject(target, self._forge(), _ATTACKER)
        self.count += 1
        if world.now < self._until:
            world.at(world.now + self._interval, self._strike, world)

    def _forge(self) -> bytes:
        rng = self._rng
        kind = rng.below(4)
        if kind == 0 or not self._heard:
            return rng.bytes(1 + rng.below(_LARGEST))
        if kind == 1:
            return bytes((rng.below(_TYPES),)) + rng.bytes(rng.below(_LARGEST))
        real = self._heard[rng.below(len(self._heard))]
        if kind == 2:
            return real
        changed = bytearray(real[: 1 + rng.below(len(real))])
        changed[rng.below(len(changed))] ^= 1 + rng.below(255)
        return bytes(changed)


def _keep_busy(world: World, seconds: float) -> None:
    """Random nodes change their tags from time to time, so that there are claims to record and to damage."""
    rng, version = world.random_for("busy"), 0
    while version * _NEWS_EVERY < seconds:
        node = rng.choice(list(world.nodes.values()))
        world.at(world.now + version * _NEWS_EVERY, node.set_tags, {"version": str(version)})
        version += 1


def _expect_truth(run: Run, world: World) -> None:
    """Expects that soon all nodes list each other as alive, with the right tags."""

    def is_true(world: World) -> bool:
        nodes = world.running()
        return world.converged and all(
            shown.tags == node.node.local.tags
            for node in nodes
            for other in nodes
            if (shown := other.member(node.name)) is not None
        )

    within = limit(world, refutation_bound)
    run.measure("recover_seconds", run.expect_soon(world, is_true, within, "views are wrong"))


def _expect_no_made_up_members(run: Run, world: World, *, allowed: bool = False) -> None:
    names = {node.name for node in world.nodes.values()}
    made_up = {name for node in world.running() for name in node.statuses()} - names
    run.measure("made_up_members", len(made_up))
    if not allowed:
        run.expect(not made_up, f"members that do not exist: {sorted(made_up)[:5]}")


def _dropped(world: World, reason: str) -> int:
    return sum(node.metrics.counters[f"swim.dropped.{reason}"] for node in world.nodes.values())
