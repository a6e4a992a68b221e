"""One simulation from its setup to its results."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sims.model.calendar import Array
from sims.model.claims import Claims
from sims.model.probing import Probing
from sims.model.spread import Spread
from sims.model.state import Setup, State
from swim.config import Config
from swim.errors import ConfigError

__all__ = ["Result", "simulate"]

QUANTILES = {"half": 0.5, "p90": 0.9, "p99": 0.99, "p9999": 0.9999, "all": 1.0}
"""Shares of the members by the name under which ``Result.measures`` has them."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one run. Seconds count from time 0, when the members crashed or published.

    Attributes:
        seconds: virtual time that passed.
        measures: by name; one that does not apply is absent, one that was never reached is infinite.
    """

    seconds: float
    measures: dict[str, float]


def simulate(config: Config, setup: Setup, *, seed: int, runs: int = 1) -> tuple[Result, ...]:
    """Simulates ``runs`` independent clusters at once; the same seed and runs give the same results.

    Args:
        config: every node's settings.
        setup: what happens.
        seed: decides everything else.
        runs: clusters in parallel, at least 1. Memory grows with runs times nodes.

    Raises:
        ConfigError: the nodes do not probe, or the latency has no vector form.
    """
    if not config.probe_interval:
        raise ConfigError("probe_interval", "must be above 0: nothing is detected without probes")
    if runs < 1:
        raise ConfigError("runs", f"must be at least 1, not {runs!r}")
    state = State(config, setup, runs, seed)
    claims = Claims(state)
    spread = Spread(state, claims)
    probing = Probing(state, claims, spread)
    published = state.subject[setup.kills : setup.kills + setup.updates]
    rows = setup.kills + np.arange(len(published))[:, None]
    places = (rows * state.total + published).ravel()
    state.incarnation[places] += 1
    claims.announce(np.zeros(len(places)), places)
    now = 0.0
    while (claims.missing or setup.watched) and state.calendar.advance():
        now = state.calendar.end
        if now > setup.seconds:
            break
        probing.conclude()
        claims.take_in()
        spread.sync()
        probing.begin()
        spread.gossip()
    now = min(now, setup.seconds)
    return tuple(Result(now, _measures(state, run, now)) for run in range(runs))


def _measures(state: State, run: int, seconds: float) -> dict[str, float]:
    setup, n = state.setup, state.n
    measures: dict[str, float] = {}
    nodes = slice(run * n, (run + 1) * n)

    def times(column: Array, rows: range) -> Array:
        """One row's times at every running member but the subject."""
        table = column.reshape(state.rows, state.total)[rows.start : rows.stop, nodes]
        own = state.row_of[nodes]
        others = state.up[nodes] & (own != np.arange(rows.start, rows.stop)[:, None])
        found: Array = table[others]
        return found

    crashed = range(setup.kills)
    if setup.kills:
        measures["suspected_first"] = float(times(state.suspected_at, crashed).min())
        measures |= _spread_of(times(state.failed_at, crashed), "failed")
    if setup.updates:
        updated = range(setup.kills, setup.kills + setup.updates)
        measures |= _spread_of(times(state.informed_at, updated), "informed")
    if setup.watched:
        member_seconds = seconds * (setup.rows - setup.kills)
        for what in ("accusations", "suspicions", "failures", "refutations"):
            count = int(state.counts[what][run]) if what in state.counts else 0
            measures[f"false_{what}_per_member_hour"] = 3600 * count / member_seconds
    packets = {
        what: int(state.counts[what][run]) if what in state.counts else 0
        for what in ("probes", "acks", "gossip", "relayed", "corrections")
    }
    living = n - setup.kills
    measures["packets_per_node_second"] = sum(packets.values()) / living / max(seconds, 1e-9)
    measures["gossip_packets_per_node"] = packets["gossip"] / living
    return measures


def _spread_of(times: Array, word: str) -> dict[str, float]:
    """When the first, and which share of the members, knew: sorted, the k-th of m is the share k/m."""
    times = np.sort(times)
    found = {f"{word}_first": float(times[0])}
    for name, share in QUANTILES.items():
        found[f"{word}_{name}"] = float(times[max(0, math.ceil(share * len(times)) - 1)])
    return found
