"""Values between two processes of one program: length and pickle, on a connected pair of sockets."""

from __future__ import annotations

import pickle
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from socket import MSG_DONTWAIT, socket

from swim.errors import InternalError

__all__ = ["FRAME_BYTES_MAX", "FrameReader", "Outbox", "encode"]

FRAME_BYTES_MAX = 1 << 28
"""A frame that claims to be longer is malformed; the largest one lists every member."""
_LENGTH = struct.Struct("!I")


def encode(value: object) -> bytes:
    """A value as one frame."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Makes values of the bytes that arrive."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[object]:
        """The values that are complete now.

        Raises:
            InternalError: these are no frames.
        """
        self._bytes += data
        while len(self._bytes) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._bytes)
            if size > FRAME_BYTES_MAX:
                raise InternalError(
                    f"malformed frame of {size} bytes between a node's process and its program"
                )
            if len(self._bytes) < _LENGTH.size + size:
                return
            body = bytes(self._bytes[_LENGTH.size : _LENGTH.size + size])
            del self._bytes[: _LENGTH.size + size]
            try:
                value = pickle.loads(body)
            except Exception as error:  # pickle raises nearly everything
                raise InternalError(
                    f"malformed frame between a node's process and its program: {error!r}"
                ) from error
            yield value


class Outbox:
    """Sends values from any thread; a thread of its own waits for the other side to read.

    Args:
        end: of the pair; closed by the caller.
        name: of the thread.
        is_direct: whether the sender tries first, and the thread sends only what has to wait: quicker, but
            not for a thread that Ctrl-C may strike.
        lost: called once by that thread, if the other side is gone.
    """

    def __init__(
        self, end: socket, *, name: str, is_direct: bool = False, lost: Callable[[], None] = lambda: None
    ) -> None:
        self._end = end
        self._lost = lost
        self._is_direct = is_direct
        self._frames: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._is_closed = False
        self.waiting: int = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def send(self, value: object) -> None:
        """Sends one value, after those before it; nothing once it is closed. Never waits."""
        frame = encode(value)
        with self._lock:  # not the condition: where Ctrl-C strikes, that may stay locked
            if self._is_closed:
                return
            if self._is_direct and self.waiting == 0:
                frame = frame[self._sent(frame) :]
            if frame:
                self._frames.append(frame)
                self.waiting += len(frame)
                self._changed.notify()

    def _sent(self, frame: bytes) -> int:
        """How much of a frame goes at once; an error is for the thread to find."""
        try:
            return self._end.send(frame, MSG_DONTWAIT)
        except OSError:
            return 0

    def close(self, timeout: float) -> None:
        """Sends what waits, at most ``timeout`` seconds long, and no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._frames and not self._is_closed:
                    self._changed.wait()
                if not self._frames:
                    return
                frame = self._frames.popleft()
            try:
                self._end.sendall(frame)
            except OSError:
                with self._changed:
                    self._is_closed = True
                    self._frames.clear()
                self._lost()
                return
            with self._changed:
                self.waiting -= len(frame)
