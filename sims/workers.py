"""Where the runs of a sweep are computed: on all cores of this machine, or on a Dask cluster."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from typing import Any, NamedTuple

from sims.errors import SimError, UsageError

__all__ = ["Outcome", "Work", "compute"]

_CONNECT_SECONDS = 10
_AHEAD = 2


class Work(NamedTuple):
    """One run: a pure function of these three."""

    what: str
    options: dict[str, str]
    seed: int


class Outcome(NamedTuple):
    """One finished run: its measures, or what it raised."""

    work: Work
    measures: dict[str, float] | None
    error: BaseException | None


Play = Callable[[str, dict[str, str], int], dict[str, float]]


def compute(
    play: Play, work: Iterable[Work], *, workers: int | None = None, on: str = ""
) -> Iterator[Outcome]:
    """Computes ``play(what, options, seed)`` for each piece of work; outcomes come in the order they finish.

    Closing the iterator, and Ctrl-C, end the processes at once.

    Args:
        play: a function that can be imported by name.
        work: taken only as fast as it is computed.
        workers: processes, by default one per core.
        on: ``dask://HOST:PORT`` of a scheduler, or "" for this machine.

    Raises:
        UsageError: ``on`` is of another form, or Dask is not installed.
        SimError: the scheduler cannot be reached, or a worker process died.
    """
    if on:
        yield from _on_dask(play, work, on)
    else:
        yield from _on_cores(play, work, workers or os.cpu_count() or 1)


def _on_cores(play: Play, work: Iterable[Work], workers: int) -> Iterator[Outcome]:
    # Fresh interpreters: no thread or lock of the caller's is copied into them.
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_settle_in)
    pieces = iter(work)
    pending: dict[Future[dict[str, float]], Work] = {}
    try:
        while True:
            for piece in islice(pieces, workers * _AHEAD - len(pending)):
                pending[executor.submit(play, *piece)] = piece
            if not pending:
                break
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield _outcome(pending.pop(future), future)
        executor.shutdown()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()


def _settle_in() -> None:
    """Leaves Ctrl-C to the parent, and keeps what simulated nodes warn of to itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("swim").setLevel(logging.CRITICAL)


def _outcome(work: Work, future: Any) -> Outcome:
    error = future.exception()
    return Outcome(work, None if error is not None else future.result(), error)


def _on_dask(play: Play, work: Iterable[Work], on: str) -> Iterator[Outcome]:
    scheme, _, address = on.partition("://")
    if scheme != "dask" or ":" not in address:
        raise UsageError(f"--on takes dask://HOST:PORT, not {on!r}")
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise UsageError("--on dask://... needs Dask: pip install 'swim-cluster[dask]'") from None
    try:
        client = distributed.Client(f"tcp://{address}", timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SimError(f"cannot reach a Dask scheduler at {address}: {error}") from None
    pieces = iter(work)
    pending: dict[str, Work] = {}
    try:
        ahead = max(1, sum(client.nthreads().values())) * _AHEAD
        queue = distributed.as_completed(loop=client.loop)
        for piece in islice(pieces, ahead):
            queue.add(_submit(client, play, piece, pending))
        for future in queue:
            for piece in islice(pieces, 1):
                queue.add(_submit(client, play, piece, pending))
            yield _outcome(pending.pop(future.key), future)
    finally:
        client.close()


def _submit(client: Any, play: Play, piece: Work, pending: dict[str, Work]) -> Any:
    future = client.submit(play, *piece, pure=False)
    pending[future.key] = piece
    return future
