"""Runs many seeds, in this process or several, and yields their results in the order of the seeds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from functools import partial

from sims.swarm.run import SwarmResult, run_swarm
from sims.workers import compute
from sims.world.observer import Observer
from swim import checks

__all__ = ["run_seeds"]


def run_seeds(
    seeds: Sequence[int], *, jobs: int = 1, observers: Callable[[], Iterable[Observer]] = tuple
) -> Generator[SwarmResult, None, None]:
    """The results of ``seeds``, one by one as they finish; closing the iterator ends the processes.

    Args:
        seeds: which.
        jobs: processes, at least 1; with 1 everything runs in this process.
        observers: makes the observers of each run, such as ``Applications`` with invariants; with several
            processes it must be importable by name.

    Raises:
        ConfigError: naming an argument that is wrong.
    """
    checks.instance("a sequence of whole numbers", Sequence, but=(str, bytes))("seeds", seeds)
    for seed in seeds:
        checks.instance("a sequence of whole numbers", int)("seeds", seed)
    checks.whole_number("jobs", jobs, at_least=1)
    checks.instance("a function", call=True)("observers", observers)
    return _run_seeds(seeds, jobs, observers)


def _run_seeds(
    seeds: Sequence[int], jobs: int, observers: Callable[[], Iterable[Observer]]
) -> Generator[SwarmResult, None, None]:
    finished: dict[int, SwarmResult] = {}
    work = ((seed,) for seed in seeds)
    wanted = iter(seeds)
    seed = next(wanted, None)
    play = partial(_play, observers)
    with closing(compute(play, work, workers=jobs if jobs > 1 else 0)) as outcomes:
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
            finished[outcome.work[0]] = outcome.result
            while seed in finished:
                yield finished.pop(seed)
                seed = next(wanted, None)


def _play(observers: Callable[[], Iterable[Observer]], seed: int) -> SwarmResult:
    return run_swarm(seed, observers=observers())
