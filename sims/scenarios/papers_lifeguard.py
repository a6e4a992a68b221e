"""The experiments of the Lifeguard paper (Dadgar, Phillips, Currey, DSN 2018), arm by arm.

An *anomaly* blocks members right after they receive and right before they send. With ``anomaly=loops`` a
blocked send halts the loop that sends, as in memberlist (see ``sims.scenarios.blocked_loops``). With
``anomaly=timers`` every timer continues to fire and its packets wait. That is harsher, since a blocked member
continues to accuse.

A false positive is a member without any anomaly that an observer declares failed, counted at every observer;
those at observers without any anomaly are also counted separately. ``retransmit`` is memberlist's multiplier:
with the usual 4 almost no member misses a refutation, and false positives at healthy members are too rare to
compare; with less they are frequent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sims.errors import UsageError
from sims.measure import Detection, FalsePositives, mean, quantile
from sims.scenarios.arms import settings_of
from sims.scenarios.blocked_loops import Loops
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import arm_world, late_reader
from sims.world import World
from sims.world.host import SimNode

__all__ = ["SMALL_GRID", "lg_cpu", "lg_interval", "lg_interval_small", "lg_threshold", "lg_tune"]

SMALL_GRID = tuple((c, d, i) for c in (1, 8, 16, 32) for d in (8192, 32768) for i in (64, 4096))
"""Cells of ``lg-interval-small``: blocked members, blocked milliseconds, milliseconds in between."""

_ALPHA, _BETA = 5, 6
_QUIET_SECONDS = 15.0

_SHARED: dict[str, Any] = {
    "nodes": 128,
    "byte_mode": False,
    "arm": "lifeguard",
    "alpha": _ALPHA,
    "beta": _BETA,
    "retransmit": 4,
    "seconds": 120.0,
    "anomaly": "loops",
}
"""Options of all experiments except the one with exhausted processors."""
_LEAST = {"nodes": 2, "alpha": 1, "beta": 1}


@dataclass
class _Cluster:
    """A quiet cluster of which some members will have anomalies.

    Attributes:
        before: packets and bytes sent before any anomaly.
    """

    world: World
    slow: list[SimNode]
    loops: list[Loops]
    wrong: FalsePositives
    before: tuple[int, int]

    def block(self, seconds: float) -> None:
        """Begins an anomaly of all slow members at once."""
        for loops in self.loops:
            loops.block(seconds)


@scenario("lg-interval", c=16, d=32768, i=64, at_least={**_LEAST, "d": 1}, beside={"c": 1}, **_SHARED)
def lg_interval(run: Run) -> None:
    """Members block again and again for a while: which members are wrongly declared failed, and by which?

    ``c`` members block for ``d`` milliseconds, run for ``i``, and so on for ``seconds`` at least.
    """
    _measure(run, [_play_interval(run, run["c"], run["d"], run["i"])])


@scenario("lg-interval-small", is_long=True, at_least={**_LEAST, "nodes": 33}, **_SHARED)
def lg_interval_small(run: Run) -> None:
    """Sixteen cells of the interval experiment in a row, summed as in the paper's table."""
    counts = []
    for done, (c, d, i) in enumerate(SMALL_GRID):
        run.progress(done / len(SMALL_GRID), f"C={c} D={d} ms I={i} ms")
        counts.append(_play_interval(run, c, d, i))
    _measure(run, counts)


@scenario("lg-threshold", c=4, d=0, at_least={**_LEAST, "c": 1}, beside={"c": 1}, **_SHARED)
def lg_threshold(run: Run) -> None:
    """Some members block once: when are they declared failed? With ``d`` 0 they block for ever.

    Times are in seconds since the anomaly: when the first observer declares a member failed, and when the
    last healthy one does; also the share of blocked members that any observer declared failed.
    """
    cluster = _cluster(run, run["c"])
    world, seconds = cluster.world, run["d"] / 1000.0
    seen = Detection(("crash", "block"))
    world.observe(seen)
    if seconds:
        cluster.block(seconds)
    else:
        for node in cluster.slow:
            world.crash(node, silent=True)
    world.run_for(max(run["seconds"], seconds))
    faulty = {node.id for node in cluster.slow}
    failures = [[loss.failed[who] for who in loss.failed if who not in faulty] for loss in seen.losses]
    run.measure("declared_share", sum(map(bool, failures)) / len(failures))
    for share in (50, 99) if any(failures) else ():
        run.measure(f"first_p{share}_seconds", quantile(map(min, filter(None, failures)), share / 100))
        run.measure(f"all_p{share}_seconds", quantile(map(max, filter(None, failures)), share / 100))
    _measure(run, [_counts(cluster)])


