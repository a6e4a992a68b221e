"""The snapshot file: what a node keeps across a restart, appended to line by line.

Each run begins by replacing the file with the whole state. After that, changes are appended: one write and
one ``fsync`` for all changes of half a second. A file that has grown to twice the whole state, and past 128
KiB, is replaced again. A replacement is written beside the file, synced and renamed, so a crash at any moment
leaves the old file or the new one. A crash while appending may leave an incomplete line, which is not read.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from swim.errors import ConfigError
from swim.net import data_dir
from swim.text import shown

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SnapshotFile"]

_logger = logging.getLogger("swim.cluster")

_FILE_NAME = "members.snapshot"
_DEBOUNCE = 0.5
"""Seconds between a change and its write, as Serf's flush interval; a burst becomes one write."""
_RETRY = 30.0
"""Seconds between two attempts to write after a failure, as in Serf."""
_COMPACT_FROM = 128 * 1024
"""Bytes below which a file is never compacted, as in Serf."""
_COMPACT_RATIO = 2
"""A file is compacted at this many times the size of the whole state."""


class SnapshotFile:
    """``DIR/members.snapshot``, readable by its owner alone.

    If writing fails, one warning is logged and membership continues. The whole state is written once the disk
    works again.

    Args:
        directory: created (mode 0700) if missing.

    Attributes:
        text: the file's text at the start; "" if there was no file.
        changed: called by ``append``.

    Raises:
        ConfigError: field ``data_dir``: the directory can't be created or the file can't be read.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE_NAME
        self._lines: list[str] = []
        self._size = self._limit = 0
        self._is_whole = False
        self._is_failing = False
        self.changed: Callable[[], None] = lambda: None
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.text: str = data_dir.read(self._path)
        except OSError as error:
            why = f"{_FILE_NAME} is a link" if error.errno == errno.ELOOP else error.strerror
            raise ConfigError("data_dir", f"cannot use {shown(directory)}: {why}") from None

    def append(self, lines: Sequence[str]) -> None:
        """Adds lines, without their ends, to the text that is written next."""
        self._lines += lines
        self.changed()

    def next_save(self, snapshot: Callable[[], str]) -> Callable[[], None]:
        """What to write next: the whole state if the file is behind or too large, else the appended lines.

        Args:
            snapshot: the current whole state, including all appended lines.

        Returns:
            Writes it, for another thread: it takes as long as the disk does. One at a time.
        """
        if self._is_whole and self._size <= self._limit:
            save = partial(self._append, "".join(f"{line}\n" for line in self._lines))
        else:
            save = partial(self.write, snapshot())
        self._lines.clear()
        return save

    @property
    def pause(self) -> float | None:
        """Seconds from the end of a write to the next one; None: until ``append`` is called."""
        if not self._is_whole:
            return _RETRY
        if self._size > self._limit:
            return 0.0
        return _DEBOUNCE if self._lines else None

    def write(self, text: str) -> None:
        """Replaces the file's text; after a crash at any moment it holds the old or the new one, never a mix.

        If writing fails, the old text stays and a warning is logged.
        """
        self._guarded(self._replace, text.encode("utf-8", "surrogateescape"))

    def _append(self, text: str) -> None:
        self._guarded(self._extend, text.encode("utf-8", "surrogateescape"))

    def _guarded(self, save: Callable[[bytes], None], data: bytes) -> None:
        """Saves; after a failure the file is behind, and may end with an incomplete line."""
        try:
            save(data)
        except OSError as error:
            self._is_whole = False
            if not self._is_failing:
                _logger.warning("cannot write %s: %s", shown(self._path), error.strerror)
            self._is_failing = True
        else:
            self._is_whole = True
            if self._is_failing:
                _logger.info("can write %s again", shown(self._path))
            self._is_failing = False

    def _extend(self, data: bytes) -> None:
        with open(data_dir.extend(self._path, self._size), "ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(data)

    def _replace(self, data: bytes) -> None:
        temporary = self._path.with_suffix(".tmp")
        with open(data_dir.create(temporary), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._size, self._limit = len(data), max(_COMPACT_FROM, _COMPACT_RATIO * len(data))
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
