"""Many seeds, here or on several processes, their results in the order of the seeds."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from sims.swarm.run import SwarmResult, run_swarm

__all__ = ["swarm_results"]

_SEEDS_AT_ONCE = 4


@contextmanager
def swarm_results(seeds: range, jobs: int) -> Iterator[Iterator[SwarmResult]]:
    """The results of ``seeds``, one by one as they come; leaving early ends the processes.

    Args:
        seeds: which.
        jobs: processes, at least 1; with 1 everything happens here.
    """
    if jobs == 1:
        logger = logging.getLogger("swim")
        before = logger.level
        _quiet()
        try:
            yield map(run_swarm, seeds)
        finally:
            logger.setLevel(before)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _begin_worker) as pool:
        yield pool.imap(run_swarm, seeds, chunksize=_SEEDS_AT_ONCE)


def _quiet() -> None:
    """Nodes warn of what the faults do to them; here that is no news."""
    logging.getLogger("swim").setLevel(logging.CRITICAL)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool
    _quiet()
