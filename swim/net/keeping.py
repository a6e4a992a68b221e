"""Keeps a node's file up to date, on trio."""

from __future__ import annotations

import trio

from swim.net.files import KeptFile

__all__ = ["keep"]


@trio.lowlevel.enable_ki_protection
async def keep(file: KeptFile) -> None:
    """Writes what there is to write, when the file wants it, until cancelled. A thread does the writing."""
    limiter = trio.CapacityLimiter(1)  # whatever else uses threads
    while True:
        changed = trio.Event()
        file.changed = changed.set
        if file.pause is None:
            await changed.wait()
        await trio.sleep(file.pause or 0.0)
        await trio.to_thread.run_sync(file.next_save(), limiter=limiter)
