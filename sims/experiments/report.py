"""Runs the papers' experiments, and makes tables and pictures with the published figures.

``report(["swim-load"], Path("out"))`` runs what ``out/swim-load.csv`` lacks, one row per run, and writes
``out/swim-load.md`` and ``out/img/exp-swim-load.png``. After an interruption, the same call continues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from sims.errors import UsageError
from sims.experiments.grids import EXPERIMENTS, Experiment
from sims.experiments.rows import RowFile
from sims.experiments.sweep import Grid, run_sweep

__all__ = ["Written", "report"]


class Written(NamedTuple):
    """What a report wrote for one experiment."""

    name: str
    table: Path
    picture: Path
    rows: int


def report(
    names: Iterable[str],
    out: Path,
    *,
    workers: int | None = None,
    play: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Written]:
    """Runs experiments whose rows are missing, and writes tables and pictures.

    Args:
        names: of ``EXPERIMENTS``; none means all.
        out: folder for ``NAME.csv``, ``NAME.md`` and ``img/exp-NAME.png``.
        workers: processes, by default one per core.
        play: False only shows the existing rows.
        progress: called with the experiment, rows done and rows in all.

    Raises:
        UsageError: an unknown name, files of another version, no rows to show, or matplotlib is missing.
    """
    chosen = list(names) or list(EXPERIMENTS)
    for name in chosen:
        if name not in EXPERIMENTS:
            raise UsageError(f"there is no report {name!r} (there are {', '.join(EXPERIMENTS)})")
    out.mkdir(parents=True, exist_ok=True)
    return [_write(EXPERIMENTS[name], out, workers, play, progress) for name in chosen]


def _write(
    experiment: Experiment,
    out: Path,
    workers: int | None,
    play: bool,
    progress: Callable[[str, int, int], None] | None,
) -> Written:
    name, grid = experiment.name, experiment.grid
    path = out / f"{name}.csv"
    if play:

        def report(done: int, total: int) -> None:
            if progress is not None:
                progress(name, done, total)

        swept = run_sweep(grid, path, workers=workers, progress=report)
        for outcome in swept.failed:
            raise UsageError(f"{name}: seed {outcome.work.seed} failed: {outcome.error!r}")
    with RowFile(path, grid.what, tuple(grid.axes)) as file:
        rows = _in_order(grid, file)
    if not rows:
        raise UsageError(f"{path} has no rows")
    table, picture = out / f"{name}.md", out / "img" / f"exp-{name}.png"
    text = f"## {experiment.title}\n\n{experiment.table(rows)}\n\n`{experiment.command}`\n"
    table.write_text(text, encoding="utf-8")
    experiment.draw(rows, picture)
    return Written(name, table, picture, len(rows))


def _in_order(grid: Grid, file: RowFile) -> list[dict[str, str]]:
    """The rows in the order of the grid; in the file they are in the order in which runs finished."""
    place = {(str(work.seed), *work.options.values()): index for index, work in enumerate(grid)}
    return sorted(file.rows, key=lambda row: place.get(file.key(row), len(place)))
