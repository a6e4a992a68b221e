"""Deadlines as values. A timer carries what it was made for; a stale one is skipped, none is cancelled.

Stale timers are swept out whenever the heap has doubled: far deadlines of members that come and go (a day,
until a failed one is forgotten) would pile up otherwise.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Timers"]

_SWEEP_FROM = 1024


class _Kind(NamedTuple):
    is_current: Callable[[Any], bool]
    fire: Callable[[float, Any], None]


_Timer = tuple[float, int, _Kind, Any]
"""Deadline, order of setting, what it is for, and the token."""


class Timers:
    """All deadlines of one node, in one heap; equal deadlines fire in the order they were set."""

    __slots__ = ("_heap", "_kinds", "_order", "_sweep_at")

    def __init__(self) -> None:
        self._heap: list[_Timer] = []
        self._kinds: dict[str, _Kind] = {}
        self._order = 0
        self._sweep_at = _SWEEP_FROM

    def register(
        self, kind: str, fire: Callable[[float, Any], None], is_current: Callable[[Any], bool]
    ) -> None:
        """Names a kind of timer: what to do when it is due, and whether a token still means anything."""
        self._kinds[kind] = _Kind(is_current, fire)

    def at(self, deadline: float, kind: str, token: Any = None) -> None:
        """Sets a timer for ``deadline``, absolute seconds."""
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        self._order += 1
        heapq.heappush(self._heap, (deadline, self._order, self._kinds[kind], token))

    def next_deadline(self) -> float | None:
        """When the next timer that still means something is due; nobody wakes for a stale one."""
        heap = self._heap
        while heap:
            deadline, _, kind, token = heap[0]
            if kind.is_current(token):
                return deadline
            heapq.heappop(heap)
        return None

    def fire_due(self, now: float) -> None:
        """Fires every current timer whose deadline has come, earliest first."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, kind, token = heapq.heappop(heap)
            if kind.is_current(token):
                kind.fire(now, token)

    def _sweep(self) -> None:
        self._heap[:] = [timer for timer in self._heap if timer[2].is_current(timer[3])]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._heap))
