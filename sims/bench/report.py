"""Samples side by side: medians, ranges, ratios, and whether the targets are met."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from sims.bench.hostile import LIMITS
from sims.bench.options import Samples
from sims.measure import quantile

__all__ = ["TARGETS", "Target", "document", "table"]


class Target(NamedTuple):
    """Bounds that hold all at once.

    Attributes:
        ratio: most that our median may be over the other engine's.
        p99_ratio: most that our 99th percentile may be over the other's.
        worst_ratio: most that our worst may be over the other's worst.
        within: share by which our median may be above or below the other's.
        limit: most that the worst of our own values may be.
        least: least that the worst of our own values may be.
    """

    ratio: float | None = None
    p99_ratio: float | None = None
    worst_ratio: float | None = None
    within: float | None = None
    limit: float | None = None
    least: float | None = None


TARGETS: dict[tuple[str, str], Target] = {
    ("steady", "cpu per node, s/min"): Target(ratio=0.5),
    ("one-process", "cpu per node, s/min"): Target(ratio=0.15),
    ("one-process", "RSS per further node, MiB"): Target(limit=0.5),
    ("memory", "RSS per process, MiB"): Target(limit=45.0),
    ("join", "all complete, s"): Target(ratio=1.0, limit=3.0),
    ("mass-join", "50 join, packets"): Target(ratio=1.2),
    ("mass-join", "200 join, packets"): Target(ratio=1.2),
    ("mass-join", "50 join, all know, s"): Target(ratio=1.0),
    ("mass-join", "200 join, all know, s"): Target(ratio=1.0),
    ("mass-join", "one joins 500, packets to it in 1 s"): Target(limit=30.0),
    ("embed", "all agree after, s"): Target(ratio=1.2),
    ("embed", "cpu per node, s/min"): Target(limit=0.040),
    ("embed", "RSS per program, MiB"): Target(limit=27.0),
    ("embed", "node to reader, p50, us"): Target(limit=250.0),
    ("fail", "all failed, s"): Target(ratio=0.30, worst_ratio=0.35),
    ("host-gone", "all failed, s"): Target(ratio=0.95, p99_ratio=0.75),
    ("leave", "all left, s"): Target(ratio=0.6),
    ("events", "event at all, s"): Target(ratio=0.5),
    ("queries", "query over, s"): Target(ratio=0.5),
    ("queries", "answers missing"): Target(limit=0.0),
    ("event-flood", "accepted and lost"): Target(limit=0.0),
    ("event-flood", "RSS grown, MiB"): Target(limit=20.0),
    ("starve", "failed, running ones"): Target(limit=0.0),
    ("pause", "failed, running ones"): Target(limit=0.0),
    ("pause", "stopped ones back, s"): Target(limit=5.0),
    ("soak", "others not alive at the end"): Target(limit=0.0),
    ("soak", "running ones called failed"): Target(limit=0.0),
    ("soak", "longest a running one failed, s"): Target(limit=15.0),
    ("soak", "RSS grown, MiB"): Target(limit=15.0),
    ("soak", "descriptors grown"): Target(limit=2.0),
    ("soak", "threads grown"): Target(limit=2.0),
    ("table", "member table, MiB"): Target(limit=40.0),
    **{
        ("hostile", f"{kind}: {measure}"): Target(limit=limit)
        for kind, limits in LIMITS.items()
        for measure, limit in limits.items()
    },
    ("ghosts", "all failed among 600, s"): Target(limit=15.0),
    ("ghosts", "newcomer known among 100000, s"): Target(limit=5.0),
    ("ghosts", "cpu among 60000 gone, s/min"): Target(limit=3.0),
    ("http", "answers per s of CPU"): Target(least=2500.0),
    ("http", "half load, p99, ms"): Target(limit=20.0),
    ("http", "wrong answers"): Target(limit=0.0),
    ("http", "failed probes"): Target(limit=0.0),
    ("http", "health score"): Target(limit=0.0),
    ("http", "event on a stream, ms"): Target(limit=50.0),
    ("simulated", "kill, all know, s"): Target(within=0.25),
    ("simulated", "join, all know, s"): Target(within=0.25),
    ("simulated", "leave, all know, s"): Target(within=0.25),
    ("world", "100 nodes, times real time"): Target(least=200.0),
    ("world", "1000 nodes, times real time"): Target(least=20.0),
    ("world", "10000 nodes lose 10, s"): Target(limit=900.0),
    ("world", "10000 nodes, peak RSS, MiB"): Target(limit=8192.0),
    ("world", "10^6 in the vector model, s"): Target(limit=60.0),
}
"""The targets of a release, by scenario and measure."""

_STATISTICS: Mapping[str, Callable[[list[float]], float]] = {
    "ratio": statistics.median,
    "p90_ratio": partial(quantile, share=0.9),
    "p99_ratio": partial(quantile, share=0.99),
    "worst_ratio": max,
}
"""Of which statistic each ratio is."""

_TAIL_VALUES = 10
"""A measure of fewer values has no tail to speak of."""


def document(scenario: str, results: dict[str, Samples]) -> dict[str, Any]:
    """The run as one JSON document: every value, medians, tails, ratios, and whether targets were met."""
    ours, theirs = _sides(results)
    measures = {}
    for measure in dict.fromkeys([*ours, *theirs]):
        target = TARGETS.get((scenario, measure))
        ratios = {
            name: _ratio(statistic, ours.get(measure), theirs.get(measure))
            for name, statistic in _STATISTICS.items()
        }
        measures[measure] = {
            "medians": {name: statistics.median(s[measure]) for name, s in results.items() if measure in s},
            **ratios,
            "met": _met(target, ratios, ours[measure]) if target and measure in ours else None,
        }
    return {"scenario": scenario, "results": results, "measures": measures}


def table(scenario: str, results: dict[str, Samples]) -> str:
    """The run as text: one line per measure, and two more of its tail where it has ten values or more."""
    measures: dict[str, Any] = document(scenario, results)["measures"]
    lines = [f"{'':32}" + "".join(f"{name:>26}" for name in results) + f"{'ratio':>8}{'worst':>7}  target"]
    for measure, summary in measures.items():
        columns = [samples.get(measure, []) for samples in results.values()]
        rating = _rating(TARGETS.get((scenario, measure)), summary["met"])
        lines.append(_line(measure, map(_cell, columns), summary["ratio"], summary["worst_ratio"], rating))
        count = max(map(len, columns))
        for name in ("p90", "p99") if count >= _TAIL_VALUES else ():
            cells = (f"{_STATISTICS[f'{name}_ratio'](values):.3g}" if values else "-" for values in columns)
            lines.append(_line(f"  {name} of {count}", cells, summary[f"{name}_ratio"]))
    return "\n".join(lines)


def _line(
    name: str,
    cells: Iterable[str],
    ratio: float | None,
    worst: float | None = None,
    rating: str = "",
) -> str:
    ratios = ["" if each is None else f"{each:.2f}" for each in (ratio, worst)]
    return (
        f"{name:32}{''.join(f'{cell:>26}' for cell in cells)}{ratios[0]:>8}{ratios[1]:>7}  {rating}".rstrip()
    )


def _ratio(
    of: Callable[[list[float]], float], ours: list[float] | None, theirs: list[float] | None
) -> float | None:
    if not ours or not theirs or not of(theirs):
        return None
    return of(ours) / of(theirs)


def _sides(results: dict[str, Samples]) -> tuple[Samples, Samples]:
    """The measured values, and those that they are compared with."""
    if "simulated" in results:
        return results["simulated"], results["real"]
    theirs = (results[name] for name in ("serf", "memberlist", "kinship") if name in results)
    return results.get("swim", {}), next(theirs, {})


def _met(target: Target, ratios: Mapping[str, float | None], ours: list[float]) -> bool:
    bounds = ((ratios[name], getattr(target, name)) for name in ("ratio", "p99_ratio", "worst_ratio"))
    if any(ratio is not None and bound is not None and ratio > bound for ratio, bound in bounds):
        return False
    ratio = ratios["ratio"]
    if ratio is not None and target.within is not None and abs(ratio - 1) > target.within:
        return False
    return (target.limit is None or max(ours) <= target.limit) and (
        target.least is None or min(ours) >= target.least
    )


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def _rating(target: Target | None, met: bool | None) -> str:
    if target is None:
        return ""
    bounds = [f"ratio <= {target.ratio:g}"] if target.ratio is not None else []
    bounds += [f"p99 <= {target.p99_ratio:g}"] if target.p99_ratio is not None else []
    bounds += [f"worst <= {target.worst_ratio:g}"] if target.worst_ratio is not None else []
    bounds += [f"ratio within {target.within:.0%}"] if target.within is not None else []
    bounds += [f"max <= {target.limit:g}"] if target.limit is not None else []
    bounds += [f"min >= {target.least:g}"] if target.least is not None else []
    return " and ".join(bounds) + {None: "", True: ": met", False: ": MISSED"}[met]
