"""The compression layer (type 9): a whole message inside ``{Algo, Buf}``."""

from __future__ import annotations

from collections.abc import Callable

from swim.errors import RemoteError
from swim.wire.decode_cache import DecodeCache
from swim.wire.go_msgpack import U8, pack, raw, struct, uint, unpack
from swim.wire.lzw import compress_steps, decompress
from swim.wire.steps import Steps, finish

__all__ = [
    "compress_again_steps",
    "compress_message",
    "compress_message_steps",
    "decompress_message",
    "packed_from",
    "shrink_message",
]

_LZW = 0
_WRAPPER_BYTES = 13
"""Type byte, map header, both keys, ``Algo`` and the shortest length of ``Buf``."""
_SHORT_RAW_BYTES = 32
"""From here on the length of ``Buf`` takes two bytes more."""


def compress_message(message: bytes) -> bytes:
    """Wraps ``message`` in a compression layer, even where that makes it longer."""
    return finish(compress_message_steps(message))


def compress_message_steps(message: bytes) -> Steps[bytes]:
    """``compress_message`` in steps."""
    return b"\x09" + pack({"Algo": _LZW, "Buf": (yield from compress_steps(message))})


def compress_again_steps(message: bytes, may_compress: Callable[[int], bool]) -> Steps[bytes]:
    """``compress_message`` in steps, or its cached result for the same long message.

    Args:
        message: the bytes.
        may_compress: called with the size before a long message is compressed; if it returns False, the
            message is returned uncompressed, which every peer reads.
    """
    if len(message) < _CACHED_FROM_BYTES:
        return compress_message(message)
    known = _COMPRESSED.get(message)
    if known is not None:
        return known
    if not may_compress(len(message)):
        return message
    compressed = yield from compress_message_steps(message)
    return _COMPRESSED.keep(message, compressed, len(compressed))


_COMPRESSED: DecodeCache[bytes] = DecodeCache(budget=8 * 1024 * 1024)
"""Whole states, compressed: a node sends its own to many peers, and nodes that agree send the same bytes."""
_CACHED_FROM_BYTES = 1024


def shrink_message(message: bytes) -> bytes:
    """``compress_message`` if the result is strictly shorter than ``message``, else ``message`` itself."""
    if _cannot_shrink(message):
        return message
    wrapped = compress_message(message)
    return wrapped if len(wrapped) < len(message) else message


def decompress_message(data: bytes, limit: int) -> bytes:
    """Removes the compression layer of ``data`` (type byte included); the result has at most ``limit`` bytes.

    Raises:
        RemoteError: ``msgpack``, ``compress`` (also for an unknown algorithm), ``decompressed-too-large`` or
            ``empty``.
    """
    message = decompress(packed_from(unpack(data[1:])), limit)
    if not message:
        raise RemoteError("empty", "nothing inside the compression layer")
    return message


def packed_from(value: object) -> bytes:
    """The compressed contents of a compression layer, from its unpacked body.

    Raises:
        RemoteError: ``msgpack``, or ``compress`` for an unknown algorithm.
    """
    get = struct(value, (b"Algo", b"Buf")).get
    algorithm = uint(get(b"Algo"), U8)
    if algorithm != _LZW:
        raise RemoteError("compress", f"unknown algorithm {algorithm}")
    return raw(get(b"Buf")) or b""


def _cannot_shrink(message: bytes) -> bool:
    """Whether a lower bound of the compressed size shows no gain; several times cheaper than compressing.

    A pair of adjacent bytes not seen before always spans two codes, so there is at least one code more than
    there are distinct pairs. Each code takes 9 bits or more, and so do the clear code and the end code.
    """
    view = memoryview(message)
    even, odd = len(view) & ~1, (len(view) - 1) | 1
    pairs = len({*view[:even].cast("H"), *view[1:odd].cast("H")})
    bound = (9 * (pairs + 3) + 7) // 8
    return bound + _WRAPPER_BYTES + (2 if bound >= _SHORT_RAW_BYTES else 0) >= len(message)
