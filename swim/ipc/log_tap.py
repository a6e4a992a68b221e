"""The log as it is written, for a task that waits for new lines."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress

import trio

from swim.formatters import serf_line

__all__ = ["LogTap"]

_LINES_MAX = 512


class LogTap(logging.Handler):
    """Takes records in any thread, and keeps them as lines until they are read, at most 512.

    ``swim.verbosity.listening`` gives it those of swim.

    Args:
        level: of the least serious record that is taken.
    """

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._run = trio.lowlevel.current_trio_token()
        self._lines: deque[str] = deque()
        self._lost = 0
        self._arrived = trio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``, which holds the lock."""
        if len(self._lines) >= _LINES_MAX:
            self._lost += 1
            return
        try:
            self._lines.append(serf_line(record))
        except Exception:
            self.handleError(record)
        with suppress(trio.RunFinishedError):
            self._run.run_sync_soon(self._wake, idempotent=True)

    async def read(self) -> tuple[list[str], int]:
        """Waits for lines; all there are, and how many were lost after them."""
        await self._arrived.wait()
        with self.lock:  # type: ignore[union-attr]
            self._arrived = trio.Event()
            lines, lost = [*self._lines], self._lost
            self._lines.clear()
            self._lost = 0
        return lines, lost

    def _wake(self) -> None:
        self._arrived.set()
