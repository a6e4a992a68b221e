"""Starts fleets, keeps them running, and takes samples from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sims.bench.engines import Engine, Place, SharedProcess
from sims.bench.far_host import FarHost
from sims.bench.fleet import Fleet, progress
from sims.bench.options import Options, Samples
from sims.bench.ports import free_port

__all__ = [
    "JOIN_TIMEOUT",
    "SETTLE_SECONDS",
    "add",
    "joined_fleet",
    "pump_all",
    "say",
    "shared_process",
    "start_all",
]

JOIN_TIMEOUT = 120.0
SETTLE_SECONDS = 10.0


def start_all(fleet: Fleet, options: Options) -> None:
    """Starts the agents, which don't know each other yet."""
    progress(f"starting {options.nodes} {fleet.engine.name} agents, {options.profile} profile")
    fleet.start(options.nodes)


def joined_fleet(
    engine: Engine,
    options: Options,
    *,
    nice: int = 0,
    host: str = "127.0.0.1",
    second: Engine | None = None,
    far: Sequence[FarHost] = (),
) -> Fleet:
    """A running fleet, a context manager, in which all agents know each other; the last ones are ``far``."""
    fleet = Fleet(engine, options.profile, nice=nice, host=host, second=second)
    try:
        start_all(fleet, replace(options, nodes=options.nodes - len(far)))
        fleet.join_storm()
        for each in far:  # their control ports are out of reach, so they are joined
            place = Place(each.namespace, free_port(), free_port(), each.address, each.namespace)
            fleet.join_one(fleet.agents[0], fleet.add(place).place)
        if not fleet.pump(fleet.is_complete, JOIN_TIMEOUT):
            raise SystemExit(f"the {engine.name} agents did not all find each other in {JOIN_TIMEOUT:g} s")
    except BaseException:
        fleet.close()
        raise
    return fleet


def shared_process(nodes: int, options: Options) -> Fleet:
    """A running ``swim cluster``, a context manager, in which all nodes know each other."""
    engine = SharedProcess(nodes)
    fleet = Fleet(engine, options.profile)
    try:
        progress(f"starting one process of {nodes} nodes, {options.profile} profile")
        fleet.start(1)
        known = fleet.agents[0].known
        if not fleet.pump(lambda: engine.is_complete(len(known) - 1), JOIN_TIMEOUT):
            raise SystemExit(f"swim cluster did not converge in {JOIN_TIMEOUT:g} s")
    except BaseException:
        fleet.close()
        raise
    return fleet


def pump_all(fleets: Sequence[Fleet], seconds: float) -> None:
    """Runs all fleets at once for a while."""
    deadline = Fleet.clock() + seconds
    while (left := deadline - Fleet.clock()) > 0:
        for fleet in fleets:
            fleet.pump(lambda: False, min(left, 0.5) / len(fleets))


def say(run: int, name: str, samples: Samples) -> None:
    """Prints the latest value of every measure of the engine of that name."""
    progress(f"run {run + 1}, {name}: " + ", ".join(f"{k} {v[-1]:.3g}" for k, v in samples.items()))


def add(samples: Samples, measure: str, value: float) -> None:
    """Appends one value."""
    samples.setdefault(measure, []).append(value)
