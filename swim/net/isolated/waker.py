"""Wakes a loop, or a thread that waits for nothing else, from another thread."""

from __future__ import annotations

import os
import selectors
import socket
from contextlib import suppress
from threading import TIMEOUT_MAX, Lock

__all__ = ["Waiter", "Waker"]


class Waker:
    """Something to wait for in a selector, which any thread can set; one system call per turn at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_set = self._is_closed = False
        self._sockets: tuple[socket.socket, ...] = ()
        if hasattr(os, "eventfd"):
            self._reads = self._writes = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._sockets = near, far = socket.socketpair()
            near.setblocking(False)
            far.setblocking(False)
            self._reads, self._writes = near.fileno(), far.fileno()

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._reads

    def set(self) -> None:
        """Wakes the loop; does nothing once it is closed."""
        with self._lock:  # a descriptor that was closed may belong to another file
            if not self._is_set and not self._is_closed:
                os.write(self._writes, b"\0\0\0\0\0\0\0\1")
                self._is_set = True  # not before: Ctrl-C may strike between

    def wait(self) -> None:
        """Waits until it is set."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._reads, selectors.EVENT_READ)
            waiting.select()

    def clear(self) -> None:
        """The loop is awake."""
        with self._lock, suppress(BlockingIOError):
            self._is_set = False
            os.read(self._reads, 8)

    def close(self) -> None:
        """Releases the descriptor."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                for one in self._sockets:
                    one.close()
                if not self._sockets:
                    os.close(self._reads)


class Waiter:
    """A wait of one thread, which any other may end. Signals interrupt it; Ctrl-C may strike anywhere.

    ``queue.SimpleQueue`` may wait for ever in spite of a time limit (CPython before 3.13), if that is over
    before the wait begins, as a short one is on a crowded machine.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def wake(self) -> None:
        """Ends the wait, or the next one; may be called several times."""
        with suppress(RuntimeError):  # it was woken before
            self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Waits until it is woken, at most this long, which may be infinite; returns whether it was woken."""
        return self._lock.acquire(timeout=min(max(seconds, 0.0), TIMEOUT_MAX))
