"""The keyring file: this node's gossip keys across restarts, in the form of Serf's ``-keyring-file``."""

from __future__ import annotations

import json
import logging
import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from swim import checks
from swim.core.output import SaveKeys
from swim.errors import ConfigError
from swim.keyrings import fingerprint
from swim.net import data_dir
from swim.text import shown
from swim.wire.keyring import KEYS_MAX

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NO_KEYS", "KeyringFile", "read_keyring"]

_logger = logging.getLogger("swim.cluster")

NO_KEYS = "Keyring file contains no keys"
"""Serf's words."""
_RETRY = 30.0
"""Seconds between two attempts to write after a failure, as for a snapshot."""
_FIELD = "keyring_file"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyringFile:
    """One JSON list of keys in base64, the one that encrypts first; readable by its owner alone.

    Every change of the keyring replaces the file, and is answered after that. If writing fails, the change
    holds in this run and its sender reads why; the file is written once the disk works again.

    Args:
        path: of the file.
        field: the setting that names it, for errors.

    Attributes:
        keys: those in the file at the start; () if there was no file.
        changed: called by ``put``.
        report: called in the node's thread after a write, with the number of what was put and "" or an error.

    Raises:
        ConfigError: naming ``field``: the file can't be read, holds anything else, or no key.
    """

    def __init__(self, path: Path, *, field: str = _FIELD) -> None:
        self._path = path
        self._next: SaveKeys | None = None
        self._failed: SaveKeys | None = None
        self._written: tuple[int, str] | None = None
        self.changed: Callable[[], None] = lambda: None
        self.report: Callable[[int, str], None] = lambda number, error: None
        self.keys: tuple[bytes, ...] = ()
        try:
            text = data_dir.read(path)
            if text is not None:
                self.keys = read_keyring(text)
                self._warn_if_open()
        except (OSError, ValueError) as error:
            raise ConfigError(field, f"{shown(path)}: {data_dir.why(error)}") from None

    def check(self, configured: Sequence[bytes]) -> None:
        """Warns if the configured keys are others than the file's, which are used."""
        if configured and self.keys and (configured[0] != self.keys[0] or set(configured) - set(self.keys)):
            _logger.warning(
                "the configured gossip keys (%s) differ from those in %s (%s), which are used",
                ", ".join(map(fingerprint, configured)),
                shown(self._path),
                ", ".join(map(fingerprint, self.keys)),
            )

    def put(self, save: SaveKeys) -> None:
        """Has these keys written next."""
        self._next = save
        self.changed()

    def next_save(self) -> Callable[[], None]:
        """Writes the newest keys, for another thread: it takes as long as the disk does. One at a time."""
        save, self._next = self._next if self._next is not None else self._failed, None
        return partial(self._write, save) if save is not None else lambda: None

    def saved(self) -> None:
        """Reports what the last write came to."""
        written, self._written = self._written, None
        if written is not None:
            self.report(*written)

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

    def _write(self, save: SaveKeys) -> None:
        text = json.dumps([b64encode(key).decode() for key in save.keys], indent=2)
        error = ""
        try:
            data_dir.replace(self._path, text.encode())
        except OSError as failure:
            error = f"cannot write {shown(self._path)}: {failure.strerror or failure}"
            self._failed = save
        else:
            if self._failed is not None:
                _logger.info("can write %s again", shown(self._path))
            self._failed = None
        self._written = (save.number, error)

    def _warn_if_open(self) -> None:
        mode = stat.S_IMODE(os.stat(self._path, follow_symlinks=False).st_mode)
        if os.name == "posix" and mode & _OTHERS:
            _logger.warning(
                "other users can use %s, which holds gossip keys: mode %03o", shown(self._path), mode
            )


def read_keyring(text: str) -> tuple[bytes, ...]:
    """The keys in the text of a keyring file, each once, the one that encrypts first.

    Raises:
        ValueError: what is wrong with it. No part of a key is in the message.
    """
    try:
        listed: Any = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise ValueError("must be a list of keys in base64")
    if not listed:
        raise ValueError(NO_KEYS)
    keys: dict[bytes, None] = {}
    for number, item in enumerate(listed, 1):
        try:
            key = b64decode(item.replace("\n", "").replace("\r", ""), validate=True)
        except ValueError:
            raise ValueError(f"key {number} is not base64") from None
        if len(key) not in checks.KEY_SIZES:
            raise ValueError(f"key {number} has {len(key)} bytes; it must have 16, 24 or 32")
        keys[key] = None
    if len(keys) > KEYS_MAX:
        raise ValueError(f"has {len(keys)} keys, more than {KEYS_MAX}")
    return tuple(keys)
