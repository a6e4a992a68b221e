"""How long it takes until every agent knows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import product
from random import random
from signal import SIGKILL

from sims.bench.clusters import JOIN_TIMEOUT, SETTLE_SECONDS, add, joined_fleet, pump_all, say, start_all
from sims.bench.engines import Engine
from sims.bench.far_host import FarHost, Lan
from sims.bench.fleet import Agent, Fleet
from sims.bench.options import Options, Samples

__all__ = ["fail", "host_gone", "join", "leave"]

_DETECTION_TIMEOUT = 60.0
_PERIOD = 1.0
"""Seconds between two probes of an agent. After two for each agent, each has pinged each, and ours may dial
every other: streams go only to addresses that acked a ping. In a younger cluster ours are as fast as Serf.
After one for each agent without a crash, interleaved probes are evenly spread again."""


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
    """SIGKILL of one agent after another: when is each seen as failed?"""

    def start(engine: Engine, second: Engine | None, _victims: int, exits: ExitStack) -> Fleet:
        return exits.enter_context(joined_fleet(engine, options, second=second))

    return _crashes(engines, options, start, lambda victim: victim.signal(SIGKILL))


def host_gone(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """The host of one agent after another vanishes: when is each seen as failed?"""
    with Lan() as lan:
        hosts: dict[str, FarHost] = {}

        def start(engine: Engine, second: Engine | None, victims: int, exits: ExitStack) -> Fleet:
            far = [exits.enter_context(lan.host()) for _ in range(victims)]
            hosts.update((host.address, host) for host in far)
            return exits.enter_context(joined_fleet(engine, options, host=lan.near, second=second, far=far))

        return _crashes(engines, options, start, lambda victim: hosts[victim.place.host].unplug())


def leave(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """One agent after another leaves gracefully and is restarted: when do all know that it left?"""
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        with joined_fleet(engine, options) as fleet:
            _settle([fleet], options)
            for run in range(options.runs):
                victim = fleet.agents[1]
                _add_spread(samples, "left", fleet, victim, fleet.leave(victim))
                say(run, engine.name, samples)
                fresh = fleet.restart(victim)
                _add_spread(samples, "back", fleet, fresh, fleet.join_one(fresh))
                pump_all([fleet], SETTLE_SECONDS)
    return results


def _crashes(
    engines: Sequence[Engine],
    options: Options,
    start: Callable[[Engine, Engine | None, int, ExitStack], Fleet],
    crash: Callable[[Agent], None],
) -> dict[str, Samples]:
    """One agent after another crashes for good, in a fleet of each kind in turn.

    The last agents of a fleet crash, a fifth of all at most; for more runs, other fleets start.

    Args:
        engines: one kind of fleet each.
        options: of the run.
        start: makes a fleet of one engine, or of two, of which a number of the last agents will crash.
        crash: ends an agent.
    """
    kinds: dict[str, tuple[Engine, Engine | None]] = {engine.name: (engine, None) for engine in engines}
    if options.mixed:
        kinds["half each"] = (engines[0], engines[1])
    results: dict[str, Samples] = {name: {} for name in kinds}
    most = max(1, options.nodes // 5)
    for first in range(0, options.runs, most):
        victims = min(most, options.runs - first)
        with ExitStack() as exits:
            fleets = {name: start(*kind, victims, exits) for name, kind in kinds.items()}
            _settle(list(fleets.values()), options)
            for run, (name, fleet) in product(range(first, first + victims), fleets.items()):
                # No crash comes at a certain moment of the probe interval, or soon after another one.
                pause = max(SETTLE_SECONDS, options.nodes * _PERIOD) / len(fleets)
                pump_all(list(fleets.values()), pause + random())
                victim, started = fleet.agents[-1], fleet.clock()
                crash(victim)
                _add_spread(results[name], "failed", fleet, victim, started)
                accused = [agent.seen("suspected", started).get(victim.place.name) for agent in fleet.agents]
                earliest = min((at for at in accused if at is not None), default=started)
                add(results[name], "first suspected, s", earliest - started)
                fleet.remove(victim)
                say(run, name, results[name])
    return results


def _settle(fleets: Sequence[Fleet], options: Options) -> None:
    pump_all(fleets, max(SETTLE_SECONDS, 2 * options.nodes * _PERIOD))


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
