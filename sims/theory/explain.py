"""What to expect of a cluster: theory and simulation side by side, for ``swim explain``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from sims.errors import UsageError
from sims.measure import Detection, Traffic
from sims.theory import formulas
from sims.theory.traffic import HEADER_BYTES, traffic
from sims.world import World
from swim.config import Config

__all__ = ["LOSSES", "Explanation", "Row", "explain"]

LOSSES = (0.05, 0.1, 0.2)
"""Packet losses for which the odds of a false suspicion are shown."""

_WORLD_RUNS = ((200, 5), (600, 1), (math.inf, 0))
"""Crashes simulated with the protocol code, by cluster size; a thousand nodes would take minutes."""
_MODEL_CELLS = 2_000_000
_SETTLE_SECONDS = 60.0
_PAUSE_SECONDS = 5.0
_WATCH_CLUSTER = 100
_WATCH_SECONDS = 10.0
_WATCH_RUNS = 40
_COUNTED_MIN = 10
_COUNTED_ENOUGH = 100
_STRIDE = 7919


class Row(NamedTuple):
    """One expectation.

    Attributes:
        name: short and stable, for programs.
        text: what it is, for people.
        unit: ``s``, ``B/s``, ``packets/s``, ``packets``, ``per hour`` or ``""``.
        formula: by theory; None if there is no formula.
        model: median over the runs of the vector model; None if it has none.
        world: median over the runs of the protocol code itself; None if the cluster is too large or it has
            none.
    """

    name: str
    text: str
    unit: str
    formula: float | None
    model: float | None = None
    world: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The expectations for one cluster.

    Attributes:
        nodes: its size.
        model_runs: runs of the vector model.
        world_runs: crashes in the world, 0 if the cluster was too large for it.
        rows: in the order in which to show them.
    """

    nodes: int
    model_runs: int
    world_runs: int
    rows: tuple[Row, ...]

    def document(self) -> dict[str, Any]:
        """The JSON form; what is infinite or unknown is null."""
        rows = []
        for row in self.rows:
            numbers = (row.formula, row.model, row.world)
            finite = [None if x is None or math.isinf(x) else round(x, 6) for x in numbers]
            rows.append({**row._asdict(), **dict(zip(("formula", "model", "world"), finite, strict=True))})
        head = {"nodes": self.nodes, "model_runs": self.model_runs, "world_runs": self.world_runs}
        return head | {"expectations": rows}


