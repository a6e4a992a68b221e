"""Reads a msgpack value piece by piece, so that a length in a header never allocates memory by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgpack  # type: ignore[import-untyped]

from swim.errors import RemoteError
from swim.wire.go_msgpack import UNPACK_ERRORS, new_unpacker, unpack

__all__ = ["Reader"]

_NIL = b"\xc0"
_CONTAINERS = frozenset(bytes((byte,)) for byte in (*range(0x80, 0xA0), *range(0xDC, 0xE0)))
_WINDOW_BYTES = 65_536
_VALUE_MAX_BYTES = 256 * 1024
"""Longest single value, such as the user events of one stamp."""


class Reader:
    """A cursor over the bytes of one or more msgpack values.

    Every method raises ``RemoteError("msgpack")`` on input that it cannot read.
    """

    __slots__ = ("_data", "_fed", "_unpacker")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._fed = 0
        self._unpacker = new_unpacker(max(len(data), 1))

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return int(self._unpacker.tell())

    def value(self) -> object:
        """The next whole value. A list or map, with its contents, is within the limits of ``unpack``."""
        start = self.position
        if self._data[start : start + 1] in _CONTAINERS:
            self._read(self._unpacker.skip, start)
            return unpack(self._data[start : self.position])
        return self._read(self._unpacker.unpack, start)

    def items(self) -> Iterator[None]:
        """Steps through a list of any length; the caller reads one value per step. Nil is an empty list."""
        return self._steps(self._unpacker.read_array_header)

    def pairs(self) -> Iterator[None]:
        """Steps through a map of any length; the caller reads key and value per step. Nil is an empty map."""
        return self._steps(self._unpacker.read_map_header)

    def _steps(self, header: Callable[[], object]) -> Iterator[None]:
        position = self.position
        if self._data[position : position + 1] == _NIL:
            self.value()
            return
        count = self._read(header, position)
        assert isinstance(count, int)
        for _ in range(count):
            yield

    def _read(self, step: Callable[[], object], start: int) -> object:
        while True:
            try:
                return step()
            except msgpack.OutOfData:
                window = self._data[self._fed : self._fed + _WINDOW_BYTES]
                if not window:
                    raise RemoteError("msgpack", "cut short") from None
                if self._fed - start > _VALUE_MAX_BYTES:
                    raise RemoteError("too-large", f"value of over {_VALUE_MAX_BYTES} bytes") from None
                self._unpacker.feed(window)
                self._fed += len(window)
            except UNPACK_ERRORS as error:
                raise RemoteError("msgpack", type(error).__name__) from None
