"""A planted bug: a patch of the core that some checker has to notice, and the script that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sims.checkers import Checker
from sims.errors import ViolationError
from sims.faults.schedule import Schedule
from sims.world import World
from swim.config import Config

SEEDS = range(3)
"""A planted bug has to be noticed with one of these."""


def quick(**settings: Any) -> Config:
    """The lan profile, with what follows a fault coming sooner."""
    sooner = {
        "push_pull_interval": 2.0,
        "rejoin_interval": 1.0,
        "rejoin_interval_alone": 1.0,
        "gossip_to_the_dead_time": 12.0,
        "awareness_max_multiplier": 2,
        "suspicion_max_timeout_mult": 3,
    }
    return Config.lan(**(sooner | settings))


def nothing_more(world: World) -> None:
    """No preparation."""


@dataclass(frozen=True)
class Script:
    """What happens in a run.

    Attributes:
        faults: applied at time 0.
        seconds: how long the run is.
        nodes: how many join at time 0.
        config: of every node.
        prepare: what no fault can say, done at time 0.
    """

    faults: Schedule
    seconds: float
    nodes: int = 6
    config: Callable[..., Config] = quick
    prepare: Callable[[World], None] = nothing_more

    def play(self, seed: int, checkers: Iterable[Checker]) -> World:
        """Runs it to the end, or to the first violation."""
        checkers = list(checkers)
        world = World(seed, nodes=self.nodes, config=self.config, observers=checkers)
        self.faults.apply(world)
        self.prepare(world)
        world.run_for(self.seconds)
        for checker in checkers:
            checker.finish(world)
        return world


@dataclass(frozen=True)
class Bug:
    """A patch, in one sentence, with the script that shows it and the checker that has to notice.

    Attributes:
        name: short, with dashes.
        sentence: what the patched core does wrong.
        plant: patches the core.
        script: where it shows.
        catcher: the checker that notices it, alone.
    """

    name: str
    sentence: str
    script: Script
    catcher: type[Checker]
    plant: Callable[[pytest.MonkeyPatch], None] = field(repr=False)


BUGS: dict[str, Bug] = {}


def bug(
    sentence: str, script: Script, catcher: type[Checker]
) -> Callable[[Callable[[pytest.MonkeyPatch], None]], Callable[[pytest.MonkeyPatch], None]]:
    """Registers the decorated patch under its own name."""

    def register(plant: Callable[[pytest.MonkeyPatch], None]) -> Callable[[pytest.MonkeyPatch], None]:
        name = plant.__name__.replace("_", "-")
        BUGS[name] = Bug(name, sentence, script, catcher, plant)
        return plant

    return register


def catch(planted: Bug, checker: type[Checker], seeds: Iterable[int] = SEEDS) -> ViolationError | None:
    """The first violation that one checker alone finds in the script with the bug in place."""
    for seed in seeds:
        with pytest.MonkeyPatch.context() as patch:
            planted.plant(patch)
            try:
                planted.script.play(seed, [checker()])
            except ViolationError as violation:
                return violation
    return None
