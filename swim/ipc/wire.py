"""IPC on the wire: msgpack objects back to back, in the dialect that has strings and bytes."""

from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]

from swim.errors import RemoteError

__all__ = ["ObjectReader", "encode"]

_ERRORS = (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException)


def encode(*objects: Any) -> bytes:
    """The objects one after the other; bytes that are no UTF-8 are written as they came."""
    return b"".join(msgpack.packb(one, unicode_errors="surrogateescape") for one in objects)


class ObjectReader:
    """Objects from a stream of bytes. None is decoded before it is whole: a length allocates nothing.

    Args:
        max_bytes: of one object.
        max_items: of one list or map.
    """

    __slots__ = ("_data", "_max_bytes", "_max_items", "_start", "_whole")

    def __init__(self, *, max_bytes: int, max_items: int) -> None:
        self._max_bytes = max_bytes
        self._max_items = max_items
        self._data = bytearray()
        self._start = 0
        self._whole = msgpack.Unpacker()

    def __bool__(self) -> bool:
        return bool(self._data)

    def feed(self, data: bytes | bytearray) -> None:
        """Takes the next bytes."""
        self._data += data
        self._whole.feed(data)

    def next(self) -> tuple[Any] | None:
        """The next object, alone in a tuple; None if more bytes are needed.

        Raises:
            RemoteError: ``ipc-too-large``, or ``ipc-malformed`` for what is not msgpack.
        """
        if not self._data:
            return None
        try:
            self._whole.skip()
        except msgpack.OutOfData:
            self._check(len(self._data))
            return None
        except _ERRORS as error:
            raise RemoteError("ipc-malformed", type(error).__name__) from None
        size = int(self._whole.tell()) - self._start
        self._check(size)
        data = bytes(self._data[:size])
        del self._data[:size]
        self._start += size
        return (self._decoded(data),)

    def _decoded(self, data: bytes) -> Any:
        try:
            return msgpack.unpackb(
                data,
                unicode_errors="surrogateescape",
                max_array_len=self._max_items,
                max_map_len=self._max_items,
            )
        except _ERRORS as error:
            raise RemoteError("ipc-malformed", type(error).__name__) from None

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise RemoteError("ipc-too-large", f"an object of over {self._max_bytes} bytes")
