"""memberlist's dialect of msgpack: maps of named fields in the old raw family, read liberally.

Writing: a struct is a map with its keys in alphabetical order; text and bytes share the raw family (never
``bin`` or ``str8``). Reading accepts what go-msgpack 2 accepts: ``bin`` for text, an array of small integers
for bytes, a whole struct as an array in declaration order, nil for anything, absent and unknown keys, and
bytes after the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgpack  # type: ignore[import-untyped]

from swim.errors import LocalError, RemoteError

__all__ = [
    "NAME_MAX_BYTES",
    "U8",
    "U16",
    "U32",
    "UNPACKER_BYTES",
    "UNPACK_ERRORS",
    "ElementBudget",
    "Fields",
    "flag",
    "name",
    "new_unpacker",
    "pack",
    "raw",
    "struct",
    "text",
    "uint",
    "unpack",
]

Fields = Mapping[bytes, Any]

U8 = 0xFF
U16 = 0xFFFF
U32 = 0xFFFF_FFFF

NAME_MAX_BYTES = 255
"""Longest name of a member that is read; Serf itself writes at most 128 bytes."""
ELEMENTS_MAX = 4096
"""Most elements that the containers of one value may announce together; a map's pair counts as two."""
DEPTH_MAX = 8
"""Deepest nesting of containers; Serf's messages nest three deep."""

_MAX_ARRAY = 1024
"""Arrays are capped because msgpack allocates them when it sees their header."""
_MAX_MAP = 256
_CONTAINER_BYTES = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
UNPACKER_BYTES = 45_000
"""Memory of an incremental reader itself, mostly its stack."""
_BUFFER_BYTES = 4096
"""Initial buffer of an incremental reader; msgpack's own default is a megabyte for each."""
_SMALL_BYTES = 160
"""Values up to this many bytes, whose arrays have at most as many elements, cannot be costly. An ack with a
coordinate takes 154."""
_FEW_CONTAINERS = 8
"""Neither can a value with at most this many bytes that could begin a container."""
_LONG_BYTES = 65_536
"""In longer values these bytes are not counted, since that would take milliseconds."""

_PACK_OPTIONS: dict[str, Any] = {"use_bin_type": False}


_PURE_PYTHON = msgpack.Packer.__module__ == "msgpack.fallback"

UNPACK_ERRORS = (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException)
"""Everything msgpack raises for bytes it cannot read."""


def _make_packer(**options: Any) -> Callable[[Any], bytes]:
    if _PURE_PYTHON:
        return partial(msgpack.packb, **options)  # the pure-Python packer must not be shared between threads
    return msgpack.Packer(**options).pack  # type: ignore[no-any-return]


_pack_strict = _make_packer(**_PACK_OPTIONS)
_pack_escaped = _make_packer(**_PACK_OPTIONS, unicode_errors="surrogateescape")
_unpackb = msgpack.unpackb


def pack(fields: Mapping[str, Any] | list[str]) -> bytes:
    """Packs a struct whose keys are already in alphabetical order, or a list of texts.

    Raises:
        LocalError: a text contains code points that are neither characters nor escaped bytes. Nothing was
            sent.
    """
    try:
        return _pack_strict(fields)
    except UnicodeEncodeError:
        try:
            return _pack_escaped(fields)
        except UnicodeEncodeError as error:
            raise LocalError(f"text cannot be put on the wire: {error}") from None


class ElementBudget:
    """How many elements the values of one packet may still announce.

    Attributes:
        left: elements. Only values with many containers are charged.
    """

    __slots__ = ("left",)

    def __init__(self, left: int = ELEMENTS_MAX) -> None:
        self.left: int = left


def unpack(data: bytes | memoryview, budget: ElementBudget | None = None) -> object:
    """Unpacks the first value of ``data``; bytes after it are ignored, as Go's decoders do.

    Args:
        data: the bytes.
        budget: shared with the other values of a packet; by default the value has one of its own.

    Raises:
        RemoteError: ``msgpack``, for a truncated or malformed value or one beyond the limits above;
            ``elements``, for one that announces more elements or nests deeper than any message does.
    """
    longest = _SMALL_BYTES
    if len(data) > _SMALL_BYTES:
        longest = _MAX_ARRAY
        if len(data) > _LONG_BYTES or _containers(bytes(data)) > _FEW_CONTAINERS:
            _charge(data, budget or ElementBudget())
    try:
        # spelled out: a shared dict of options or a partial costs a quarter of the call
        value: object = _unpackb(
            data,
            raw=True,
            use_list=False,
            strict_map_key=False,
            max_array_len=longest,
            max_map_len=_MAX_MAP,
        )
    except msgpack.ExtraData as extra:
        return extra.unpacked
    except UNPACK_ERRORS as error:
        raise RemoteError("msgpack", type(error).__name__) from None
    return value


def _containers(data: bytes) -> int:
    """How many bytes could begin a container; counting them costs less than walking through the value."""
    return len(data) - len(data.translate(None, _CONTAINER_BYTES))


