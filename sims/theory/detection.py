"""How long a crash takes to be known: distributions over many clusters. ``python -m sims.theory.detection``.

Three sets of rules in the vector model: memberlist's, ours with probes in random orders, and ours. Beside
them stands the published formula for the first member that knows, for memberlist's rules.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sims.arguments import ArgumentParser
from sims.experiments.plots import Curve, draw_curves
from sims.model import Setup, simulate
from sims.scenarios.arms import settings_of
from sims.theory import formulas
from swim.config import Config

__all__ = ["ARMS", "SIZES", "WAYS", "main", "measure", "quantile"]

SIZES = (20, 50, 200)
RUNS = 200
ARMS: Mapping[str, Mapping[str, Any]] = {
    "memberlist's rules": settings_of("lifeguard"),
    "random orders": {"interleaved_probes": False},
    "interleaved": {},
}
WAYS: Mapping[str, str] = {
    "failed_first": "the first member knows",
    "failed_half": "half of them know",
    "failed_all": "all know",
}
_SHARES = (0.5, 0.9, 0.99, 1.0)
_DRAWN = 50


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables in Markdown, and writes a picture with ``--out``; returns the exit code."""
    parser = ArgumentParser(prog="python -m sims.theory.detection", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for the picture")
    parser.add_argument("--runs", type=int, default=RUNS, help="clusters for each row (default %(default)s)")
    chosen = parser.parse_args(arguments)
    curves: list[Curve] = []
    for silent in (False, True):
        print(f"\n{'The host is gone' if silent else 'The process is gone, its host is up'}:\n")
        print("| nodes | rules |", " | ".join(f"{way}: median, p90, p99, max" for way in WAYS.values()), "|")
        print("| ---: | --- |", " ---: |" * len(WAYS))
        for nodes in SIZES:
            for arm in ARMS:
                found = measure(nodes, arm, silent=silent, runs=chosen.runs)
                cells = [", ".join(f"{quantile(found[way], share):.2f}" for share in _SHARES) for way in WAYS]
                print(f"| {nodes} | {arm} |", " | ".join(cells), "|")
                if nodes == _DRAWN:
                    last = found["failed_all"]
                    points = tuple((at, (k + 1) / len(last)) for k, at in enumerate(last))
                    curves.append(Curve(f"{arm}, {'host' if silent else 'process'} gone", points))
    if chosen.out:
        config = Config.lan(name="n1", **ARMS["memberlist's rules"])
        shares = [k / 100 for k in range(1, 100)]
        points = tuple((formulas.first_failed(config, _DRAWN, share), share) for share in shares)
        curves.append(Curve("memberlist, formula", points, is_published=True))
        title = f"From a crash until all of {_DRAWN} members know"
        draw_curves(
            chosen.out / "detection-shares.png", curves, title=title, x="seconds", y="share of the clusters"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
