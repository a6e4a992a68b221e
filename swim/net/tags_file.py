"""The tags file: this node's tags across restarts, in the form of Serf's ``-tags-file``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from swim import checks
from swim.errors import ConfigError
from swim.net import data_dir
from swim.text import shown

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TagsFile"]

_logger = logging.getLogger("swim.cluster")

_RETRY = 30.0
"""Seconds between two attempts to write after a failure, as for a snapshot."""
_FIELD = "tags_file"


class TagsFile:
    """One JSON object of strings, indented, readable by its owner alone. Every change replaces the file.

    If writing fails, one warning is logged and the change of the tags holds. They are written once the disk
    works again.

    Args:
        path: of the file.

    Attributes:
        tags: those in the file at the start; none if there was no file.
        changed: called by ``put``.

    Raises:
        ConfigError: field ``tags_file``: the file can't be read, or holds anything else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next: Mapping[str, str] | None = None
        self._failed: Mapping[str, str] | None = None
        self.changed: Callable[[], None] = lambda: None
        self.tags: Mapping[str, str] = self.read()

    def read(self) -> Mapping[str, str]:
        """The tags in the file now."""
        try:
            text = data_dir.read(self._path)
            tags: Any = {} if text is None else json.loads(text)
        except RecursionError:
            raise ConfigError(_FIELD, f"{shown(self._path)}: is nested too deeply") from None
        except (OSError, ValueError) as error:
            raise ConfigError(_FIELD, f"{shown(self._path)}: {data_dir.why(error)}") from None
        try:
            return checks.text_map(_FIELD, tags)
        except ConfigError as error:
            raise ConfigError(_FIELD, f"{shown(self._path)}: {error.reason}") from None

    def put(self, tags: Mapping[str, str]) -> None:
        """Has these tags written next."""
        self._next = tags
        self.changed()

    def next_save(self) -> Callable[[], None]:
        """Writes the newest tags, for another thread: it takes as long as the disk does. One at a time."""
        tags, self._next = self._next if self._next is not None else self._failed, None
        return partial(self._write, tags)

    def saved(self) -> None:
        """Nothing waits for a write."""

    def finish(self) -> None:
        """Writes what waits, at the end of the run. This waits for the disk."""
        if self.pause is not None:
            self.next_save()()

    @property
    def pause(self) -> float | None:
        """Seconds until the next write; None: until ``put`` is called."""
        if self._next is not None:
            return 0.0
        return None if self._failed is None else _RETRY

    def _write(self, tags: Mapping[str, str] | None) -> None:
        text = json.dumps(dict(sorted((tags or {}).items())), indent=2, ensure_ascii=False)
        try:
            data_dir.replace(self._path, text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            if self._failed is None:
                _logger.warning("cannot write %s: %s", shown(self._path), error.strerror)
            self._failed = tags
        else:
            if self._failed is not None:
                _logger.info("can write %s again", shown(self._path))
            self._failed = None
