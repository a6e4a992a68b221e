"""Speed and size of simulated clusters: one process on one core, no agents, no Serf.

Each part is measured in its own child process, ``python -m sims.bench.world PART SEED``, so that memory is
counted separately.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from sims.bench.engines import Engine
from sims.bench.options import Options, Samples
from sims.world import World
from swim.config import Config

__all__ = ["world"]

_WARM_UP_SECONDS = {100: 150.0, 1000: 240.0}
"""Longer than a push/pull period: a pair that exchanges for the first time compares all its records."""
_STEADY_SECONDS = {100: 120.0, 1000: 60.0}
_LARGE = 10_000
_KILLED = 10
_MILLION = 1_000_000


def world(_: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """All parts, ``options.runs`` times."""
    samples: Samples = {}
    for seed in range(options.runs):
        for part in ("steady-100", "steady-1000", "kill-ten-10000", "vector-1000000"):
            command = [sys.executable, "-m", "sims.bench.world", part, str(seed)]
            for name, value in json.loads(subprocess.check_output(command, timeout=3600)).items():
                samples.setdefault(name, []).append(value)
    return {"swim": samples}


def measure(part: str, seed: int) -> dict[str, float]:
    """One part's measures."""
    if part == "vector-1000000":
        return _vector(seed)
    if part == "kill-ten-10000":
        return _kill_ten(seed)
    return _steady(int(part.rpartition("-")[2]), seed)


def _steady(nodes: int, seed: int) -> dict[str, float]:
    """A cluster at rest, byte mode, lan profile; its push/pulls included."""
    cluster = World(seed, nodes=nodes, start="converged")
    cluster.run_for(_WARM_UP_SECONDS[nodes])
    seconds, steps, began = _STEADY_SECONDS[nodes], cluster.clock.steps, time.process_time()
    cluster.run_for(seconds)
    spent = time.process_time() - began
    if not cluster.converged:
        raise RuntimeError(f"{nodes} nodes at rest do not agree")
    return {
        f"{nodes} nodes, times real time": seconds / spent,
        f"{nodes} nodes, CPU us per node-second": spent * 1e6 / (seconds * nodes),
        f"{nodes} nodes, CPU us per step": spent * 1e6 / (cluster.clock.steps - steps),
    }


def _kill_ten(seed: int) -> dict[str, float]:
    """From knowing each other to agreeing that ten are gone."""
    began = time.perf_counter()
    cluster = World(seed, nodes=_LARGE, start="converged")
    cluster.run_for(1.0)
    for node in list(cluster.nodes.values())[:_KILLED]:
        cluster.crash(node)
    if not cluster.run_until(lambda w: w.converged and w.agree, 120.0):
        raise RuntimeError(f"{_LARGE} nodes do not agree after {cluster.now:g} s")
    return {
        f"{_LARGE} nodes lose {_KILLED}, s": time.perf_counter() - began,
        f"{_LARGE} nodes lose {_KILLED}, virtual s": cluster.now - 1.0,
        f"{_LARGE} nodes, peak RSS, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _vector(seed: int) -> dict[str, float]:
    """One kill among a million until 99.99 % know."""
    from sims.model import Setup, simulate

    began = time.perf_counter()
    [outcome] = simulate(Config.lan(name="model"), Setup(nodes=_MILLION, kills=1), seed=seed)
    return {
        "10^6 in the vector model, s": time.perf_counter() - began,
        "10^6 in the vector model, virtual s": outcome.seconds,
        "10^6 in the vector model, peak RSS, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
