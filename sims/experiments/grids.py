"""The papers' experiments as grids of runs; ``figures`` makes tables and pictures of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sims.experiments.figures import (
    CELLS,
    Rows,
    accuracy_curves,
    accuracy_table,
    arm_bars,
    arm_curves,
    arm_table,
    arms_by,
    bootstrap_curves,
    bootstrap_table,
    by_size,
    curves_by_size,
    fault_bars,
    fault_table,
    latency_bars,
    latency_table,
    loss_bars,
    loss_table,
)
from sims.experiments.sweep import Grid
from sims.scenarios.arms import SHOWN_ARMS

__all__ = ["EXPERIMENTS", "Experiment"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment of a paper, as a grid of runs and two ways to show them.

    Attributes:
        name: of the report, and of its files.
        title: one line.
        grid: the runs.
        table: Markdown made of all rows.
        draw: writes the picture.
    """

    name: str
    title: str
    grid: Grid
    table: Callable[[Rows], str]
    draw: Callable[[Rows, Path], None]

    @property
    def command(self) -> str:
        """The command line that runs the grid."""
        axes = " ".join(f"{name}={','.join(values)}" for name, values in self.grid.axes.items())
        first, last = self.grid.seeds[0], self.grid.seeds[-1]
        seeds = str(first) if first == last else f"{first}-{last}"
        return f"swim sim sweep {self.grid.what} {axes} --seeds {seeds} --out {self.name}.csv"


def _grid(what: str, axes: str, seeds: Iterable[int]) -> Grid:
    pairs = (axis.partition("=") for axis in axes.split())
    return Grid(what, {name: tuple(values.split(",")) for name, _, values in pairs}, tuple(seeds))


def _of_swim() -> Iterable[Experiment]:
    yield Experiment(
        "swim-load",
        "SWIM: packets per member and protocol period",
        _grid("swim-load", "nodes=8,16,28,40,56", (1, 2)),
        by_size(
            ("sent_per_period", "sent"),
            ("received_per_period", "received"),
            ("sent_under_5_share", "share under 5"),
        ),
        curves_by_size(
            "Packets sent per member and period", "packets per period", ("sent_per_period", "sent")
        ),
    )
    yield Experiment(
        "swim-detect",
        "SWIM: from a crash to its detection, and how the news spreads",
        _grid("swim-detect", "nodes=8,13,20,28,35,43,56", range(1, 5)),
        by_size(
            ("detection_periods", "first detection"),
            ("infection_periods", "median infection"),
            ("spread_periods", "last infection"),
            ("removal_periods", "removed everywhere"),
        ),
        curves_by_size(
            "From a crash to its detection, and from that to the median member",
            "protocol periods",
            ("detection_periods", "detection"),
            ("infection_periods", "median infection"),
        ),
    )
    yield Experiment(
        "swim-accuracy",
        "SWIM: false accusations by loss and size",
        _grid("swim-accuracy", "nodes=8,28,56 loss=0.01,0.02,0.05,0.1,0.15,0.2,0.3", (1, 2, 3)),
        accuracy_table,
        accuracy_curves,
    )
    yield Experiment(
        "swim-loss",
        "SWIM: group size under 10 % loss",
        _grid("swim-loss", "variant=multicast,infection,suspicion", range(1, 11)),
        loss_table,
        loss_bars,
    )


def _of_lifeguard() -> Iterable[Experiment]:
    arms = ",".join(SHOWN_ARMS)
    yield Experiment(
        "lg-components",
        "Lifeguard: each component on and off, 3 of 24 members block and go on accusing",
        _grid("lg-interval", f"nodes=24 c=3 d=16384 i=64 anomaly=timers arm={arms}", range(1, 11)),
        arm_table,
        arm_bars("False positives by component, 3 of 24 members block"),
    )
    yield Experiment(
        "lg-arms",
        "Lifeguard: each component on and off, 8 of 32 members block",
        _grid("lg-interval", f"nodes=32 c=8 d=8192 i=64 retransmit=3 arm={arms}", range(1, 61)),
        arm_table,
        arm_bars("False positives by component, 8 of 32 members block"),
    )
    yield Experiment(
        "lg-blocked",
        "Lifeguard: false positives by how many of 128 members block",
        _grid("lg-interval", f"nodes=128 d=32768 i=64 c=1,8,16,32 arm={arms}", (1,)),
        arms_by("c", "C", "false_failed", CELLS),
        arm_curves(
            "c",
            "False positives by how many of 128 members block",
            "members that block",
            "false_failed",
            CELLS,
        ),
    )
    yield Experiment(
        "lg-grid",
        "Lifeguard: sixteen cells of its grid, 128 members",
        _grid("lg-interval-small", f"arm={arms}", range(1, 4)),
        arm_table,
        arm_bars("False positives by component, sixteen cells"),
    )
    yield Experiment(
        "lg-cpu",
        "Lifeguard: members of 100 that read late, as on an exhausted processor",
        _grid("lg-cpu", "x=1,2,4,8,16,32 arm=swim,lifeguard,ours", (1,)),
        arms_by("x", "slow members", "false_failed_cpu"),
        arm_curves(
            "x", "False positives by how many of 100 members read late", "slow members", "false_failed_cpu"
        ),
    )
    yield Experiment(
        "lg-latency",
        "Lifeguard: how soon a true crash is known, 4 of 128 members crash",
        _grid("lg-threshold", f"arm={arms}", range(1, 4)),
        latency_table,
        latency_bars,
    )
    yield Experiment(
        "lg-timers",
        "Lifeguard: blocked members that go on accusing, 4 of 64 members block",
        _grid("lg-interval", f"nodes=64 c=4 d=32768 i=64 anomaly=timers arm={arms}", range(1, 4)),
        arm_table,
        arm_bars("False positives by component, blocked members go on accusing"),
    )


def _of_rapid() -> Iterable[Experiment]:
    yield Experiment(
        "rp-bootstrap",
        "Rapid: bootstrap",
        _grid("rp-bootstrap", "nodes=100,300,1000,2000 arm=lifeguard,ours", (1,)),
        bootstrap_table,
        bootstrap_curves,
    )
    yield Experiment(
        "rp-loss80",
        "Rapid: 80 % of what ten of 1000 members send is lost",
        _grid("rp-loss80", "nodes=1000 faulty=10 direction=egress arm=lifeguard,ours", (1,)),
        fault_table,
        fault_bars("80 % egress loss at ten of 1000 members, for 810 s", 7.0),
    )
    yield Experiment(
        "rp-flipflop",
        "Rapid: what reaches ten of 1000 members is dropped every other 20 s",
        _grid("rp-flipflop", "nodes=1000 faulty=10 arm=ours", (1,)),
        fault_table,
        fault_bars("Ingress of ten of 1000 members dropped every other 20 s", 9.0),
    )


EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.name: experiment for experiment in (*_of_swim(), *_of_lifeguard(), *_of_rapid())
}
"""Every experiment by name, in the order of the papers."""