@scenario(
    "lg-cpu",
    is_long=True,
    nodes=100,
    byte_mode=False,
    arm="lifeguard",
    x=8,
    low=0.5,
    high=2.5,
    seconds=300.0,
    at_least={"nodes": 2},
    beside={"x": 1},
)
def lg_cpu(run: Run) -> None:
    """Some members read each packet late, as on an exhausted processor.

    ``x`` members read each packet ``low`` to ``high`` seconds late, in order. Stream pings are off, since
    such a process would accept a stream just as late.
    """
    settings = settings_of(run["arm"]) | {"disable_tcp_pings": True}
    reader = late_reader(run, "low", "high")
    cluster = _cluster(run, run["x"], settings)
    for node in cluster.slow:
        node.reader = reader
    cluster.world.run_for(run["seconds"])
    _measure(run, [_counts(cluster)])


@scenario(
    "lg-tune",
    is_long=True,
    c=16,
    d=32768,
    i=64,
    crashes=10,
    at_least={**_LEAST, "d": 1, "crashes": 1},
    beside={"c": 1},
    **_SHARED,
)
def lg_tune(run: Run) -> None:
    """Aggressive settings: how soon true crashes are known, and false positives, by alpha and beta."""
    _measure(run, [_play_interval(run, run["c"], run["d"], run["i"])])
    firsts, lasts = [], []
    for number in range(run["crashes"]):
        run.progress(0.5 + number / run["crashes"] / 2, "crashes")
        cluster = _cluster(run, 1, seed=run.seed * 1000 + number)
        seen = Detection()
        cluster.world.observe(seen)
        cluster.world.crash(cluster.slow[0], silent=True)
        cluster.world.run_for(60.0)
        firsts += seen.first_failed()
        lasts += seen.last_failed()
    run.measure("first_p50_seconds", quantile(firsts, 0.5))
    run.measure("all_p50_seconds", quantile(lasts, 0.5))
    run.measure("all_mean_seconds", mean(lasts))


# -- inside


@dataclass
class _Counts:
    """The contribution of one cell to a table."""

    false_failed: int
    false_failed_at_healthy: int
    false_subjects: int
    false_suspected: int
    packets: int
    sent_bytes: int


def _cluster(
    run: Run, faulty: int, settings: dict[str, object] | None = None, *, seed: int | None = None
) -> _Cluster:
    arm, anomaly = run["arm"], run.options.get("anomaly", "timers")
    if anomaly not in ("loops", "timers"):
        raise UsageError(f"option anomaly: {anomaly!r} is none of loops, timers")
    made = settings
    if made is None:
        made = settings_of(arm, alpha=run["alpha"], beta=run["beta"]) | {"retransmit_mult": run["retransmit"]}
    world = arm_world(run, made, seed=seed)
    order = list(world.nodes.values())
    world.random_for("anomaly").shuffle(order)
    slow = order[:faulty]
    loops = [Loops(world, node, rounds=anomaly == "loops") for node in slow]
    world.run_for(_QUIET_SECONDS)
    wrong = FalsePositives([node.id for node in slow])
    world.observe(wrong)
    return _Cluster(world, slow, loops, wrong, _sent(world))


def _play_interval(run: Run, c: int, d: int, i: int) -> _Counts:
    cluster = _cluster(run, c)
    world = cluster.world
    began = world.now
    while world.now < began + run["seconds"]:
        cluster.block(d / 1000.0)
        world.run_for((d + i) / 1000.0)
    return _counts(cluster)


def _counts(cluster: _Cluster) -> _Counts:
    wrong = cluster.wrong
    packets, sent_bytes = (now - then for now, then in zip(_sent(cluster.world), cluster.before, strict=True))
    return _Counts(
        wrong.failed,
        wrong.failed_at_healthy,
        len(wrong.subjects),
        wrong.suspected,
        packets,
        sent_bytes,
    )


def _sent(world: World) -> tuple[int, int]:
    """Packets, and bytes in packets and on streams, that all nodes sent since they started."""
    names = ("memberlist.udp.sent", "memberlist.tcp.sent")
    sent_bytes = sum(node.metrics.counters[name] for node in world.nodes.values() for name in names)
    return world.driver.packets.sent, int(sent_bytes)


def _measure(run: Run, cells: list[_Counts]) -> None:
    for name in vars(cells[0]):
        run.measure(name, sum(getattr(cell, name) for cell in cells))
