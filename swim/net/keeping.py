"""Keeps a snapshot file up to date, on trio."""

from __future__ import annotations

from collections.abc import Callable

import trio

from swim.net.snapshot_file import SnapshotFile

__all__ = ["keep"]


@trio.lowlevel.enable_ki_protection
async def keep(file: SnapshotFile, snapshot: Callable[[], str]) -> None:
    """Writes the whole state, then the appended lines soon after every change, until cancelled.

    A thread does the writing.

    Args:
        file: where to.
        snapshot: the current whole state, including all appended lines.
    """
    limiter = trio.CapacityLimiter(1)  # whatever else uses threads
    while True:
        changed = trio.Event()
        file.changed = changed.set
        await trio.to_thread.run_sync(file.next_save(snapshot), limiter=limiter)
        if file.pause is None:
            await changed.wait()
        await trio.sleep(file.pause or 0.0)
