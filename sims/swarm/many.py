"""Many seeds, here or on several processes, their results in the order of the seeds."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from sims.swarm.run import SwarmResult, run_swarm
from sims.workers import compute

__all__ = ["run_seeds"]


def run_seeds(seeds: range, *, jobs: int = 1) -> Generator[SwarmResult, None, None]:
    """The results of ``seeds``, one by one as they come; closing the iterator ends the processes.

    Args:
        seeds: which.
        jobs: processes, at least 1; with 1 everything happens here.
    """
    finished: dict[int, SwarmResult] = {}
    wanted = iter(seeds)
    seed = next(wanted, None)
    work = ((seed,) for seed in seeds)
    with closing(compute(run_swarm, work, workers=jobs if jobs > 1 else 0)) as outcomes:
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
            finished[outcome.work[0]] = outcome.result
            while seed in finished:
                yield finished.pop(seed)
                seed = next(wanted, None)
