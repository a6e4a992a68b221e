"""What a loop does at a time of its own, beside the node's timers: few and short-lived."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

__all__ = ["Timer", "Timers"]


class Timer:
    """Something to do at a time."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Callable[[], None]) -> None:
        self.when: float = when
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """It is not done any more."""
        self.action = None


class Timers:
    """Timers in the order of their times."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()

    @property
    def due(self) -> float:
        """The time of the first one; infinite if there is none."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        """Adds one."""
        timer = Timer(when, action)
        heapq.heappush(self._heap, (when, next(self._numbers), timer))
        return timer

    def fire(self, now: float) -> None:
        """Does everything that is due."""
        while self.due <= now:
            _, _, timer = heapq.heappop(self._heap)
            if timer.action is not None:
                timer.action()
