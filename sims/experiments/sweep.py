"""Parameter grids: every combination of option values, every seed, over all cores or a Dask cluster.

``swim sim sweep vector nodes=100,1000 loss=0,0.05 --seeds 0-9 --out loss.csv`` makes 40 rows. Interrupt
it, and the same command goes on where it stopped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sims.errors import UsageError
from sims.experiments.rows import RowFile
from sims.workers import Outcome, compute
from swim.errors import ConfigError

__all__ = [
    "VECTOR",
    "Grid",
    "Swept",
    "Work",
    "parse_axes",
    "parse_seeds",
    "play",
    "run_sweep",
]

VECTOR = "vector"
"""The name under which a sweep runs ``sims.model``; every other name is a scenario's."""


def play(what: str, options: Mapping[str, str], seed: int) -> dict[str, float]:
    """One row of a sweep: the measures of one run, by name. A pure function.

    Args:
        what: ``vector`` or the name of a scenario.
        options: its options, values as text.
        seed: decides everything else.

    Raises:
        UsageError: an unknown scenario or option, or a value that does not fit.
    """
    if what == VECTOR:
        from sims.model import simulate
        from sims.model.options import read_options

        try:
            config, setup = read_options(options)
            [result] = simulate(config, setup, seed=seed)
        except ConfigError as error:
            raise UsageError(f"option {error}") from None
        return result.measures | {"virtual_seconds": result.seconds}
    from sims.scenarios.registry import run_scenario

    played = run_scenario(what, seed, options)
    return dict(played.measures) | {"ok": float(played.ok), "virtual_seconds": played.virtual_seconds}


class Work(NamedTuple):
    """One row to compute: the arguments of ``play``."""

    what: str
    options: dict[str, str]
    seed: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination of the axes' values, with every seed.

    Attributes:
        what: ``vector`` or the name of a scenario.
        axes: values, as text, by option.
        seeds: without repetitions.

    Raises:
        UsageError: a scenario or option that does not exist, or nothing to run.
    """

    what: str
    axes: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        known = _options_of(self.what)
        for name, values in self.axes.items():
            if name not in known:
                raise UsageError(f"{self.what} has no option {name!r} (it has {', '.join(known)})")
            if not values:
                raise UsageError(f"option {name} has no values")
        if not self.seeds:
            raise UsageError("there are no seeds")

    def __len__(self) -> int:
        """How many rows the grid has."""
        rows = len(self.seeds)
        for values in self.axes.values():
            rows *= len(values)
        return rows

    def __iter__(self) -> Iterator[Work]:
        """The rows, seeds innermost."""
        for values in itertools.product(*self.axes.values()):
            for seed in self.seeds:
                yield Work(self.what, dict(zip(self.axes, values, strict=True)), seed)


class Swept(NamedTuple):
    """What a sweep did.

    Attributes:
        rows: in the file now.
        new: of these, computed this time.
        failed: runs that raised; their rows are missing, and the next sweep tries them again.
    """

    rows: int
    new: int
    failed: tuple[Outcome, ...]


def run_sweep(
    grid: Grid,
    path: Path,
    *,
    workers: int | None = None,
    on: str = "",
    progress: Callable[[int, int], None] | None = None,
    function: Callable[[str, dict[str, str], int], dict[str, float]] = play,
) -> Swept:
    """Computes the rows of a grid that its file lacks, and appends each when it is done.

    Ctrl-C (``KeyboardInterrupt``) stops at once and leaves a file that the next call completes.

    Args:
        grid: what to run.
        path: a ``.csv`` file; if it has rows already, only the missing ones are computed.
        workers: processes, by default one per core.
        on: ``dask://HOST:PORT``, or "" for this machine.
        progress: called with rows done and rows in all.
        function: what computes a row; it must be importable by name.

    Raises:
        UsageError: an option that does not fit, a file of another version or grid, or a missing library.
        SimError: the Dask scheduler cannot be reached.
    """
    if path.suffix != ".csv":
        raise UsageError(f"{path} does not end in .csv")
    failed: list[Outcome] = []
    with RowFile(path, grid.what, tuple(grid.axes)) as file:
        present = len(file.rows)
        missing = _missing(grid, file)
        _report(progress, len(grid) - len(missing), len(grid))
        for outcome in compute(function, missing, workers=workers, on=on) if missing else ():
            if outcome.error is not None:
                _check(outcome)
                failed.append(outcome)
            else:
                file.append(outcome.work.seed, outcome.work.options, outcome.result)
            _report(progress, len(file.rows) + len(failed), len(grid))
        return Swept(len(file.rows), len(file.rows) - present, tuple(failed))


def _missing(grid: Grid, file: RowFile) -> list[Work]:
    wanted = {(str(work.seed), *work.options.values()): work for work in grid}
    for row in file.rows:
        if wanted.pop(file.key(row), None) is None:
            options = ", ".join(f"{name}={row[name]}" for name in ("seed", *grid.axes))
            raise UsageError(f"{file.path} is of another grid: it has a row with {options}")
    return list(wanted.values())


def _check(outcome: Outcome) -> None:
    """Whatever is the caller's mistake fails for every row alike: it ends the sweep."""
    if isinstance(outcome.error, UsageError):
        raise outcome.error


def _report(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _options_of(what: str) -> Sequence[str]:
    if what == VECTOR:
        try:
            from sims.model.options import OPTIONS
        except ModuleNotFoundError as error:
            raise UsageError(
                f"the vector model needs {error.name}: pip install 'swim-cluster[sims]'"
            ) from None
        return OPTIONS
    from sims.scenarios.registry import scenarios

    found = scenarios().get(what)
    if found is None:
        raise UsageError(f"there is no scenario {what!r}; see `swim sim list`")
    return tuple(found.options)


# -- from the command line


def parse_axes(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``["nodes=100,1000"]`` as ``{"nodes": ("100", "1000")}``.

    Raises:
        UsageError: another form, or a name twice.
    """
    axes: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name or not all(values.split(",")):
            raise UsageError(f"{text!r} is not of the form OPTION=VALUE[,VALUE...]")
        if name in axes:
            raise UsageError(f"option {name} is given twice")
        axes[name] = tuple(dict.fromkeys(values.split(",")))
    return axes


def parse_seeds(text: str) -> tuple[int, ...]:
    """``5``, ``0-9`` or ``1,2,10-19`` as numbers, each once.

    Raises:
        UsageError: another form.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"{text!r} is not a list of seeds such as 0-9 or 1,2,10-19")
        seeds.update(dict.fromkeys(range(int(first), int(last or first) + 1)))
    return tuple(seeds)
