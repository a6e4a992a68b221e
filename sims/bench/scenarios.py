"""What is measured: each scenario is a function from options to samples of named measures."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP

from sims.bench.engines import Engine
from sims.bench.fleet import Agent, Fleet, progress
from sims.bench.procfs import context_switches, cpu_seconds, proportional_mib, resident_mib

__all__ = ["SCENARIOS", "Options", "Samples"]

Samples = dict[str, list[float]]
"""Values of each measure, one per run (or per window); the unit stands at the end of the measure's name."""

_JOIN_TIMEOUT = 120.0
_VERDICT_TIMEOUT = 60.0
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How big, how often, how long."""

    nodes: int
    profile: str
    runs: int
    window: float
    hogs: int
    stopped: int
    stop_seconds: float


def steady(engines: Iterable[Engine], options: Options) -> dict[str, Samples]:
    """CPU and memory of idle, converged agents; all fleets idle in the same windows."""
    with ExitStack() as stack:
        fleets = [stack.enter_context(_joined_fleet(engine, options)) for engine in engines]
        _pump_all(fleets, _SETTLE_SECONDS)
        results: dict[str, Samples] = {fleet.engine.name: {} for fleet in fleets}
        for run in range(options.runs):
            progress(f"window {run + 1} of {options.runs}: {options.window:g} s")
            before = [[_usage(agent) for agent in fleet.agents] for fleet in fleets]
            _pump_all(fleets, options.window)
            for fleet, old in zip(fleets, before, strict=True):
                samples = results[fleet.engine.name]
                new = [_usage(agent) for agent in fleet.agents]
                cpu = statistics.fmean(b[0] - a[0] for a, b in zip(old, new, strict=True))
                switches = statistics.fmean(b[1] - a[1] for a, b in zip(old, new, strict=True))
                _add(samples, "cpu per node, s/min", cpu * 60 / options.window)
                _add(samples, "context switches, 1/s", switches / options.window)
                _add_memory(samples, fleet.agents)
    return results


def memory(engines: Iterable[Engine], options: Options) -> dict[str, Samples]:
    """Memory of converged agents, one process each."""
    results: dict[str, Samples] = {}
    for engine in engines:
        for _ in range(options.runs):
            with _joined_fleet(engine, options) as fleet:
                _pump_all([fleet], _SETTLE_SECONDS)
                _add_memory(results.setdefault(engine.name, {}), fleet.agents)
    return results


def join(engines: Iterable[Engine], options: Options) -> dict[str, Samples]:
    """All agents join one at the same moment: when does everybody know everybody?"""
    engines = tuple(engines)
    results: dict[str, Samples] = {engine.name: {} for engine in engines}
    for run in range(options.runs):
        for engine in engines:
            with Fleet(engine, options.profile) as fleet:
                _start(fleet, options)
                started = fleet.join_storm()
                complete = fleet.pump(fleet.is_complete, _JOIN_TIMEOUT)
                ends = [max(a.seen("joined", started).values(), default=started) for a in fleet.agents]
                samples = results[engine.name]
                _add(samples, "all complete, s", max(ends) - started if complete else _JOIN_TIMEOUT)
                _add(samples, "median agent complete, s", statistics.median(ends) - started)
                _say(run, engine, samples)
    return results


def fail(engines: Iterable[Engine], options: Options) -> dict[str, Samples]:
    """SIGKILL of one agent after another, each restarted: when is it seen as failed, and as back?"""

    def measure(fleet: Fleet, victim: Agent, samples: Samples) -> None:
        started = fleet.clock()
        victim.signal(SIGKILL)
        _add_spread(samples, "failed", fleet, victim, started)
        accused = [agent.seen("suspected", started).get(victim.place.name) for agent in fleet.agents]
        earliest = min((at for at in accused if at is not None), default=started)
        _add(samples, "first suspected, s", earliest - started)

    return _one_by_one(engines, options, measure)


def leave(engines: Iterable[Engine], options: Options) -> dict[str, Samples]:
    """One agent after another leaves gracefully and is restarted: when does everybody know that it left?"""

    def measure(fleet: Fleet, victim: Agent, samples: Samples) -> None:
        _add_spread(samples, "left", fleet, victim, fleet.leave(victim))

    return _one_by_one(engines, options, measure)


def pause(engines: Iterable[Engine], options: Options) -> dict[str, Samples]:
    """Some agents are stopped for a while and then go on: who is wrongly called failed?"""
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        for run in range(options.runs):
            with _joined_fleet(engine, options) as fleet:
                _pump_all([fleet], _SETTLE_SECONDS)
                stopped = fleet.agents[1 : 1 + options.stopped]
                started = fleet.clock()
                for agent in stopped:
                    agent.signal(SIGSTOP)
                _pump_all([fleet], options.stop_seconds)
                for agent in stopped:
                    agent.signal(SIGCONT)
                _pump_all([fleet], 20.0)
                _add_verdicts(samples, fleet, started, {agent.place.name for agent in stopped})
                _say(run, engine, samples)
    return results


def starve(engines: Iterable[Engine], options: Options) -> dict[str, Samples]:
    """Agents at nice 19 next to busy loops at nice 0: who is wrongly called failed?"""
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        for run in range(options.runs):
            with _joined_fleet(engine, options, nice=19) as fleet:
                _pump_all([fleet], _SETTLE_SECONDS)
                started = fleet.clock()
                with _Hogs(options.hogs):
                    _pump_all([fleet], options.window)
                _pump_all([fleet], 15.0)
                _add_verdicts(samples, fleet, started, set())
                _say(run, engine, samples)
    return results


class _Hogs:
    """Busy loops in processes of their own, killed at the end."""

    def __init__(self, count: int) -> None:
        command = [sys.executable, "-c", "while True: pass"]
        self._processes = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _start(fleet: Fleet, options: Options) -> None:
    progress(f"starting {options.nodes} {fleet.engine.name} agents, {options.profile} profile")
    fleet.start(options.nodes)


def _joined_fleet(engine: Engine, options: Options, *, nice: int = 0) -> Fleet:
    """A running fleet in which everybody knows everybody."""
    fleet = Fleet(engine, options.profile, nice=nice)
    try:
        _start(fleet, options)
        fleet.join_storm()
        if not fleet.pump(fleet.is_complete, _JOIN_TIMEOUT):
            raise SystemExit(f"the {engine.name} agents did not all find each other in {_JOIN_TIMEOUT:g} s")
    except BaseException:
        fleet.close()
        raise
    return fleet


def _one_by_one(
    engines: Iterable[Engine], options: Options, measure: Callable[[Fleet, Agent, Samples], None]
) -> dict[str, Samples]:
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        with _joined_fleet(engine, options) as fleet:
            _pump_all([fleet], _SETTLE_SECONDS)
            for run in range(options.runs):
                victim = fleet.agents[1]
                measure(fleet, victim, samples)
                _say(run, engine, samples)
                _add_return(samples, fleet, victim)
    return results


def _add_return(samples: Samples, fleet: Fleet, victim: Agent) -> None:
    """Starts the victim again and waits until everybody has it back."""
    fresh = fleet.restart(victim)
    started = fleet.join_one(fresh)
    _add_spread(samples, "back", fleet, fresh, started)
    _pump_all([fleet], _SETTLE_SECONDS)


def _add_spread(samples: Samples, kind: str, fleet: Fleet, subject: Agent, since: float) -> None:
    """Waits until all others saw the subject's transition; samples the first, median and last of them."""
    observers = [agent for agent in fleet.agents if agent is not subject]
    name = subject.place.name
    logged = {"back": "joined"}.get(kind, kind)

    def times() -> list[float]:
        seen = (agent.seen(logged, since).get(name) for agent in observers)
        return sorted(at for at in seen if at is not None)

    fleet.pump(lambda: len(times()) == len(observers), _VERDICT_TIMEOUT)
    delays = [at - since for at in times()]
    delays += [_VERDICT_TIMEOUT] * (len(observers) - len(delays))
    _add(samples, f"first {kind}, s", delays[0])
    _add(samples, f"median {kind}, s", statistics.median(delays))
    _add(samples, f"all {kind}, s", delays[-1])


