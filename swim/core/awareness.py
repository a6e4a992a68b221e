"""Lifeguard's local health score: how much this node distrusts itself (memberlist's awareness)."""

from __future__ import annotations

__all__ = ["Awareness"]


class Awareness:
    """A score from 0 (healthy) to ``max_multiplier - 1`` that stretches probe rounds and suspicions."""

    __slots__ = ("_max", "score")

    def __init__(self, max_multiplier: int) -> None:
        self._max = max_multiplier - 1
        self.score: int = 0

    def apply(self, delta: int) -> None:
        """Moves the score by ``delta``, within its bounds."""
        self.score = min(max(self.score + delta, 0), self._max)

    def scale(self, seconds: float) -> float:
        """``seconds`` times score + 1."""
        return seconds * (self.score + 1)
