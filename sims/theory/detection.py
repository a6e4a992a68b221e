"""How long a crash takes to be known: distributions over many clusters. ``python -m sims.theory.detection``.

Four sets of rules in the vector model: memberlist's, ours with probes in random orders, ours, and ours with
timeouts from measured round trips. Beside them stands the published formula for the first member that knows,
for memberlist's rules.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sims.arguments import ArgumentParser
from sims.model import Setup, simulate
from sims.scenarios.arms import settings_of
from sims.theory import formulas
from swim.config import Config

__all__ = ["ARMS", "SIZES", "WAYS", "draw", "main", "measure", "quantile"]

SIZES = (20, 50, 200)
RUNS = 200
ARMS: Mapping[str, Mapping[str, Any]] = {
    "memberlist's rules": settings_of("lifeguard"),
    "random orders": {"interleaved_probes": False},
    "interleaved": {},
    "measured timeouts": {"measured_timeouts": True},
}
WAYS: Mapping[str, str] = {
    "failed_first": "the first member knows",
    "failed_half": "half of them know",
    "failed_all": "all know",
}
_SHARES = (0.5, 0.9, 0.99, 1.0)
_SECONDS_DRAWN = 19
_COLOURS = ("#d55e00", "#56b4e9", "#0072b2", "#009e73")


def measure(nodes: int, arm: str, *, silent: bool, runs: int = RUNS, seed: int = 1) -> dict[str, list[float]]:
    """Seconds from a crash until members know of it, sorted, for each of ``WAYS``.

    Args:
        nodes: members of each cluster.
        arm: one of ``ARMS``.
        silent: the host is gone too, and refuses nothing.
        runs: clusters.
        seed: decides everything else.
    """
    config = Config.lan(name="n1", **ARMS[arm])
    results = simulate(config, Setup(nodes=nodes, silent=silent), seed=seed, runs=runs)
    return {way: sorted(result.measures[way] for result in results) for way in WAYS}


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of sorted ones does not exceed."""
    return values[max(0, round(share * len(values)) - 1)]


def draw(path: Path, found: Mapping[tuple[bool, int, str], Sequence[float]]) -> None:
    """Draws the share of the clusters in which all know, by seconds since the crash, for each way and size.

    Args:
        path: the PNG file.
        found: sorted seconds until all know, by whether the host is gone, nodes, and arm.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 5.8), dpi=100, layout="constrained")
    panels = figure.subplots(2, len(SIZES), sharex=True, sharey=True)
    published = Config.lan(name="n1", **ARMS["memberlist's rules"])
    shares = [k / 100 for k in range(1, 100)]
    for row, silent in zip(panels, (False, True), strict=True):
        for axes, nodes in zip(row, SIZES, strict=True):
            for arm, colour in zip(ARMS, _COLOURS, strict=True):
                values = found[silent, nodes, arm]
                heights = [(k + 1) / len(values) for k in range(len(values))]
                axes.step(values, heights, where="post", color=colour, label=arm)
            formula = [formulas.first_failed(published, nodes, share) for share in shares]
            axes.plot(formula, shares, "--", color="#555555", label="memberlist, formula: the first knows")
            axes.set_title(f"{nodes} nodes, {'host' if silent else 'process'} gone", fontsize=10)
            axes.grid(alpha=0.3)
    for axes in panels[1]:
        axes.set_xlabel("seconds since the crash")
    for row in panels:
        row[0].set_ylabel("share: all know")
    panels[0][0].set_xlim(0, _SECONDS_DRAWN)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=len(labels), loc="outside upper left", frameon=False, fontsize=8)
    command = "python -m sims.theory.detection"
    figure.text(0.998, 0.995, command, fontsize=6, color="#777777", ha="right", va="top")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables in Markdown, and writes a picture with ``--out``; returns the exit code."""
    parser = ArgumentParser(prog="python -m sims.theory.detection", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for the picture")
    parser.add_argument("--runs", type=int, default=RUNS, help="clusters for each row (default %(default)s)")
    chosen = parser.parse_args(arguments)
    last: dict[tuple[bool, int, str], list[float]] = {}
    for silent in (False, True):
        print(f"\n{'The host is gone' if silent else 'The process is gone, its host is up'}:\n")
        print("| nodes | rules |", " | ".join(f"{way}: median, p90, p99, max" for way in WAYS.values()), "|")
        print("| ---: | --- |", " ---: |" * len(WAYS))
        for nodes in SIZES:
            for arm in ARMS:
                found = measure(nodes, arm, silent=silent, runs=chosen.runs)
                cells = [", ".join(f"{quantile(found[way], share):.2f}" for share in _SHARES) for way in WAYS]
                print(f"| {nodes} | {arm} |", " | ".join(cells), "|", flush=True)
                last[silent, nodes, arm] = found["failed_all"]
    if chosen.out:
        draw(chosen.out / "detection-shares.png", last)
    return 0


if __name__ == "__main__":
    sys.exit(main())