def explain(
    config: Config,
    nodes: int,
    *,
    runs: int = 100,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> Explanation:
    """What to expect of ``nodes`` nodes with these settings.

    Args:
        config: the settings of every node.
        nodes: how many, at least 2.
        runs: of the vector model; fewer if the cluster is large. Up to 200 nodes, a few crashes in a
            ``World`` are simulated too, up to 600 one.
        seed: decides the simulations.
        progress: called with a share from 0 to 1 and a word.

    Raises:
        UsageError: too few nodes or runs, or settings that detect nothing.
    """
    if nodes < 2:
        raise UsageError(f"there must be at least 2 nodes, not {nodes}")
    if runs < 1:
        raise UsageError(f"there must be at least 1 run, not {runs}")
    if not config.probe_interval:
        raise UsageError("probe_interval must be above 0: nothing is detected without probes")
    tell = progress or (lambda share, word: None)
    model_runs = max(1, min(runs, _MODEL_CELLS // nodes))
    tell(0.0, "vector model")
    model = _by_model(config, nodes, model_runs, seed)
    tell(0.4, "world")
    world_runs = min(runs, next(crashes for up_to, crashes in _WORLD_RUNS if nodes <= up_to))
    world = _by_world(config, nodes, world_runs, seed) if world_runs else {}
    tell(0.8, "packet loss")
    suspicions = {loss: _false_suspicions(config, nodes, loss, seed) for loss in LOSSES}
    tell(1.0, "done")
    rows = [
        Row(name, text, unit, formula, model.get(name), world.get(name))
        for name, text, unit, formula in _theory(config, nodes)
    ]
    rows += [
        Row(
            f"false_suspicions_{loss:g}",
            f"false suspicions of one member at {loss:.0%} packet loss",
            "per hour",
            formulas.false_suspicions_per_hour(config, loss),
            suspicions[loss],
        )
        for loss in LOSSES
    ]
    return Explanation(nodes, model_runs, world_runs, tuple(rows))


def _theory(config: Config, n: int) -> Iterator[tuple[str, str, str, float | None]]:
    low, high, wanted = formulas.suspicions(config, n)
    spread = formulas.failure_spread(config, n)
    news = formulas.dissemination(config, n)
    load = traffic(config, n)
    yield (
        "suspected_first",
        "crash until the first suspicion, median",
        "s",
        formulas.first_suspected(config, n),
    )
    yield (
        "failed_first",
        "crash until the first node says failed, median",
        "s",
        formulas.first_failed(config, n),
    )
    yield "failed_first_p99", "the same, 99 of 100 times within", "s", formulas.first_failed(config, n, 0.99)
    yield "suspicion_shortest", f"suspicion with {wanted} confirmations", "s", low
    refused = formulas.suspicion_refused(config, n)
    if math.isfinite(refused):
        yield "suspicion_refused", "suspicion of a process whose host refuses streams", "s", min(low, refused)
    yield "suspicion_longest", "suspicion without any", "s", high
    yield "spread_half", "from the first to half of the nodes", "s", spread["half"]
    yield "spread_p99", "from the first to 99 % of the nodes", "s", spread["p99"]
    yield "spread_all", "first to all nodes, median", "s", spread["all"]
    yield "news_half", "other news, from one node to half of them", "s", news["half"]
    yield "news_all", "other news, from one node to all, median", "s", news["all"]
    yield "transmit_limit", "times a node sends one update", "", formulas.transmit_limit(config, n)
    yield (
        "missed_by_gossip",
        "nodes an update misses until the next push/pull",
        "",
        formulas.missed_by_gossip(config, n),
    )
    yield "push_pull_period", "between a node's push/pulls", "s", formulas.push_pull_period(config, n)
    yield "packets", "packets sent per idle node", "packets/s", load.packets_per_second
    yield "packet_bytes", "bytes of these", "B/s", load.packet_bytes_per_second
    yield "push_pull_bytes", "push/pull bytes sent per node", "B/s", load.push_pull_bytes_per_second
    yield "packets_per_death", "gossip packets per node about one death", "packets", load.packets_per_death


# -- simulations


def _by_model(config: Config, nodes: int, runs: int, seed: int) -> dict[str, float]:
    from sims.model import Setup, simulate

    news = simulate(config, Setup(nodes=nodes, kills=0, updates=1), seed=seed, runs=runs)
    results = simulate(config, Setup(nodes=nodes), seed=seed, runs=runs)
    measures = [result.measures for result in results]

    def of(name: str) -> list[float]:
        return [each[name] for each in measures]

    first = of("failed_first")
    found = {
        "suspected_first": median(of("suspected_first")),
        "failed_first": median(first),
        "news_half": median(result.measures["informed_half"] for result in news),
        "news_all": median(result.measures["informed_all"] for result in news),
    }
    if runs >= 100:
        found["failed_first_p99"] = sorted(first)[math.ceil(0.99 * runs) - 1]
    for share in ("half", "p99", "all"):
        found[f"spread_{share}"] = median(t - t0 for t, t0 in zip(of(f"failed_{share}"), first, strict=True))
    return found


def _by_world(config: Config, nodes: int, crashes: int, seed: int) -> dict[str, float]:
    """One world in which members crash and come back one after another."""
    detection = Detection()
    world = World(seed, nodes=nodes, config=config, start="converged", observers=[detection])
    found = _idle(world, formulas.push_pull_period(config, nodes) or _PAUSE_SECONDS)
    limit = formulas.detection_worst(config, nodes) + _SETTLE_SECONDS
    members = list(world.nodes.values())
    for number in range(crashes):
        victim = members[(number * _STRIDE + seed) % nodes]
        world.crash(victim)
        world.run_until(lambda world: world.converged and world.agree, limit)
        world.run_for(_PAUSE_SECONDS)
        world.restart(victim)
        world.settle()
        world.run_for(_PAUSE_SECONDS)
    losses = [loss for loss in detection.losses if len(loss.failed) == nodes - 1]
    if not losses:
        return found
    # The first node that declares it failed waited only for its own suspicion.
    # A member that was never seen first-hand is believed dead without an own suspicion.
    waits = [
        min((at, at - loss.suspected.get(who, at)) for who, at in loss.failed.items()) for loss in losses
    ]
    is_refused = math.isfinite(formulas.suspicion_refused(config, nodes))
    found["suspicion_refused" if is_refused else "suspicion_shortest"] = median(wait for _, wait in waits)
    times = [sorted(loss.failed.values()) for loss in losses]
    found["suspected_first"] = median(min(loss.suspected.values()) for loss in losses)
    found["failed_first"] = median(each[0] for each in times)
    for name, share in (("half", 0.5), ("p99", 0.99), ("all", 1.0)):
        found[f"spread_{name}"] = median(_at_share(each, share) - each[0] for each in times)
    return found


def _idle(world: World, period: float) -> dict[str, float]:
    """Packets and bytes of an idle cluster, over one push/pull of every node."""
    world.run_for(2 * period)  # the first ones come late
    before = Traffic(world)
    world.run_for(period)
    rates = before.rates()
    return {
        "packets": rates.packets,
        "packet_bytes": rates.packet_bytes + HEADER_BYTES * rates.packets,
        "push_pull_bytes": rates.stream_bytes,
    }


def _at_share(times: Sequence[float], share: float) -> float:
    return times[max(0, math.ceil(share * len(times)) - 1)]


def _false_suspicions(config: Config, nodes: int, loss: float, seed: int) -> float | None:
    """Accusations of one healthy member per hour, in at most 100 nodes; None if too rare to be counted."""
    from sims.model import Setup, simulate

    size = min(nodes, _WATCH_CLUSTER)
    expected = formulas.false_suspicions_per_hour(config, loss) * size * _WATCH_SECONDS / 3600
    if expected * _WATCH_RUNS < _COUNTED_MIN:
        return None
    runs = min(_WATCH_RUNS, math.ceil(_COUNTED_ENOUGH / expected))
    setup = Setup(nodes=size, kills=0, watched=size, loss=loss, seconds=_WATCH_SECONDS)
    results = simulate(config, setup, seed=seed, runs=runs)
    return sum(result.measures["false_accusations_per_member_hour"] for result in results) / runs
