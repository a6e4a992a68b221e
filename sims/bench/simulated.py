"""Does the simulator tell the truth? The same kills, joins and leaves in a ``World`` and in ``swim cluster``.

Both play the same script with the same settings, and both leave a trace: nodes are killed, restarted (that is
the join) and leave, one after another. Compared is how long it takes until the last of the others knows. The
virtual packets travel as long as the real ones did, by the quantiles of the real trace; what a process needs
to start is left out by counting a join from the newcomer's first stream.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sims.bench.engines import Engine
from sims.bench.fleet import progress
from sims.bench.options import Options, Samples
from sims.latency import Empirical
from sims.network import Link, Network
from sims.simnode import address_of
from sims.trace import TraceWriter
from sims.world import World
from swim.cli.cluster_run import ClusterPlan

__all__ = ["simulated"]

_SEEDS = 10
_ROUND = 75.0
_STEPS = ((5.0, "kill"), (40.0, "restart"), (50.0, "leave"), (60.0, "restart"))
"""What happens to a node within its round, seconds; it is back for good before the next one's turn."""
_MEASURES = {"crash": ("kill", "failed"), "restart": ("join", "joined"), "leave": ("leave", "left")}
"""By the fault in a trace: what the measure is called, and the event that tells of it."""
_QUANTILES = 200

Records = list[dict[str, Any]]


class _Step(NamedTuple):
    at: float
    verb: str
    node: str


def simulated(_: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Virtual and real time until everybody knows, side by side; ``options.runs`` rounds of each."""
    steps = list(_steps(options))
    real = _real(options, steps)
    network = Network(Link(latency=_latency(real)))
    results: dict[str, Samples] = {"simulated": {}, "real": _durations(real, options.nodes)}
    for seed in range(_SEEDS):
        for name, values in _durations(_virtual(options, steps, seed, network), options.nodes).items():
            results["simulated"].setdefault(name, []).extend(values)
    return results


def _steps(options: Options) -> Iterator[_Step]:
    for index in range(options.runs):
        node = f"node-{index % (options.nodes - 1) + 2}"
        yield from (_Step(index * _ROUND + at, verb, node) for at, verb in _STEPS)


def _real(options: Options, steps: Sequence[_Step]) -> Records:
    script = "; ".join(f"{step.at:g}s {step.verb} {step.node}" for step in steps)
    seconds = options.runs * _ROUND
    progress(f"swim cluster: {options.nodes} nodes for {seconds:g} s")
    size = [f"--nodes={options.nodes}", f"--profile={options.profile}", f"--for={seconds:g}"]
    command = [sys.executable, "-m", "swim", "cluster", *size, "--bind-base=0", "--http-base=0"]
    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory, "trace.jsonl")
        done = subprocess.run(
            [*command, f"--script={script}", f"--trace={trace}"],
            capture_output=True,
            text=True,
            timeout=seconds + 120,
            check=False,
        )
        if done.returncode not in (0, 5):
            raise RuntimeError(f"swim cluster ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return _parsed(trace.read_text(encoding="ascii").splitlines())


def _virtual(options: Options, steps: Sequence[_Step], seed: int, network: Network) -> Records:
    progress(f"simulated: seed {seed}")
    lines: list[str] = []
    world = World(seed, nodes=0, network=network, observers=[TraceWriter(lines.append)])
    plan = ClusterPlan(options.nodes, options.profile, 0, 0, label="", keys=(), seed=seed)
    binds: list[str] = []
    for index in range(options.nodes):
        endpoint = world.fresh_endpoint()
        name, bind = f"node-{index + 1}", address_of(endpoint)
        world.add(name, endpoint=endpoint, config=plan.config(name, bind, binds))
        binds.append(bind)
    world.settle()
    acts: dict[str, Callable[[str], object]] = {
        "kill": world.crash,
        "restart": lambda node: world.restart(node, snapshot=False),
        "leave": world.leave,
    }
    for step in steps:
        world.at(world.now + step.at, acts[step.verb], step.node)
    world.run_for(options.runs * _ROUND)
    return _parsed(lines)


def _parsed(lines: Iterable[str]) -> Records:
    return [json.loads(line) for line in lines]


def _latency(records: Records) -> Empirical:
    """How long packets travelled from node to node, the process's own work included."""
    sent = {record["packet"]: record["at"] for record in records if record["kind"] == "send"}
    took = sorted(
        record["at"] - sent[record["packet"]]
        for record in records
        if record["kind"] == "recv" and record["packet"] in sent
    )
    last = len(took) - 1
    return Empirical(tuple(round(took[last * i // _QUANTILES], 6) for i in range(_QUANTILES + 1)))


def _durations(records: Records, nodes: int) -> Samples:
    """For every kill, join and leave, the seconds until the last of the others knew."""
    samples: Samples = {}
    for index, record in enumerate(records):
        if record["kind"] == "fault" and record["fault"] in _MEASURES:
            name, event = _MEASURES[record["fault"]]
            rest = records[index + 1 :]
            began = _first_stream(rest, record["node"]) if name == "join" else record["at"]
            samples.setdefault(f"{name}, all know, s", []).append(
                _last(rest, record["node"], event, nodes) - began
            )
    return samples


def _first_stream(records: Records, node: str) -> float:
    return next(
        float(r["at"]) for r in records if r["kind"] == "stream" and r["step"] == "dial" and r["from"] == node
    )


def _last(records: Records, node: str, event: str, nodes: int) -> float:
    """When the last of the other nodes had that event about ``node``."""
    first: dict[str, float] = {}
    for record in records:
        if (
            record["kind"] == "event"
            and record["event"] == event
            and record["member"] == node != record["node"]
        ):
            first.setdefault(record["node"], record["at"])
            if len(first) == nodes - 1:
                return float(record["at"])
    raise RuntimeError(f"only {len(first)} of {nodes - 1} nodes saw that {node} {event}")
