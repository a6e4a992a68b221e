"""A token bucket: limits what is spent, at once and per second, on requests that any host can send."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """Tokens, counted on the node's own time.

    Args:
        per_second: tokens added each second, in units of the caller's choice.
        burst: the most that can be spent at once, and the initial amount.
    """

    __slots__ = ("_burst", "_left", "_per_second", "_seen_at")

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = self._left = burst
        self._seen_at = float("-inf")

    def spend(self, now: float, amount: float = 1.0) -> bool:
        """Takes ``amount`` if there is enough; False takes nothing."""
        self._left = min(self._burst, self._left + (now - self._seen_at) * self._per_second)
        self._seen_at = now
        if amount > self._left:
            return False
        self._left -= amount
        return True
