"""Several messages in one packet (type 7): a count, the lengths, the parts."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

from swim.errors import LocalError, RemoteError

__all__ = ["MAX_PARTS", "pack", "split"]

MAX_PARTS = 127
"""Most parts written: decoders before memberlist 0.2.4 crash on 128 and more. Up to 255 are read."""

_MAX_PART_BYTES = 0xFFFF


def pack(parts: Sequence[bytes]) -> bytes:
    """Joins complete messages into one compound.

    Raises:
        LocalError: no part, more than ``MAX_PARTS``, or a part that is empty (old peers crash on it) or
            longer than 65535 bytes. Nothing was sent.
    """
    if not 0 < len(parts) <= MAX_PARTS:
        raise LocalError(f"a compound holds 1 to {MAX_PARTS} messages, not {len(parts)}")
    lengths = [len(part) for part in parts]
    if min(lengths) == 0 or max(lengths) > _MAX_PART_BYTES:
        raise LocalError(f"a message in a compound has 1 to {_MAX_PART_BYTES} bytes")
    return b"".join((b"\x07", bytes((len(parts),)), _lengths(len(parts)).pack(*lengths), *parts))


def split(data: bytes) -> tuple[list[bytes], int]:
    """Cuts a compound (type byte included) into its parts, some of which may be empty.

    Returns:
        The parts that are whole, and the number of announced parts that are missing or cut short.

    Raises:
        RemoteError: ``truncated``, when even the count or the lengths are cut short.
    """
    count = data[1] if len(data) > 1 else -1
    position = 2 + 2 * count
    if count < 0 or len(data) < position:
        raise RemoteError("truncated", "compound header")
    parts: list[bytes] = []
    for length in _lengths(count).unpack_from(data, 2):
        end = position + length
        if end > len(data):
            break
        parts.append(data[position:end])
        position = end
    return parts, count - len(parts)


@cache
def _lengths(count: int) -> struct.Struct:
    return struct.Struct(f">{count}H")
