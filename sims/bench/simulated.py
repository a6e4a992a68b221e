"""Does the simulator tell the truth? The same kills, joins and leaves in a ``World`` and in ``swim cluster``.

Both run the same script with the same settings: from the moment all know each other one node after another is
killed, restarted (that is the join) and leaves. Compared is when the last of the others knows.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sims.bench.clusters import add
from sims.bench.engines import Engine
from sims.bench.fleet import progress
from sims.bench.options import Options, Samples
from sims.observer import Observer
from sims.simnode import SimNode, address_of
from sims.world import World
from swim.cli.cluster_run import ClusterPlan
from swim.events import Event, MemberEvent

__all__ = ["simulated"]

_LINE = re.compile(r"^ *(\d+\.\d+)  (node-\d+)  (node-\d+) (\w+)  ", re.MULTILINE)
_KILL, _RESTART, _LEAVE, _ROUND = 5.0, 40.0, 50.0, 75.0
"""When what happens within a round, seconds; a round's node is back for good before the next one begins."""


class _Step(NamedTuple):
    at: float
    verb: str
    node: str
    seen_as: str


class _Sighting(NamedTuple):
    at: float
    observer: str
    subject: str
    kind: str


def simulated(_: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Virtual and real time until everybody knows, side by side; ``options.runs`` rounds of each."""
    steps = list(_steps(options))
    real = _real(options, steps)
    results: dict[str, Samples] = {"simulated": {}, "real": {}}
    for step in steps:
        add(results["real"], f"{step.verb}, all know, s", _last(step, real, options.nodes))
    for seed in range(10):
        sightings = _virtual(options, steps, seed)
        for step in steps:
            add(results["simulated"], f"{step.verb}, all know, s", _last(step, sightings, options.nodes))
    return results


def _steps(options: Options) -> Iterable[_Step]:
    for index in range(options.runs):
        node, start = f"node-{index % (options.nodes - 1) + 2}", index * _ROUND
        yield _Step(start + _KILL, "kill", node, "failed")
        yield _Step(start + _RESTART, "restart", node, "joined")
        yield _Step(start + _LEAVE, "leave", node, "left")
        yield _Step(start + _LEAVE + 10, "restart", node, "joined")


def _last(step: _Step, sightings: Sequence[_Sighting], nodes: int) -> float:
    """Seconds from a step until the last of the others saw it."""
    first: dict[str, float] = {}
    for seen in sightings:
        if seen.subject == step.node != seen.observer and seen.kind == step.seen_as and seen.at >= step.at:
            first.setdefault(seen.observer, seen.at)
    if len(first) != nodes - 1:
        raise RuntimeError(f"only {len(first)} of {nodes - 1} nodes saw {step.verb} of {step.node}")
    return max(first.values()) - step.at


def _real(options: Options, steps: Sequence[_Step]) -> list[_Sighting]:
    script = "; ".join(f"{step.at:g}s {step.verb} {step.node}" for step in steps)
    seconds = options.runs * _ROUND
    progress(f"swim cluster: {options.nodes} nodes for {seconds:g} s")
    size = [f"--nodes={options.nodes}", f"--profile={options.profile}", f"--for={seconds:g}"]
    command = [sys.executable, "-m", "swim", "cluster", *size, "--bind-base=0", "--http-base=0"]
    done = subprocess.run(
        [*command, f"--script={script}"], capture_output=True, text=True, timeout=seconds + 120, check=False
    )
    found = [_Sighting(float(at), *rest) for at, *rest in _LINE.findall(done.stdout)]
    if not found:
        raise RuntimeError(f"swim cluster ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return found


class _Sightings(Observer):
    def __init__(self) -> None:
        self.seen: list[_Sighting] = []

    def event(self, world: World, node: SimNode, event: Event) -> None:
        if isinstance(event, MemberEvent):
            kind = type(event).__name__.removeprefix("Member").lower()
            self.seen.append(_Sighting(world.now, node.name, event.member.name, kind))


def _virtual(options: Options, steps: Sequence[_Step], seed: int) -> list[_Sighting]:
    progress(f"simulated: seed {seed}")
    watch = _Sightings()
    world = World(seed, nodes=0, observers=[watch])
    plan = ClusterPlan(options.nodes, options.profile, 0, 0, label="", keys=(), seed=seed)
    binds: list[str] = []
    for index in range(options.nodes):
        endpoint = world.fresh_endpoint()
        bind = address_of(endpoint)
        name = f"node-{index + 1}"
        world.add(name, endpoint=endpoint, config=plan.config(name, bind, binds))
        binds.append(bind)
    world.settle()
    began = world.now
    acts: dict[str, Callable[[str], object]] = {
        "kill": world.crash,
        "restart": lambda node: world.restart(node, snapshot=False),
        "leave": world.leave,
    }
    for step in steps:
        world.at(began + step.at, acts[step.verb], step.node)
    world.run_for(options.runs * _ROUND)
    return [seen._replace(at=seen.at - began) for seen in watch.seen]
