"""Writes to stdout or stderr from a thread, so that a reader that stops reading cannot stop the node.

A pipe holds 64 kB, a terminal stopped by Ctrl-S less. After that a plain write would block the event loop,
and the other members of the cluster would declare the node failed.
"""

from __future__ import annotations

import errno
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Self, TextIO

__all__ = ["BackgroundWriter"]

_LIMIT_BYTES = 1 << 20
_FOR_GOOD = (errno.EPIPE, errno.EBADF, errno.EIO, errno.ENXIO)
"""Errors that mean the reader or the terminal is gone. Others, such as a full disk, may be temporary."""


class BackgroundWriter:
    """Writes text to a file descriptor, in order; ``write`` never waits and never raises.

    Text that does not fit into the buffer, or that the system does not accept, is dropped and counted. A line
    in its place says how many pieces are missing, once the reader continues. It can serve as the file of a
    ``rich.Console``.

    Args:
        stream: where to write; its descriptor and encoding are used, not its buffer.
        dropped_line: the text written in place of that many dropped pieces.
        limit: bytes that may wait.
        failed: called from the writing thread when a write first fails.

    Attributes:
        dropped: pieces dropped so far.
        encoding: of the stream; characters it lacks are written as escapes.
        error: the first failure, or None.
    """

    def __init__(
        self,
        stream: TextIO,
        dropped_line: Callable[[int], str],
        *,
        limit: int = _LIMIT_BYTES,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.dropped: int = 0
        self.error: OSError | None = None
        self._descriptor = stream.fileno()
        self.encoding: str = stream.encoding or "utf-8"
        self._dropped_line = dropped_line
        self._limit = limit
        self._failed = failed
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._missing = 0
        self._closed = self._broken = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="swim-writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_behind(self) -> bool:
        """True while something written earlier has not reached the reader."""
        return self._bytes > 0

    def write(self, text: str) -> None:
        """Queues ``text``, or drops all of it if too much waits already."""
        data = text.encode(self.encoding, "backslashreplace")
        with self._changed:
            if self._broken or self._closed or self._bytes + len(data) > self._limit:
                self.dropped += 1
                self._missing += 1
                return
            if self._missing:
                self._queue(self._take_missing())
            self._queue(data)
            self._changed.notify()

    def flush(self) -> None:
        """Nothing: the thread writes as soon as the reader takes it."""

    def isatty(self) -> bool:
        """Whether the descriptor is a terminal."""
        return os.isatty(self._descriptor)

    def close(self, timeout: float = 2.0) -> None:
        """Waits until all is written, at most ``timeout`` seconds; afterwards ``write`` only counts."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout)

    def _queue(self, data: bytes) -> None:
        self._waiting.append(data)
        self._bytes += len(data)

    def _take_missing(self) -> bytes:
        missing, self._missing = self._missing, 0
        return self._dropped_line(missing).encode(self.encoding, "backslashreplace")

    def _run(self) -> None:
        while not self._broken:
            with self._changed:
                while not (self._waiting or self._closed):
                    self._changed.wait()
                if not self._waiting:
                    return
                pieces, batch = len(self._waiting), b"".join(self._waiting)
                self._waiting.clear()
            refusal = _write_all(self._descriptor, batch)
            is_first = refusal is not None and self.error is None
            with self._changed:
                self._bytes -= len(batch)
                if refusal is not None:
                    self._refused(refusal, pieces)
                elif self._missing and not self._waiting:
                    self._queue(self._take_missing())
            if is_first:
                self._failed()

    def _refused(self, refusal: OSError, pieces: int) -> None:
        self.error = self.error or refusal
        self.dropped += pieces
        self._missing += pieces
        self._broken = refusal.errno in _FOR_GOOD


def _write_all(descriptor: int, data: bytes) -> OSError | None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another process made the descriptor non-blocking
            select.select((), (descriptor,), ())
        except OSError as refusal:
            return refusal
    return None