def _add_verdicts(samples: Samples, fleet: Fleet, since: float, stopped: set[str]) -> None:
    verdicts = [
        (agent.place.name, sighting.subject)
        for agent in fleet.agents
        for sighting in agent.sightings
        if sighting.kind == "failed" and sighting.at >= since
    ]
    wrong = [subject for _, subject in verdicts if subject not in stopped]
    _add(samples, "failed, running ones", len(wrong))
    _add(samples, "running subjects called failed", len(set(wrong)))
    if stopped:
        _add(samples, "failed, stopped ones", len(verdicts) - len(wrong))


def _add_memory(samples: Samples, agents: list[Agent]) -> None:
    _add(samples, "RSS per process, MiB", statistics.fmean(resident_mib(agent.pid) for agent in agents))
    _add(samples, "PSS per process, MiB", statistics.fmean(proportional_mib(agent.pid) for agent in agents))


def _usage(agent: Agent) -> tuple[float, int]:
    return cpu_seconds(agent.pid), context_switches(agent.pid)


def _pump_all(fleets: list[Fleet], seconds: float) -> None:
    """Lets time pass for all fleets at once."""
    deadline = fleets[0].clock() + seconds
    while (left := deadline - fleets[0].clock()) > 0:
        for fleet in fleets:
            fleet.pump(lambda: False, min(left, 0.5) / len(fleets))


def _say(run: int, engine: Engine, samples: Samples) -> None:
    progress(f"run {run + 1}, {engine.name}: " + ", ".join(f"{k} {v[-1]:.3g}" for k, v in samples.items()))


def _add(samples: Samples, measure: str, value: float) -> None:
    samples.setdefault(measure, []).append(value)


SCENARIOS: dict[str, Callable[[Iterable[Engine], Options], dict[str, Samples]]] = {
    scenario.__name__: scenario for scenario in (steady, memory, join, fail, leave, pause, starve)
}
