"""The data directory of one agent: locked while it runs, and its files opened without following links."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from swim.errors import ConfigError
from swim.text import printable, shown

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["create", "extend", "locked", "read"]

_logger = logging.getLogger("swim.cluster")

_LOCK_NAME = "lock"
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_OWNER_BYTES = 300
_MOST_BYTES = 1 << 26
"""How much of a file is read: far more than a node writes."""


@contextlib.contextmanager
def locked(directory: Path, owner: str) -> Iterator[None]:
    """Makes the directory (mode 0700) and locks it; the system releases the lock of a dead process.

    Args:
        directory: created with its parents if missing.
        owner: name of the node, for the error that a second agent gets.

    Raises:
        ConfigError: field ``data_dir``: the directory cannot be used, or another agent uses it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | _NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise ConfigError("data_dir", f"cannot use {shown(directory)}: {_why(error)}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            # Another name of some other file, which a write would change.
            why = (
                f"{_LOCK_NAME} is a hard link" if stat.S_ISREG(status.st_mode) else f"{_LOCK_NAME} is no file"
            )
            raise ConfigError("data_dir", f"cannot use {shown(directory)}: {why}")
        _lock(handle, directory)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"node {owner}, process {os.getpid()}\n".encode("utf-8", "replace"), 0)
        yield
    finally:
        os.close(handle)


def read(path: Path) -> str:
    """The text of a file, its first 64 MiB if it is longer; "" if there is none.

    Raises:
        OSError: it cannot be read, is a link, or is not a regular file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with open(handle, encoding="utf-8", errors="surrogateescape") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(_MOST_BYTES)


def extend(path: Path, size: int) -> int:
    """Opens a file of ``size`` bytes to append to it.

    Raises:
        OSError: it is gone, cannot be opened, is a link, or is not the file that was left there.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | _NOFOLLOW | os.O_NONBLOCK)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_size != size or status.st_nlink != 1:
        os.close(handle)
        raise OSError(errno.ESTALE, "another process changed it")
    return handle


def create(path: Path) -> int:
    """Opens a new file for writing, readable by its owner only; a file or link of that name is removed first.

    Raises:
        OSError: it cannot be created.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600)


def _lock(handle: int, directory: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(handle, _OWNER_BYTES, 0).decode("utf-8", "replace").strip()
        who = printable(owner) or "another agent"
        raise ConfigError("data_dir", f"{shown(directory)} is in use by {who}") from None
    except OSError as error:
        _logger.warning("cannot lock %s: %s", shown(directory), error.strerror)


def _why(error: OSError) -> str:
    return "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
