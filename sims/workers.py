"""Computes many runs: in this process, on all cores of this machine, or on a Dask cluster."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from sims.errors import SimError, UsageError

__all__ = ["Outcome", "compute", "quiet_nodes"]

_CONNECT_SECONDS = 10
_AHEAD = 2


class Outcome(NamedTuple):
    """One finished run: what the function returned, or what it raised."""

    work: Any
    result: Any
    error: BaseException | None


Play = Callable[..., Any]


@contextmanager
def quiet_nodes() -> Iterator[None]:
    """Silences the nodes' logs for the length of a block: they would warn about the injected faults."""
    logger = logging.getLogger("swim")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def compute(
    play: Play, work: Iterable[tuple[Any, ...]], *, workers: int | None = None, on: str = ""
) -> Generator[Outcome, None, None]:
    """Computes ``play(*piece)`` for each piece of work; outcomes come in the order they finish.

    Closing the iterator, and Ctrl-C, end the processes at once. Nodes log nothing.

    Args:
        play: a pure function that can be imported by name.
        work: consumed only as fast as it is computed.
        workers: processes, by default one per core; 0 computes in this one.
        on: ``dask://HOST:PORT`` of a scheduler, or "" for this machine.

    Raises:
        UsageError: ``on`` is of another form, or Dask is not installed.
        SimError: the scheduler cannot be reached, or a worker process died.
    """
    if on:
        yield from _on_dask(play, work, on)
    elif workers == 0:
        with quiet_nodes():
            for piece in work:
                yield Outcome(piece, play(*piece), None)
    else:
        yield from _on_cores(play, work, workers or os.cpu_count() or 1)


def _on_cores(play: Play, work: Iterable[tuple[Any, ...]], workers: int) -> Iterator[Outcome]:
    # New interpreters, so that no thread or lock of the caller is copied into them.
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_the_parent)
    pieces = iter(work)
    pending: dict[Future[Any], tuple[Any, ...]] = {}
    try:
        while True:
            for piece in islice(pieces, workers * _AHEAD - len(pending)):
                pending[executor.submit(_quietly, play, *piece)] = piece
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


def _follow_the_parent() -> None:
    """Leaves Ctrl-C to the parent process, and ends with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _quietly(play: Play, *piece: Any) -> Any:
    with quiet_nodes():
        return play(*piece)


def _outcome(work: tuple[Any, ...], future: Any) -> Outcome:
    error = future.exception()
    return Outcome(work, None if error is not None else future.result(), error)


def _on_dask(play: Play, work: Iterable[tuple[Any, ...]], on: str) -> Iterator[Outcome]:
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
    pending: dict[str, tuple[Any, ...]] = {}
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


def _submit(client: Any, play: Play, piece: tuple[Any, ...], pending: dict[str, tuple[Any, ...]]) -> Any:
    future = client.submit(_quietly, play, *piece, pure=False)
    pending[future.key] = piece
    return future