def _charge(data: bytes | memoryview, budget: ElementBudget) -> None:
    """Walks over one value without building it; malformed values are left for msgpack to report."""
    position, size = 0, len(data)
    left = min(budget.left, ELEMENTS_MAX)
    open_counts = [1]
    while open_counts and position < size:
        if not open_counts[-1]:
            open_counts.pop()
            continue
        open_counts[-1] -= 1
        byte = data[position]
        position += 1
        skip, length_bytes, width = _SHAPES[byte]
        if length_bytes:
            skip += int.from_bytes(data[position : position + length_bytes], "big")
            position += length_bytes
        if not width:
            position += skip
            continue
        count = skip * width
        left -= count
        if left < 0 or count > size - position or len(open_counts) > DEPTH_MAX:
            budget.left = 0
            raise RemoteError("elements", f"over {ELEMENTS_MAX} elements or {DEPTH_MAX} levels")
        open_counts.append(count)
    budget.left -= min(budget.left, ELEMENTS_MAX) - left


def _shape(byte: int) -> tuple[int, int, int]:
    """What a first byte means: bytes to skip or elements, bytes of a length that follows, elements per count.

    The last is 0 for anything but a container.
    """
    if 0x80 <= byte < 0xA0:
        return byte & 0x0F, 0, 2 if byte < 0x90 else 1
    if 0xA0 <= byte < 0xC0:
        return byte & 0x1F, 0, 0
    if 0xC7 <= byte <= 0xC9:  # an extension: its type comes between the length and the body
        return 1, 1 << byte - 0xC7, 0
    if byte in _LENGTHS:
        return 0, *_LENGTHS[byte]
    return _FIXED.get(byte, 0), 0, 0


_LENGTHS = {
    0xC4: (1, 0),
    0xC5: (2, 0),
    0xC6: (4, 0),
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
    0xDC: (2, 1),
    0xDD: (4, 1),
    0xDE: (2, 2),
    0xDF: (4, 2),
}
_FIXED = {
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
    0xD4: 2,
    0xD5: 3,
    0xD6: 5,
    0xD7: 9,
    0xD8: 17,
}
_SHAPES = tuple(map(_shape, range(256)))


def new_unpacker(max_buffer_size: int) -> msgpack.Unpacker:
    """An incremental ``unpack`` that holds at most ``max_buffer_size`` bytes; raises msgpack's own errors.

    Its ``read_array_header`` and ``read_map_header`` step through containers of any length.
    """
    if _PURE_PYTHON:  # allocates nothing ahead, and would hold those two to the caps as well
        return msgpack.Unpacker(
            raw=True,
            use_list=False,
            strict_map_key=False,
            read_size=min(_BUFFER_BYTES, max_buffer_size),
            max_buffer_size=max_buffer_size,
        )
    return msgpack.Unpacker(
        raw=True,
        use_list=False,
        strict_map_key=False,
        read_size=min(_BUFFER_BYTES, max_buffer_size),
        max_buffer_size=max_buffer_size,
        max_array_len=_MAX_ARRAY,
        max_map_len=_MAX_MAP,
    )


def struct(value: object, order: Sequence[bytes]) -> Fields:
    """The fields of a decoded struct; ``order`` is the declaration order, for a struct sent as an array.

    Raises:
        RemoteError: ``msgpack``, when ``value`` is neither a map, an array nor nil.
    """
    if type(value) is dict:
        return value
    if value is None:
        return {}
    if type(value) is tuple:
        return dict(zip(order, value, strict=False))
    raise _mistyped("a struct", value)


def text(value: object) -> str:
    """A text field: nil is empty, bytes that are not UTF-8 become surrogate escapes.

    Raises:
        RemoteError: ``msgpack``, for any other type.
    """
    if type(value) is bytes:
        return value.decode("utf-8", "surrogateescape")
    if value is None:
        return ""
    raise _mistyped("text", value)


def name(value: object) -> str:
    """A text field that names a member.

    Raises:
        RemoteError: ``name-size``, beyond ``NAME_MAX_BYTES``; ``msgpack`` as ``text``.
    """
    if type(value) is bytes:
        if len(value) > NAME_MAX_BYTES:
            raise RemoteError("name-size", f"{len(value)} bytes")
        return value.decode("utf-8", "surrogateescape")
    return text(value)


def raw(value: object) -> bytes | None:
    """A byte field; nil stays None.

    Raises:
        RemoteError: ``msgpack``, for any other type or an array with elements outside 0..255.
    """
    if type(value) is bytes or value is None:
        return value
    if type(value) is tuple and all(type(item) is int and 0 <= item <= 255 for item in value):
        return bytes(value)
    raise _mistyped("bytes", value)


def uint(value: object, largest: int) -> int:
    """An integer field of 0..``largest``; nil is 0.

    Raises:
        RemoteError: ``msgpack``, for a negative or larger integer, a bool, a float or any other type.
    """
    if type(value) is int and 0 <= value <= largest:
        return value
    if value is None:
        return 0
    raise _mistyped(f"an integer of 0..{largest}", value)


def flag(value: object) -> bool:
    """A bool field; the integers 0 and 1 and nil are accepted.

    Raises:
        RemoteError: ``msgpack``, for any other value.
    """
    if type(value) is bool:
        return value
    if value is None or (type(value) is int and value in (0, 1)):
        return bool(value)
    raise _mistyped("a bool", value)


def _mistyped(wanted: str, value: object) -> RemoteError:
    return RemoteError("msgpack", f"{type(value).__name__} instead of {wanted}")
