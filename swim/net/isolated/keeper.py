"""Keeps a node's file up to date beside a loop. Short-lived threads write: a disk may take its time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from swim.net.files import KeptFile
from swim.net.isolated.timers import Timer

__all__ = ["Keeper"]

_RETRY = 1.0
"""Seconds until the next attempt if no thread can be started."""


class _Loop(Protocol):
    def now(self) -> float: ...
    def at(self, when: float, action: Callable[[], None]) -> Timer: ...
    def soon(self, action: Callable[[], None]) -> None: ...


class Keeper:
    """Writes what there is to write, when the file wants it.

    Args:
        loop: runs this.
        file: where to.
    """

    def __init__(self, loop: _Loop, file: KeptFile) -> None:
        self._loop = loop
        self._file = file
        self._timer: Timer | None = None
        self._writer: threading.Thread | None = None

    def start(self) -> None:
        """Begins; the loop does the rest."""
        self._file.changed = self._plan
        self._plan()

    def end(self) -> None:
        """Writes what has to be there in the end. This waits for the disk."""
        if self._writer is not None:
            self._writer.join()
        self._file.finish()

    def _save(self) -> None:
        save = self._file.next_save()
        self._timer = None
        self._writer = threading.Thread(target=self._write, args=(save,), name="swim:files", daemon=True)
        try:
            self._writer.start()
        except RuntimeError:
            self._writer = None
            self._timer = self._loop.at(self._loop.now() + _RETRY, self._save)

    def _write(self, save: Callable[[], None]) -> None:
        save()
        self._loop.soon(self._saved)

    def _saved(self) -> None:
        self._writer = None
        self._file.saved()
        self._plan()

    def _plan(self) -> None:
        if self._writer is not None or (pause := self._file.pause) is None:
            return
        when = self._loop.now() + pause
        if self._timer is not None and self._timer.when > when:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.at(when, self._save)
