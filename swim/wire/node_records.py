"""The node records of push/pulls; records already decoded are reused."""

from __future__ import annotations

from functools import lru_cache

from swim.wire.codec import CACHED_MAX_BYTES, record_from
from swim.wire.decode_cache import DecodeCache
from swim.wire.go_msgpack import unpack
from swim.wire.messages import NodeRecord

__all__ = ["KNOWN_RECORDS", "RECORD_BYTES", "read_record"]

RECORD_BYTES = 400
"""Approximate memory of a record in addition to its bytes on the wire."""

KNOWN_RECORDS: DecodeCache[tuple[NodeRecord, ...]] = DecodeCache(budget=24 * 1024 * 1024)
"""Whole tables by their bytes."""


def read_record(data: bytes) -> NodeRecord:
    """One record from its bytes; the same object for the same bytes, while it is cached.

    Raises:
        RemoteError: as ``record_from`` and ``unpack``.
    """
    return _known(data) if len(data) <= CACHED_MAX_BYTES else record_from(unpack(data))


@lru_cache(maxsize=1 << 13)
def _known(data: bytes) -> NodeRecord:
    return record_from(unpack(data))
