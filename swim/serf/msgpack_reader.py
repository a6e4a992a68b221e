"""Reads a msgpack value piece by piece, so that a length in a header never allocates anything by itself."""

from __future__ import annotations

from collections.abc import Iterator

from swim.errors import RemoteError
from swim.wire.go_msgpack import UNPACK_ERRORS, new_unpacker

__all__ = ["Reader"]

_NIL = 0xC0


class Reader:
    """A cursor over the bytes of one or more msgpack values.

    Every method raises ``RemoteError("msgpack")`` on what it cannot read.
    """

    __slots__ = ("_data", "_unpacker")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._unpacker = new_unpacker(max(len(data), 1))
        self._unpacker.feed(data)

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return int(self._unpacker.tell())

    def value(self) -> object:
        """The next whole value; lists and maps inside it are small."""
        try:
            value: object = self._unpacker.unpack()
        except UNPACK_ERRORS as error:
            raise RemoteError("msgpack", type(error).__name__) from None
        return value

    def items(self) -> Iterator[None]:
        """Steps through a list of any length; the caller reads one value per step. Nil is an empty list."""
        return self._steps(self._unpacker.read_array_header)

    def pairs(self) -> Iterator[None]:
        """Steps through a map of any length; the caller reads key and value per step. Nil is an empty map."""
        return self._steps(self._unpacker.read_map_header)

    def _steps(self, header: object) -> Iterator[None]:
        position = self.position
        if self._data[position : position + 1] == bytes((_NIL,)):
            self.value()
            return
        try:
            count = header()  # type: ignore[operator]
        except UNPACK_ERRORS as error:
            raise RemoteError("msgpack", type(error).__name__) from None
        for _ in range(count):
            yield
