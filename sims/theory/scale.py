"""Curves from 3 nodes to a million: detection, spread, traffic. ``python -m sims.theory.scale``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from sims.arguments import ArgumentParser
from sims.model import Setup, simulate
from sims.theory import formulas
from sims.theory.traffic import traffic
from swim.config import Config
from swim.config.profiles import PROFILES

__all__ = ["SIZES", "Point", "draw", "main", "measure_sizes"]

SIZES = (3, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000, 1_000_000)
_CELLS = 30_000
_RUNS_MIN, _RUNS_MAX = 3, 60
_RUNS_FOR_P95 = 20
_ONCE_FROM = 1_000_000


class Point(NamedTuple):
    """One size: medians over the runs of the vector model, seconds.

    Attributes:
        nodes: how many.
        runs: how many clusters.
        suspected: crash to the first suspicion.
        failed: crash to the first node that declares it failed.
        failed_p95: the same, 19 of 20 times within; not a number if there were fewer than 20 runs.
        half: from the first to half of the members.
        p9999: to that of 99.99 %.
        everybody: to the last one.
    """

    nodes: int
    runs: int
    suspected: float
    failed: float
    failed_p95: float
    half: float
    p9999: float
    everybody: float


def measure_sizes(
    config: Config,
    sizes: Sequence[int],
    *,
    silent: bool = False,
    seed: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Point]:
    """Simulates one crash in clusters of every size, small ones many times; ``silent``: of a whole host."""
    points = []
    for nodes in sizes:
        runs = 1 if nodes >= _ONCE_FROM else max(_RUNS_MIN, min(_RUNS_MAX, _CELLS // nodes))
        measures = [
            r.measures for r in simulate(config, Setup(nodes=nodes, silent=silent), seed=seed, runs=runs)
        ]
        firsts = sorted(m["failed_first"] for m in measures)
        later = {
            name: median(m[f"failed_{name}"] - m["failed_first"] for m in measures)
            for name in ("half", "p9999", "all")
        }
        points.append(
            Point(
                nodes,
                runs,
                median(m["suspected_first"] for m in measures),
                median(firsts),
                firsts[round(0.95 * runs) - 1] if runs >= _RUNS_FOR_P95 else math.nan,
                later["half"],
                later["p9999"],
                later["all"],
            )
        )
        progress(", ".join(f"{name} {value:.4g}" for name, value in points[-1]._asdict().items()))
    return points


def draw(config: Config, points: Sequence[Point], gone: Sequence[Point], folder: Path) -> list[Path]:
    """Draws ``detection``, ``dissemination``, ``traffic`` and ``gossip``, all PNG; returns where they are.

    Args:
        config: that of every node.
        points: what was measured of processes that crash.
        gone: the same of hosts that vanish.
        folder: for the pictures.
    """
    sizes = [point.nodes for point in points]
    of_process = [formulas.failure_spread(config, n) for n in sizes]
    of_host = [formulas.failure_spread(config.with_changes(restart_grace=0.0), n) for n in sizes]
    loads = [traffic(config, n) for n in sizes]
    detection = {
        "process gone, first suspicion": ([p.suspected for p in points], "o"),
        "process gone, median": ([p.failed for p in points], "o"),
        "process gone, 95 of 100": ([p.failed_p95 for p in points], "o"),
        "host gone, median": ([p.failed for p in gone], "o"),
        "host gone, 95 of 100": ([p.failed_p95 for p in gone], "o"),
        "formula, process gone": ([formulas.first_failed(config, n) for n in sizes], "--"),
        "formula, host gone": ([formulas.first_failed(config, n, silent=True) for n in sizes], "--"),
    }
    dissemination = {
        "process gone, to half": ([1000 * p.half or math.nan for p in points], "o"),
        "process gone, to all": ([1000 * p.everybody for p in points], "o"),
        "host gone, to half": ([1000 * p.half or math.nan for p in gone], "o"),
        "host gone, to all": ([1000 * p.everybody for p in gone], "o"),
        "formula, process gone, all": ([1000 * spread["all"] for spread in of_process], "--"),
        "formula, host gone, all": ([1000 * spread["all"] for spread in of_host], "--"),
    }
    load = {
        "pings and acks": ([each.packet_bytes_per_second for each in loads], "-"),
        "push/pull": ([each.push_pull_bytes_per_second for each in loads], "-"),
    }
    gossip = {"at most": ([each.bytes_per_death for each in loads], "-")}
    first = "the first node that declares it failed"
    drawn = (
        ("detection", f"From a crash to {first}", "seconds", detection),
        ("dissemination", f"From {first} to the others", "milliseconds", dissemination),
        ("traffic", "Sent by each node", "bytes per second", load),
        ("gossip", "Sent by each node about one death", "bytes", gossip),
    )
    return [_plot(folder / f"{name}.png", title, unit, sizes, lines) for name, title, unit, lines in drawn]


def _plot(path: Path, title: str, unit: str, sizes: Sequence[int], lines: dict[str, Any]) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    for label, (values, style) in lines.items():
        axes.plot(
            sizes, values, f"{style}-" if style == "o" else style, label=label, markersize=4, linewidth=1.2
        )
    axes.set_xscale("log")
    if unit != "seconds":
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("nodes")
    axes.set_ylabel(unit)
    axes.set_title(title)
    figure.text(0.995, 0.01, "python -m sims.theory.scale", fontsize=7, color="#777777", ha="right")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints one line per size, draws.

    Args:
        argv: arguments without the program's name; None takes the process's own.
    """
    parser = ArgumentParser(prog="python -m sims.theory.scale", description="Draws the curves by size.")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/img"), help="folder for the pictures (docs/img)"
    )
    parser.add_argument("--profile", choices=PROFILES, default="lan")
    parser.add_argument("--up-to", type=int, default=SIZES[-1], metavar="N", help="largest cluster (1000000)")
    options = parser.parse_args(argv)
    config = Config.profile(options.profile, name="n1")
    sizes = [n for n in SIZES if n <= options.up_to]
    points = measure_sizes(config, sizes, progress=print)
    print("hosts:")
    gone = measure_sizes(config, sizes, silent=True, progress=print)
    for path in draw(config, points, gone, options.out):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
