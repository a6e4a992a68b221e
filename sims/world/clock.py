"""Virtual time: a heap of scheduled calls, ordered by time and then by when they were scheduled."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["Clock"]


class Clock:
    """Time that passes only while ``run`` runs.

    Attributes:
        now: seconds since the start.
        steps: entries handled so far.
    """

    __slots__ = ("_heap", "_order", "now", "steps")

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._order = 0
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []

    def __len__(self) -> int:
        """Entries that wait."""
        return len(self._heap)

    def at(self, when: float, call: Callable[..., object], *args: Any) -> None:
        """Calls ``call(*args)`` at time ``when``, or next if that time has passed."""
        self._order += 1
        heapq.heappush(self._heap, (when, self._order, call, args))

    def step(self) -> bool:
        """Handles the next entry; False if there is none."""
        if not self._heap:
            return False
        when, _, call, args = heapq.heappop(self._heap)
        self.now = max(self.now, when)
        self.steps += 1
        call(*args)
        return True

    def run(self, end: float, condition: Callable[[], bool] | None = None) -> bool:
        """Handles everything up to ``end``; stops, with True, once the condition holds after a step."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= end:
            when, _, call, args = pop(heap)
            if when > self.now:
                self.now = when
            self.steps += 1
            call(*args)
            if condition is not None and condition():
                return True
        self.now = max(self.now, end)
        return False
