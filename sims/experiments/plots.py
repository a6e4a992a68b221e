"""Pictures of experiments: our figures beside the published ones, as small PNG files."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sims.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Bars", "Curve", "draw_bars", "draw_curves"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's, which colour-blind readers can distinguish; markers differ too."""

_MARKERS = "osD^vP"
_PUBLISHED = "#555555"
_GREYS = ("#999999", "#cccccc")
_LINES = ("--", ":", "-.")


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: its label, its points, and whether it was published by others (then grey and broken)."""

    label: str
    points: tuple[tuple[float, float], ...]
    is_published: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """One group of bars: its label, and a height for each of the picture's categories (None: nothing)."""

    label: str
    heights: tuple[float | None, ...]
    is_published: bool = False


def draw_curves(
    path: Path,
    curves: Sequence[Curve],
    *,
    title: str,
    x: str,
    y: str,
    log: bool = False,
) -> None:
    """Writes a picture of curves.

    Args:
        path: the PNG file.
        curves: published ones are grey.
        title: one line.
        x: label of the axis, with its unit.
        y: likewise.
        log: the y axis is logarithmic; zeros are drawn at its foot.

    Raises:
        UsageError: matplotlib is missing.
    """
    figure, axes = _start(title, x, y)
    ours = others = 0
    for curve in curves:
        xs, ys = zip(*sorted(curve.points), strict=True) if curve.points else ((), ())
        if curve.is_published:
            style = _LINES[others % len(_LINES)]
            axes.plot(xs, ys, style, color=_PUBLISHED, marker=".", label=curve.label, linewidth=1.2)
            others += 1
        else:
            marker, colour = _MARKERS[ours % len(_MARKERS)], _COLOURS[ours % len(_COLOURS)]
            axes.plot(xs, ys, "-", color=colour, marker=marker, label=curve.label, markersize=5)
            ours += 1
    if log:
        least = min((y for curve in curves for _, y in curve.points if y > 0), default=1.0)
        axes.set_yscale("symlog", linthresh=min(1.0, 10.0 ** math.floor(math.log10(least))))
    axes.set_ylim(bottom=0)
    _finish(figure, axes, path)


def draw_bars(
    path: Path,
    categories: Sequence[str],
    groups: Sequence[Bars],
    *,
    title: str,
    y: str,
    log: bool = False,
) -> None:
    """Writes a picture of bars, one cluster for each category; a zero is written out.

    Args:
        path: the PNG file.
        categories: below the clusters.
        groups: one bar of each cluster.
        title: one line.
        y: label of the axis, with its unit.
        log: the y axis is logarithmic above 1.

    Raises:
        UsageError: matplotlib is missing.
    """
    figure, axes = _start(title, "", y)
    width = 0.8 / len(groups)
    greys, colours = itertools.cycle(_GREYS), itertools.cycle(_COLOURS)
    for index, group in enumerate(groups):
        colour = next(greys if group.is_published else colours)
        first = next((place for place, height in enumerate(group.heights) if height is not None), 0)
        for place, height in enumerate(group.heights):
            left = place + (index - (len(groups) - 1) / 2) * width
            if height is not None:
                axes.bar(
                    left, height, width * 0.92, color=colour, label=group.label if place == first else None
                )
                axes.annotate(
                    f" {height:.3g}",
                    (left, height),
                    ha="center",
                    va="bottom",
                    fontsize=6,
                    color="#333333",
                    rotation=90 if len(groups) > 2 else 0,  # neighbours of one height would collide
                )
    axes.set_xticks(range(len(categories)), [name.replace("-", "-\n") for name in categories])
    if log:
        axes.set_yscale("symlog", linthresh=1)
    tallest = max((height or 0.0 for group in groups for height in group.heights), default=0.0)
    axes.set_ylim(0, max(tallest * (4.0 if log else 1.15), 0.1))
    _finish(figure, axes, path)


def _start(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("pictures need matplotlib: pip install 'swim-cluster[sims]'") from None
    figure = Figure(figsize=(8.0, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")  # as wide as the picture: it may pass the legend
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finish(figure: Figure, axes: Axes, path: Path) -> None:
    """Saves the picture; below it stands the command that plays its runs, with their seeds."""
    figure.legend(frameon=False, fontsize=8, loc="outside right center")
    command = f"swim sim report {path.stem.removeprefix('exp-')}"
    figure.text(0.995, 0.01, command, fontsize=7, color="#777777", ha="right", va="bottom")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": ""})
