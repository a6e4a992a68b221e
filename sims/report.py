"""The papers' experiments, played, tabled and drawn: our figures beside the published ones.

``report(["swim-load"], Path("out"))`` plays what ``out/swim-load.csv`` lacks, one row per run, and writes
``out/swim-load.md`` and ``out/img/exp-swim-load.png``. Interrupt it, and the same call goes on.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sims.errors import SimError, UsageError
from sims.experiments import EXPERIMENTS, Experiment
from sims.rows import RowFile
from sims.sweep import run_sweep

__all__ = ["Written", "main", "report"]


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
    """Plays experiments as far as their rows are missing, and writes tables and pictures.

    Args:
        names: of ``EXPERIMENTS``; none stands for all.
        out: folder for ``NAME.csv``, ``NAME.md`` and ``img/exp-NAME.png``.
        workers: processes, by default one per core.
        play: False shows the rows that are there, however many.
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

        def told(done: int, total: int) -> None:
            if progress is not None:
                progress(name, done, total)

        swept = run_sweep(grid, path, workers=workers, progress=told)
        for outcome in swept.failed:
            raise UsageError(f"{name}: seed {outcome.work.seed} failed: {outcome.error!r}")
    with RowFile(path, grid.what, tuple(grid.axes)) as file:
        rows = file.rows
    if not rows:
        raise UsageError(f"{path} has no rows")
    table, picture = out / f"{name}.md", out / "img" / f"exp-{name}.png"
    text = f"## {experiment.title}\n\n{experiment.table(rows)}\n\n`{experiment.command}`\n"
    table.write_text(text, encoding="utf-8")
    experiment.draw(rows, picture)
    return Written(name, table, picture, len(rows))


def main(argv: Sequence[str] | None = None) -> int:
    """Writes reports; 0 when done, 2 on a mistake, 130 after Ctrl-C.

    Args:
        argv: arguments without the program's name; None takes the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m sims.report", description="Replays papers' experiments.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or some of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--out", type=Path, default=Path("report"), help="folder (report)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (one per core)")
    parser.add_argument("--no-play", action="store_true", help="only show the rows that are there")
    options = parser.parse_args(argv)
    logging.getLogger("swim").setLevel(logging.CRITICAL)
    try:
        written = report(options.names, options.out, workers=options.workers, play=not options.no_play)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130
    except SimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for each in written:
        print(f"{each.name}: {each.rows} rows, {each.table}, {each.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
