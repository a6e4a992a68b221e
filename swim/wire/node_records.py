"""The records of a push/pull that stands there in one piece, read without reading again what is known."""

from __future__ import annotations

from functools import lru_cache

from swim.errors import RemoteError
from swim.wire.codec import record_from
from swim.wire.decode_cache import Known
from swim.wire.go_msgpack import UNPACK_ERRORS, new_unpacker, unpack
from swim.wire.messages import NodeRecord

__all__ = ["KNOWN_RECORDS", "read_records"]

_BLOCK_BYTES_MAX = 4 * 1024 * 1024

KNOWN_RECORDS: Known[tuple[NodeRecord, ...]] = Known(size=8, largest=_BLOCK_BYTES_MAX)
"""Whole tables by their bytes."""


def read_records(block: bytes, count: int) -> tuple[NodeRecord, ...] | None:
    """The ``count`` records that ``block`` consists of; the same tuple for the same bytes, while it is known.

    Returns None for anything else: bytes missing or left over, a record that cannot be read or used.
    """
    known = KNOWN_RECORDS.get(block)
    if known is not None:
        return known if len(known) == count else None
    unpacker = new_unpacker(len(block))
    records = []
    start = 0
    try:
        unpacker.feed(block)
        for _ in range(count):
            unpacker.skip()
            end = unpacker.tell()
            records.append(_record(block[start:end]))
            start = end
    except (RemoteError, *UNPACK_ERRORS):
        return None
    return KNOWN_RECORDS.keep(block, tuple(records)) if start == len(block) else None


@lru_cache(maxsize=1 << 14)
def _record(data: bytes) -> NodeRecord:
    return record_from(unpack(data))
