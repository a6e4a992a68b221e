"""How long it takes until every agent knows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import random
from signal import SIGKILL

from sims.bench.clusters import JOIN_TIMEOUT, SETTLE_SECONDS, add, joined_fleet, pump_all, say, start_all
from sims.bench.engines import Engine, Place
from sims.bench.far_host import FarHost
from sims.bench.fleet import Agent, Fleet
from sims.bench.options import Options, Samples
from sims.bench.ports import free_port

__all__ = ["fail", "host_gone", "join", "leave"]

_DETECTION_TIMEOUT = 60.0
_PERIOD = 1.0
"""Seconds between two probes of an agent. After two for each agent, each has pinged each, and ours may dial
every other: streams go only to addresses that acked a ping. In a younger cluster ours are as fast as Serf."""


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
                say(run, engine.name, samples)
    return results


def fail(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """SIGKILL of one agent after another, each restarted: when is it seen as failed, and as back?"""

    def measure(fleet: Fleet, victim: Agent, samples: Samples) -> None:
        started = fleet.clock()
        victim.signal(SIGKILL)
        _add_failure(samples, fleet, victim, started)

    return _one_by_one(engines, options, measure, options.mixed)


def host_gone(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """The host of one agent vanishes, again and again: when is the agent seen as failed?"""
    with FarHost() as far:

        def start(engine: Engine) -> Fleet:
            near = replace(options, nodes=max(1, options.nodes - 1))
            fleet = joined_fleet(engine, near, host=far.near)
            try:
                fresh = fleet.add(Place("far", free_port(), free_port(), far.address, far.namespace))
                fleet.agents.insert(1, fleet.agents.pop())
                fleet.join_one(fleet.agents[0], fresh.place)
                fleet.pump(fleet.is_complete, JOIN_TIMEOUT)
            except BaseException:
                fleet.close()
                raise
            return fleet

        def measure(fleet: Fleet, victim: Agent, samples: Samples) -> None:
            started = fleet.clock()
            far.unplug()
            _add_failure(samples, fleet, victim, started)
            victim.end()
            far.plug()

        return _one_by_one(engines, options, measure, start=start)


def leave(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """One agent after another leaves gracefully and is restarted: when do all know that it left?"""

    def measure(fleet: Fleet, victim: Agent, samples: Samples) -> None:
        _add_spread(samples, "left", fleet, victim, fleet.leave(victim))

    return _one_by_one(engines, options, measure)


def _one_by_one(
    engines: Sequence[Engine],
    options: Options,
    measure: Callable[[Fleet, Agent, Samples], None],
    is_mixed: bool = False,
    start: Callable[[Engine], Fleet] | None = None,
) -> dict[str, Samples]:
    starts = {
        engine.name: partial(start or partial(joined_fleet, options=options), engine) for engine in engines
    }
    if is_mixed and len(engines) > 1:
        starts["half each"] = partial(joined_fleet, engines[0], options, second=engines[1])
    results: dict[str, Samples] = {}
    for name, begin in starts.items():
        samples = results.setdefault(name, {})
        with begin() as fleet:
            pump_all([fleet], max(SETTLE_SECONDS, 2 * options.nodes * _PERIOD))
            for run in range(options.runs):
                fleet.pump(lambda: False, random())  # no run begins at a certain moment of the probe interval
                victim = fleet.agents[1]
                measure(fleet, victim, samples)
                say(run, name, samples)
                _add_return(samples, fleet, victim)
    return results


def _add_return(samples: Samples, fleet: Fleet, victim: Agent) -> None:
    """Restarts the victim and waits until all others list it as alive again."""
    fresh = fleet.restart(victim)
    if fresh.place.namespace:  # its control port is out of reach
        fleet.agents.insert(1, fleet.agents.pop())
        started = fleet.join_one(fleet.agents[0], fresh.place)
    else:
        started = fleet.join_one(fresh)
    _add_spread(samples, "back", fleet, fresh, started)
    pump_all([fleet], SETTLE_SECONDS)


def _add_failure(samples: Samples, fleet: Fleet, victim: Agent, since: float) -> None:
    _add_spread(samples, "failed", fleet, victim, since)
    accused = [agent.seen("suspected", since).get(victim.place.name) for agent in fleet.agents]
    earliest = min((at for at in accused if at is not None), default=since)
    add(samples, "first suspected, s", earliest - since)


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
