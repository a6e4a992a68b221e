"""A node's files on disk: locked while it runs, opened without following links, replaced as a whole."""

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

__all__ = ["extend", "locked", "read", "replace", "why"]

_logger = logging.getLogger("swim.cluster")

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_OWNER_BYTES = 300
_MOST_BYTES = 1 << 26
"""How much of a file is read: far more than a node writes."""


@contextlib.contextmanager
def locked(used: Path, owner: str, *, field: str = "data_dir", lock: Path | None = None) -> Iterator[None]:
    """Lets one agent at a time use a directory or file; the system releases the lock of a dead process.

    Args:
        used: what is locked.
        owner: name of the node, for the error that a second agent gets.
        field: the setting that names ``used``, for errors.
        lock: the file that is locked, created if missing, as is its directory (mode 0700) with its parents;
            None for ``lock`` in the directory ``used``.

    Raises:
        ConfigError: naming ``field``: it cannot be used, or another agent uses it.
    """
    lock = lock or used / "lock"
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | _NOFOLLOW | os.O_NONBLOCK, 0o600)
    except (OSError, ValueError) as error:
        raise ConfigError(field, f"cannot use {shown(used)}: {why(error)}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            # Another name of some other file, which a write would change.
            what = "a hard link" if stat.S_ISREG(status.st_mode) else "no file"
            raise ConfigError(field, f"cannot use {shown(used)}: {shown(lock.name)} is {what}")
        _lock(handle, used, field)
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its owner's name
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"node {owner}, process {os.getpid()}\n".encode("utf-8", "replace"), 0)
        yield
    finally:
        os.close(handle)


def read(path: Path) -> str | None:
    """The text of a file, its first 64 MiB if it is longer; None if there is none.

    Only a line feed ends a line: a name in it may contain other line ends.

    Raises:
        OSError: it cannot be read, is a link, or is not a regular file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(_MOST_BYTES).decode("utf-8", "surrogateescape")


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


def replace(path: Path, data: bytes) -> None:
    """Replaces a file, readable by its owner only; a crash at any moment leaves the old one or the new one.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # a full disk needs the room
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def why(error: Exception) -> str:
    """Why a file cannot be used."""
    if isinstance(error, OSError):
        return "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
    return str(error)  # as for a name that contains a null character


def _lock(handle: int, used: Path, field: str) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(handle, _OWNER_BYTES, 0).decode("utf-8", "replace").strip()
        who = printable(owner) or "another agent"
        raise ConfigError(field, f"{shown(used)} is in use by {who}") from None
    except OSError as error:
        _logger.warning("cannot lock %s: %s", shown(used), error.strerror)
