"""Is the simulator accurate? The same kills, joins and leaves in a ``World`` and in ``swim cluster``.

Both run the same script with the same settings, and both write a trace: nodes are killed, restarted (that is
the join) and leave, one after another. The measure is the time until the last of the others knows. Virtual
packets take as long as the real ones did, and the virtual nodes share one processor whose work takes as long
as in the real process, both by the quantiles of the real trace. The start of a process is excluded by
counting a join from the newcomer's first stream.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from sims.bench.engines import Engine
from sims.bench.fleet import progress
from sims.bench.options import Options, Samples
from sims.traces.writer import TraceWriter
from sims.world import World
from sims.world.cpu import Processor
from sims.world.latency import Empirical, Latency
from sims.world.network import Link, Network
from swim.addresses import join_host_port
from swim.cli.cluster.node import ClusterPlan

__all__ = ["simulated"]

_SEEDS = 10
_ROUND = 75.0
_STEPS = ((5.0, "kill"), (40.0, "restart"), (50.0, "leave"), (60.0, "restart"))
"""The faults of a node within its round, seconds; it is back for good before the next node's round."""
_MEASURES = {"crash": ("kill", "failed"), "restart": ("join", "joined"), "leave": ("leave", "left")}
"""By the fault in a trace: the name of the measure, and the event that shows it."""
_QUANTILES = 200
_AT_ONCE = 0.001
"""Maximum seconds between two sends of which the second did not wait for anything."""

Records = list[dict[str, Any]]


class _Costs(NamedTuple):
    """The costs of each kind of work, in one process that runs all nodes."""

    travel: Latency
    packet: Latency
    timer: Latency
    stream: Latency
    send: Latency


class _Step(NamedTuple):
    at: float
    verb: str
    node: str


def simulated(_: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Virtual and real time until all nodes know, side by side; ``options.runs`` rounds of each."""
    steps = list(_steps(options))
    real = _real(options, steps)
    costs = _costs(real)
    results: dict[str, Samples] = {"simulated": {}, "real": _durations(real, options.nodes)}
    for seed in range(_SEEDS):
        for name, values in _durations(_virtual(options, steps, seed, costs), options.nodes).items():
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


def _virtual(options: Options, steps: Sequence[_Step], seed: int, costs: _Costs) -> Records:
    progress(f"simulated: seed {seed}")
    lines: list[str] = []
    network = Network(Link(latency=costs.travel))
    world = World(seed, nodes=0, network=network, observers=[TraceWriter(lines.append)])
    processor = Processor(world, packet=costs.packet, timer=costs.timer, stream=costs.stream, send=costs.send)
    plan = ClusterPlan(options.nodes, options.profile, 0, 0, label="", keys=(), seed=seed)
    binds: list[str] = []
    for index in range(options.nodes):
        endpoint = world.fresh_endpoint()
        name, bind = f"node-{index + 1}", join_host_port(*endpoint)
        world.add(name, endpoint=endpoint, config=plan.config(name, bind, binds)).processor = processor
        binds.append(bind)
    names = list(world.nodes)
    configs = {
        name: plan.config(name, bind, (other for other in binds if other != bind))
        for name, bind in zip(names, binds, strict=True)
    }
    world.settle()
    acts: dict[str, Callable[[str], object]] = {
        "kill": world.crash,
        "restart": lambda node: world.restart(node, snapshot=False, config=configs[node]),
        "leave": world.leave,
    }
    for step in steps:
        world.at(world.now + step.at, acts[step.verb], step.node)
    world.run_for(options.runs * _ROUND)
    return _parsed(lines)


def _parsed(lines: Iterable[str]) -> Records:
    return [json.loads(line) for line in lines]


def _costs(records: Records) -> _Costs:
    """Extracts the costs of one core from a real trace; all nodes share a process."""
    records = [record for record in records if record["kind"] in ("send", "recv", "stream")]
    sent = {record["packet"]: record["at"] for record in records if record["kind"] == "send"}
    pairs = [
        (before, after, after["at"] - before["at"], (before["kind"], after["kind"]))
        for before, after in pairwise(records)
    ]
    exchanges = zip(records, records[1:], records[2:], strict=False)
    samples = {
        # Nothing else happened while these packets travelled.
        "travel": [
            seconds
            for before, after, seconds, kinds in pairs
            if kinds == ("send", "recv") and before["packet"] == after["packet"]
        ],
        # The second was there before the first was read: what lies between is work.
        "packet": [
            seconds
            for before, after, seconds, kinds in pairs
            if kinds == ("recv", "recv") and sent.get(after["packet"], inf) < before["at"]
        ],
        # One node after another wakes up to gossip.
        "timer": [
            seconds
            for before, after, seconds, kinds in pairs
            if kinds == ("send", "send") and before["from"] != after["from"] and seconds < _AT_ONCE
        ],
        # An exchange that nothing interrupted is two steps: the push, and the answer.
        "stream": [
            (answer["at"] - dial["at"]) / 2
            for dial, push, answer in exchanges
            if [record.get("step") for record in (dial, push, answer)] == ["dial", "data", "data"]
            and dial["stream"] == push["stream"] == answer["stream"]
        ],
        "send": [
            seconds
            for before, after, seconds, kinds in pairs
            if kinds == ("send", "send") and before["from"] == after["from"] and seconds < _AT_ONCE
        ],
    }
    return _Costs(**{what: _quantiles(what, seconds) for what, seconds in samples.items()})


def _quantiles(what: str, seconds: Iterable[float]) -> Empirical:
    values = sorted(seconds)
    if not values:
        raise RuntimeError(f"the real trace has no sample of a {what}: more runs may have one")
    last = len(values) - 1
    return Empirical(tuple(round(values[last * i // _QUANTILES], 6) for i in range(_QUANTILES + 1)))


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
