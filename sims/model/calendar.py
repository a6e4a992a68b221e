"""Events in short buckets of virtual time, each event with its exact time."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Calendar"]

Array = NDArray[Any]
"""Any NumPy array; its contents are documented where it is defined."""

_KINDS = ("arrival", "outcome", "sync", "probe", "gossip")
_RADIX_MAX = 65_535


class Calendar:
    """Columns of events, sorted by bucket, so that a whole bucket is handled with a few array operations.

    Args:
        step: length of a bucket, seconds.
    """

    def __init__(self, step: float) -> None:
        self.step = step
        self.bucket = 0
        """The current bucket; events filed for an earlier one are added to it."""
        self._filed: dict[tuple[int, str], list[tuple[Array, ...]]] = {}
        self._due: list[int] = []
        self._known: set[int] = set()

    @property
    def end(self) -> float:
        """The end of the current bucket, seconds."""
        return (self.bucket + 1) * self.step

    def file(self, kind: str, times: Array, *columns: Array) -> None:
        """Files events of one kind; a column holds one value per event."""
        if not len(times):
            return
        buckets = np.maximum((times / self.step).astype(np.int64), self.bucket)
        first, last = int(buckets.min()), int(buckets.max())
        if first == last:
            self._put(first, kind, (times, *columns))
            return
        # Keys of 16 bits are sorted by radix, in linear time.
        offsets = (buckets - first).astype(np.uint16 if last - first <= _RADIX_MAX else np.int64)
        order = np.argsort(offsets, kind="stable")
        offsets = offsets[order]
        starts = np.flatnonzero(np.diff(offsets, prepend=offsets[0] + 1))
        for start, stop in zip(starts, [*starts[1:], len(offsets)], strict=True):
            part = order[start:stop]
            self._put(first + int(offsets[start]), kind, tuple(c[part] for c in (times, *columns)))

    def take(self, kind: str) -> tuple[Array, ...] | None:
        """The events of a kind in the current bucket, as columns; None if there are none."""
        parts = self._filed.pop((self.bucket, kind), None)
        if parts is None:
            return None
        if len(parts) == 1:
            return parts[0]
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def advance(self) -> bool:
        """Goes to the next bucket in which anything is due; False if there is none."""
        while self._due:
            bucket = heapq.heappop(self._due)
            self._known.discard(bucket)
            if any((bucket, kind) in self._filed for kind in _KINDS):
                self.bucket = bucket
                return True
        return False

    def _put(self, bucket: int, kind: str, columns: tuple[Array, ...]) -> None:
        self._filed.setdefault((bucket, kind), []).append(columns)
        if bucket not in self._known:
            self._known.add(bucket)
            heapq.heappush(self._due, bucket)
