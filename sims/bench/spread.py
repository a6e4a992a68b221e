"""How long it takes until every agent knows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from signal import SIGKILL

from sims.bench.clusters import JOIN_TIMEOUT, SETTLE_SECONDS, add, joined_fleet, pump_all, say, start_all
from sims.bench.engines import Engine
from sims.bench.fleet import Agent, Fleet
from sims.bench.options import Options, Samples

__all__ = ["fail", "join", "leave"]

_DETECTION_TIMEOUT = 60.0


def join(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """All agents join one at the same moment: when do all know each other?"""
    results: dict[str, Samples] = {engine.name: {} for engine in engines}
    for run in range(options.runs):
        for engine in engines:
            with Fleet(engine, options.profile) as fleet:
                start_all(fleet, options)
                started = fleet.join_storm()
                complete = fleet.pump(fleet.is_complete, JOIN_TIMEOUT)
                ends = [max(a.seen("joined", started).values(), default=started) for a in fleet.agents]
                samples = results[engine.name]
                add(samples, "all complete, s", max(ends) - started if complete else JOIN_TIMEOUT)
                add(samples, "median agent complete, s", statistics.median(ends) - started)
                say(run, engine, samples)
    return results


def fail(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """SIGKILL of one agent after another, each restarted: when is it seen as failed, and as back?"""

    def measure(fleet: Fleet, victim: Agent, samples: Samples) -> None:
        started = fleet.clock()
        victim.signal(SIGKILL)
        _add_spread(samples, "failed", fleet, victim, started)
        accused = [agent.seen("suspected", started).get(victim.place.name) for agent in fleet.agents]
        earliest = min((at for at in accused if at is not None), default=started)
        add(samples, "first suspected, s", earliest - started)

    return _one_by_one(engines, options, measure)


def leave(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """One agent after another leaves gracefully and is restarted: when do all know that it left?"""

    def measure(fleet: Fleet, victim: Agent, samples: Samples) -> None:
        _add_spread(samples, "left", fleet, victim, fleet.leave(victim))

    return _one_by_one(engines, options, measure)


def _one_by_one(
    engines: Sequence[Engine], options: Options, measure: Callable[[Fleet, Agent, Samples], None]
) -> dict[str, Samples]:
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        with joined_fleet(engine, options) as fleet:
            pump_all([fleet], SETTLE_SECONDS)
            for run in range(options.runs):
                victim = fleet.agents[1]
                measure(fleet, victim, samples)
                say(run, engine, samples)
                _add_return(samples, fleet, victim)
    return results


def _add_return(samples: Samples, fleet: Fleet, victim: Agent) -> None:
    """Restarts the victim and waits until all others list it as alive again."""
    fresh = fleet.restart(victim)
    started = fleet.join_one(fresh)
    _add_spread(samples, "back", fleet, fresh, started)
    pump_all([fleet], SETTLE_SECONDS)


def _add_spread(samples: Samples, kind: str, fleet: Fleet, subject: Agent, since: float) -> None:
    """Waits until all others saw the subject's transition; samples the first, median and last of them."""
    observers = [agent for agent in fleet.agents if agent is not subject]
    name = subject.place.name
    logged = {"back": "joined"}.get(kind, kind)

    def times() -> list[float]:
        seen = (agent.seen(logged, since).get(name) for agent in observers)
        return sorted(at for at in seen if at is not None)

    fleet.pump(lambda: len(times()) == len(observers), _DETECTION_TIMEOUT)
    delays = [at - since for at in times()]
    delays += [_DETECTION_TIMEOUT] * (len(observers) - len(delays))
    add(samples, f"first {kind}, s", delays[0])
    add(samples, f"median {kind}, s", statistics.median(delays))
    add(samples, f"all {kind}, s", delays[-1])
