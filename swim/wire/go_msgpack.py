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
    "U8",
    "U16",
    "U32",
    "UNPACK_ERRORS",
    "Fields",
    "flag",
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

_MAX_ARRAY = 1024
"""Arrays are capped because msgpack allocates them when it sees their header."""
_MAX_MAP = 256

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


def pack(fields: Mapping[str, Any]) -> bytes:
    """Packs a struct whose keys are already in alphabetical order.

    Raises:
        LocalError: a text holds code points that are neither characters nor escaped bytes. Nothing was sent.
    """
    try:
        return _pack_strict(fields)
    except UnicodeEncodeError:
        try:
            return _pack_escaped(fields)
        except UnicodeEncodeError as error:
            raise LocalError(f"text cannot be put on the wire: {error}") from None


def unpack(data: bytes | memoryview) -> object:
    """Unpacks the first value of ``data``; bytes after it are ignored, as Go's decoders do.

    Raises:
        RemoteError: ``msgpack``, for a truncated or malformed value or one beyond the limits above.
    """
    try:
        # spelled out: a shared dict of options or a partial costs a quarter of the call
        value: object = _unpackb(
            data,
            raw=True,
            use_list=False,
            strict_map_key=False,
            max_array_len=_MAX_ARRAY,
            max_map_len=_MAX_MAP,
        )
    except msgpack.ExtraData as extra:
        return extra.unpacked
    except UNPACK_ERRORS as error:
        raise RemoteError("msgpack", type(error).__name__) from None
    return value


def new_unpacker(max_buffer_size: int) -> msgpack.Unpacker:
    """An incremental ``unpack`` that holds at most ``max_buffer_size`` bytes; raises msgpack's own errors.

    Its ``read_array_header`` and ``read_map_header`` step through containers of any length.
    """
    if _PURE_PYTHON:  # allocates nothing ahead, and would hold those two to the caps as well
        return msgpack.Unpacker(
            raw=True, use_list=False, strict_map_key=False, max_buffer_size=max_buffer_size
        )
    return msgpack.Unpacker(
        raw=True,
        use_list=False,
        strict_map_key=False,
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
    """A text field: nil is empty, bytes that are not UTF-8 survive as surrogate escapes.

    Raises:
        RemoteError: ``msgpack``, for any other type.
    """
    if type(value) is bytes:
        return value.decode("utf-8", "surrogateescape")
    if value is None:
        return ""
    raise _mistyped("text", value)


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
