"""Keeps a node's file up to date, on trio."""

from __future__ import annotations

import math

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
        due = _due(file)
        with trio.move_on_at(due):
            await changed.wait()
            due = min(due, _due(file))
        if due == math.inf:
            continue
        await trio.sleep_until(due)
        await trio.to_thread.run_sync(file.next_save(), limiter=limiter)
        file.saved()


def _due(file: KeptFile) -> float:
    """When to write; infinite if nothing is to be written."""
    return math.inf if file.pause is None else trio.current_time() + file.pause
