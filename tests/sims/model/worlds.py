"""The same crashes in a ``World``, to hold the vector model against."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sims.measure import Detection
from sims.model import Setup, simulate
from sims.world import World
from sims.world.network import Link
from swim.config import Config

SHARES = {"half": 0.5, "p90": 0.9, "all": 1.0}


@dataclass
class Sample:
    """One list per measure, one element per crash."""

    suspected: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    spread: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SHARES})


def by_world(
    make: Callable[..., Config], nodes: int, crashes: int, *, loss: float = 0.0, seed: int = 1
) -> Sample:
    """Members crash, and come back, one after another."""
    detection = Detection()
    world = World(seed, nodes=nodes, config=make, byte_mode=False, start="converged", observers=[detection])
    world.settle()
    world.run_for(8)
    world.network.set_default(Link(loss=loss))
    world.run_for(5)
    sample = Sample()
    for number in range(crashes):
        world.run_for(0.37 * (number % 7))
        victim = world.nodes[f"n{1 + (number * 7919 + seed) % nodes}"]
        world.crash(victim)
        found = detection.losses[-1]
        for _ in range(1200):
            if len(found.failed) == nodes - 1:
                break
            world.run_for(0.1)
        times = sorted(found.failed.values())
        sample.suspected.append(min(found.suspected.values()))
        sample.failed.append(times[0])
        for name, share in SHARES.items():
            sample.spread[name].append(times[math.ceil(share * (nodes - 1)) - 1] - times[0])
        world.run_for(3)
        world.restart(victim)
        world.run_until(lambda world: world.converged, 60)
        world.run_for(6)
    return sample


def by_model(config: Config, nodes: int, runs: int, *, loss: float = 0.0, seed: int = 1) -> Sample:
    """As many clusters side by side."""
    sample = Sample()
    for result in simulate(config, Setup(nodes=nodes, loss=loss), seed=seed, runs=runs):
        measures = result.measures
        sample.suspected.append(measures["suspected_first"])
        sample.failed.append(measures["failed_first"])
        for name in SHARES:
            sample.spread[name].append(measures[f"failed_{name}"] - measures["failed_first"])
    return sample


def distance(one: list[float], other: list[float], *, slack: float = 0.0) -> float:
    """Kolmogorov and Smirnov's: the largest gap between the two distribution functions.

    ``slack`` is the relative error in time that is forgiven: only a gap that persists after it counts.
    """
    return max(gap(one, other, slack), gap(other, one, slack))


def gap(early: list[float], late: list[float], slack: float) -> float:
    places = np.sort(np.concatenate((early, late)))
    earlier, later = (np.sort(np.array(each)) for each in (early, late))
    share = np.searchsorted(earlier, places, side="right") / len(early)
    forgiven = np.searchsorted(later, places * (1 + slack), side="right") / len(late)
    return float((share - forgiven).max())
