"""Before and around a command: the standard streams, and failures outside the command itself.

Imports the standard library only, so that a missing package can be reported.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from swim.errors import NO_DESCRIPTORS
from swim.text import printable

__all__ = ["PACKAGES", "complain", "explain_failure", "prepare_streams"]

PACKAGES: dict[str, tuple[str, ...]] = {
    "swim-cluster": ("trio", "msgpack", "cryptography", "click", "rich", "starlette", "anyio", "h11"),
    "'swim-cluster[sims]'": ("hypothesis", "numpy", "matplotlib"),
    "'swim-cluster[mdns]'": ("zeroconf",),
    "'swim-cluster[client]'": ("httpx",),
    "'swim-cluster[dask]'": ("dask", "distributed"),
}
"""The packages, by the names they are imported under, that ``pip install`` of each word brings."""

_FAILED = 1
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF, errno.EIO)


def prepare_streams() -> None:
    """Makes stdin, stdout and stderr usable, whatever state the parent process left them in.

    A closed one is opened so that using it fails; otherwise a socket could take its number and get the
    output. A character that a stream's encoding lacks is written as an escape.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # Open the wrong way round: to read stdin or to write stdout is a "Bad file descriptor".
            opened = os.open(os.devnull, os.O_WRONLY if descriptor == 0 else os.O_RDONLY)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
        if getattr(sys, name) is None:
            mode = "r" if descriptor == 0 else "w"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115  for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def explain_failure(error: Exception) -> int:
    """Prints in one sentence why the system or the installation failed; returns the exit code.

    Raises:
        Exception: ``error`` itself, if it is neither an ``OSError`` nor a missing package.
    """
    if isinstance(error, BrokenPipeError):  # the reader closed the pipe
        _silence(sys.stdout)
        return _FAILED
    if isinstance(error, OSError):
        words = error.strerror or str(error) or type(error).__name__
        if error.filename is not None:
            words = f"{error.filename}: {words}"
        elif error.errno in _UNWRITABLE:
            _silence(sys.stdout)
            words = f"cannot write the output: {words}"
        elif error.errno in NO_DESCRIPTORS:
            words += "; raise the limit with 'ulimit -n'"
        return complain(_FAILED, words)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        for words, packages in PACKAGES.items():
            if package in packages:
                return complain(_FAILED, f"this needs the package {package}: pip install {words}")
    raise error


def complain(code: int, text: str) -> int:
    """Writes ``text`` as one line on stderr, if stderr can be written; returns ``code``."""
    with suppress(OSError):
        sys.stderr.write(f"swim: {printable(' '.join(text.split()))}\n")
        sys.stderr.flush()
        return code
    _silence(sys.stderr)
    return code


def _silence(stream: TextIO) -> None:
    """Drops the buffer of a broken stream; otherwise the interpreter complains when it flushes at exit."""
    with suppress(OSError):  # also raised by a stream without a descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
