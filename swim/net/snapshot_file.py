"""The snapshot file: what a node keeps across a restart, appended to line by line.

Each run begins by replacing the file with the whole state. After that, changes are appended: one write and
one ``fsync`` for all changes of half a second. A file that has grown to twice the whole state, and past 128
KiB, is replaced again. A replacement is written beside the file, synced and renamed, so a crash at any moment
leaves the old file or the new one. A crash while appending may leave an incomplete line, which is not read.
"""

from __future__ import annotations

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

_DEBOUNCE = 0.5
"""Seconds between a change and its write, as Serf's flush interval; a burst becomes one write."""
_RETRY = 30.0
"""Seconds between two attempts to write after a failure, as in Serf."""
_COMPACT_FROM = 128 * 1024
"""Bytes below which a file is never compacted, as in Serf."""
_COMPACT_RATIO = 2
"""A file is compacted at this many times the size of the whole state."""


class SnapshotFile:
    """One node's snapshot, readable by its owner alone.

    If writing fails, one warning is logged and membership continues. The whole state is written once the disk
    works again.

    Args:
        path: of the file; its directory exists.
        field: the setting that named it, for errors.

    Attributes:
        text: the file's text at the start; "" if there was no file.
        whole: returns the current whole state, including all appended lines.
        changed: called by ``append``.

    Raises:
        ConfigError: naming ``field``: the file can't be read.
    """

    def __init__(self, path: Path, *, field: str = "data_dir") -> None:
        self._path = path
        self._lines: list[str] = []
        self._size = self._limit = 0
        self._is_new = True
        self._is_whole = False
        self._is_failing = False
        self.whole: Callable[[], str] = lambda: self.text
        self.changed: Callable[[], None] = lambda: None
        try:
            self.text: str = data_dir.read(path) or ""
        except OSError as error:
            raise ConfigError(field, f"cannot use {shown(path)}: {data_dir.why(error)}") from None

    def append(self, lines: Sequence[str]) -> None:
        """Adds lines, without their ends, to the text that is written next."""
        self._lines += lines
        self.changed()

    def next_save(self) -> Callable[[], None]:
        """What to write next: the whole state if the file is behind or too large, else the appended lines.

        Returns:
            Writes it, for another thread: it takes as long as the disk does. One at a time.
        """
        self._is_new = False
        if self._is_whole and self._size <= self._limit:
            save = partial(self._append, "".join(f"{line}\n" for line in self._lines))
        else:
            save = partial(self.write, self.whole())
        self._lines.clear()
        return save

    def saved(self) -> None:
        """Nothing waits for a write."""

    def finish(self) -> None:
        """Writes the whole state, at the end of the run. This waits for the disk."""
        self.write(self.whole())

    @property
    def pause(self) -> float | None:
        """Seconds from the end of a write to the next one; None: until ``append`` is called."""
        if not self._is_whole:
            return 0.0 if self._is_new else _RETRY
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
        data_dir.replace(self._path, data)
        self._size, self._limit = len(data), max(_COMPACT_FROM, _COMPACT_RATIO * len(data))
