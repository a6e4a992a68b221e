"""Whether running agents are wrongly declared failed when the machine is overloaded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from signal import SIGCONT, SIGSTOP

from sims.bench.clusters import SETTLE_SECONDS, add, joined_fleet, pump_all, say
from sims.bench.engines import Engine
from sims.bench.fleet import Fleet
from sims.bench.options import Options, Samples

__all__ = ["pause", "starve"]

_WATCHED_SECONDS = 20.0
"""How long agents are watched after they were resumed."""


def pause(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Some agents are stopped for a while and then continue: which are wrongly declared failed?"""
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        for run in range(options.runs):
            with joined_fleet(engine, options) as fleet:
                pump_all([fleet], SETTLE_SECONDS)
                stopped = fleet.agents[1 : 1 + options.stopped]
                started = fleet.clock()
                for agent in stopped:
                    agent.signal(SIGSTOP)
                pump_all([fleet], options.stop_seconds)
                resumed = fleet.clock()
                for agent in stopped:
                    agent.signal(SIGCONT)
                pump_all([fleet], _WATCHED_SECONDS)
                names = {agent.place.name for agent in stopped}
                _add_failures(samples, fleet, started, names)
                add(samples, "stopped ones back, s", _back_after(fleet, resumed, names))
                say(run, engine.name, samples)
    return results


def starve(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Agents at nice 19 next to busy loops at nice 0: which are wrongly declared failed?"""
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        for run in range(options.runs):
            with joined_fleet(engine, options, nice=19) as fleet:
                pump_all([fleet], SETTLE_SECONDS)
                started = fleet.clock()
                with _Hogs(options.hogs):
                    pump_all([fleet], options.window)
                pump_all([fleet], 15.0)
                _add_failures(samples, fleet, started, set())
                say(run, engine.name, samples)
    return results


class _Hogs:
    """Busy loops in separate processes, killed at the end."""

    def __init__(self, count: int) -> None:
        command = [sys.executable, "-c", "while True: pass"]
        self._processes = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _back_after(fleet: Fleet, resumed: float, names: set[str]) -> float:
    """Seconds until the last observer that called one of ``names`` failed saw it alive again."""
    delays = [0.0]
    for agent in fleet.agents:
        failed = agent.seen("failed")
        back = agent.seen("joined", resumed)
        delays += [back.get(name, resumed + _WATCHED_SECONDS) - resumed for name in names if name in failed]
    return max(delays)


def _add_failures(samples: Samples, fleet: Fleet, since: float, stopped: set[str]) -> None:
    failures = [
        (agent.place.name, sighting.subject)
        for agent in fleet.agents
        for sighting in agent.sightings
        if sighting.kind == "failed" and sighting.at >= since
    ]
    wrong = [subject for _, subject in failures if subject not in stopped]
    add(samples, "failed, running ones", len(wrong))
    add(samples, "running subjects called failed", len(set(wrong)))
    if stopped:
        add(samples, "failed, stopped ones", len(failures) - len(wrong))
