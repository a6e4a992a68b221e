"""The snapshot file: what a node wants to remember over a restart, replaced atomically."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import trio

from swim.errors import ConfigError
from swim.net import data_dir
from swim.text import shown

__all__ = ["SnapshotFile"]

_logger = logging.getLogger("swim.cluster")

_FILE_NAME = "members.snapshot"
_DEBOUNCE = 0.5
"""Seconds between a change and its write, as Serf's clock update interval; a burst becomes one write."""
_REFRESH = 30.0
"""Seconds after which the text is compared even without an event: Lamport clocks advance silently."""


class SnapshotFile:
    """``DIR/members.snapshot``, readable by its owner alone.

    Args:
        directory: created (mode 0700) if missing.

    Raises:
        ConfigError: field ``data_dir``: the directory can't be created or the file can't be read.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE_NAME
        self._written = ""
        self._changed = trio.Event()
        self._limiter = trio.CapacityLimiter(1)  # whatever else uses threads
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._written = data_dir.read(self._path)
        except OSError as error:
            why = f"{_FILE_NAME} is a link" if error.errno == errno.ELOOP else error.strerror
            raise ConfigError("data_dir", f"cannot use {shown(directory)}: {why}") from None

    @property
    def text(self) -> str:
        """What the file holds; "" if there is none."""
        return self._written

    def changed(self) -> None:
        """Tells that the node's snapshot may differ from the file."""
        self._changed.set()

    @trio.lowlevel.enable_ki_protection
    async def keep(self, snapshot: Callable[[], str]) -> None:
        """Writes ``snapshot()`` soon after every change, in a thread, until cancelled."""
        while True:
            with trio.move_on_after(_REFRESH):
                await self._changed.wait()
                await trio.sleep(_DEBOUNCE)
            self._changed = trio.Event()
            text = snapshot()
            if text != self._written:
                await trio.to_thread.run_sync(self.write, text, limiter=self._limiter)

    def write(self, text: str) -> None:
        """Replaces the file's text; after a crash at any moment the old or the new one is there, never a mix.

        If the disk refuses, the old text stays and a warning is logged: membership goes on without memory.
        """
        if text == self._written:
            return
        try:
            self._replace(text)
        except OSError as error:
            _logger.warning("cannot write %s: %s", shown(self._path), error.strerror)
        else:
            self._written = text

    def _replace(self, text: str) -> None:
        temporary = self._path.with_suffix(".tmp")
        with open(data_dir.create(temporary), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
