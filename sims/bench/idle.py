"""The cost of an idle node."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack

from sims.bench.clusters import SETTLE_SECONDS, add, joined_fleet, pump_all, shared_process
from sims.bench.engines import ENGINES, Engine
from sims.bench.fleet import Agent, Fleet, progress
from sims.bench.options import Options, Samples
from sims.bench.procfs import context_switches, cpu_seconds, proportional_mib, resident_mib

__all__ = ["memory", "one_process", "steady"]


def steady(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """CPU and memory of idle, converged agents; all fleets idle in the same windows."""
    with ExitStack() as stack:
        fleets = [stack.enter_context(joined_fleet(engine, options)) for engine in engines]
        pump_all(fleets, SETTLE_SECONDS)
        results: dict[str, Samples] = {fleet.engine.name: {} for fleet in fleets}
        for run in range(options.runs):
            progress(f"window {run + 1} of {options.runs}: {options.window:g} s")
            _add_window(results, fleets, options.window)
            for fleet in fleets:
                _add_memory(results[fleet.engine.name], fleet.agents)
    return results


def memory(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Memory of converged agents, one process each."""
    results: dict[str, Samples] = {}
    for engine in engines:
        for _ in range(options.runs):
            with joined_fleet(engine, options) as fleet:
                pump_all([fleet], SETTLE_SECONDS)
                _add_memory(results.setdefault(engine.name, {}), fleet.agents)
    return results


def one_process(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """CPU and memory per node of one ``swim cluster`` of N nodes; N Serf agents idle at the same time."""
    with ExitStack() as stack:
        serf = ENGINES["serf"]
        fleets = [stack.enter_context(joined_fleet(serf, options))] if serf in engines else []
        alone, shared = (stack.enter_context(shared_process(nodes, options)) for nodes in (1, options.nodes))
        pump_all([*fleets, alone, shared], SETTLE_SECONDS)
        ours: Samples = {}
        results = {**{fleet.engine.name: {} for fleet in fleets}, "swim": ours}
        lone_pid, pid = alone.agents[0].pid, shared.agents[0].pid
        for run in range(options.runs):
            progress(f"window {run + 1} of {options.runs}: {options.window:g} s")
            before = cpu_seconds(pid)
            _add_window(results, fleets, options.window, beside=(alone, shared))
            cpu = (cpu_seconds(pid) - before) / options.nodes
            add(ours, "cpu per node, s/min", cpu * 60 / options.window)
            further = (resident_mib(pid) - resident_mib(lone_pid)) / max(1, options.nodes - 1)
            add(ours, "RSS per further node, MiB", further)
    return results


def _add_window(
    results: dict[str, Samples], fleets: Sequence[Fleet], seconds: float, *, beside: Sequence[Fleet] = ()
) -> None:
    """Samples one window of idling; the fleets ``beside`` are kept going too."""
    before = [[_usage(agent) for agent in fleet.agents] for fleet in fleets]
    pump_all([*fleets, *beside], seconds)
    for fleet, old in zip(fleets, before, strict=True):
        new = [_usage(agent) for agent in fleet.agents]
        cpu = statistics.fmean(b[0] - a[0] for a, b in zip(old, new, strict=True))
        switches = statistics.fmean(b[1] - a[1] for a, b in zip(old, new, strict=True))
        add(results[fleet.engine.name], "cpu per node, s/min", cpu * 60 / seconds)
        add(results[fleet.engine.name], "context switches, 1/s", switches / seconds)


def _add_memory(samples: Samples, agents: list[Agent]) -> None:
    add(samples, "RSS per process, MiB", statistics.fmean(resident_mib(agent.pid) for agent in agents))
    add(samples, "PSS per process, MiB", statistics.fmean(proportional_mib(agent.pid) for agent in agents))


def _usage(agent: Agent) -> tuple[float, int]:
    return cpu_seconds(agent.pid), context_switches(agent.pid)
