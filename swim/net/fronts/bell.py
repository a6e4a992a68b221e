"""A bell: wakes those that wait for a change, in any thread; each front has its own way to wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

__all__ = ["Bell"]


class Bell:
    """Rung after every change. A waiter reads ``rings``, looks for news, and waits for the next ring.

    It first adds itself, and then waits only while ``rings`` is what it was, so no ring is missed.

    Attributes:
        rings: changes with every ring.
        is_silent: whether the interpreter ends: threads that still wait are not woken to do anything more.
    """

    __slots__ = ("_wakers", "rings")

    is_silent: ClassVar[bool] = False

    def __init__(self) -> None:
        self.rings: int = 0
        self._wakers: dict[Callable[[], None], None] = {}

    @property
    def is_awaited(self) -> bool:
        """Whether a waiter would be woken by a ring."""
        return bool(self._wakers)

    def ring(self) -> None:
        """Wakes every waiter. Safe in any thread; never waits."""
        self.rings += 1
        if Bell.is_silent:
            return
        wakers, self._wakers = self._wakers, {}
        for wake in list(wakers):  # one that takes itself back must not make it miss another
            wake()

    def add(self, wake: Callable[[], None]) -> None:
        """Has the next ring call ``wake``, which must return at once and not raise."""
        self._wakers[wake] = None

    def discard(self, wake: Callable[[], None]) -> None:
        """Takes ``wake`` back, if it was not called."""
        self._wakers.pop(wake, None)
