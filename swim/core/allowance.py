"""How many bytes the packets of one host may make this node send."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Allowance"]

_HOSTS_MAX = 1024


class Allowance:
    """A token bucket for each host, for what goes out beyond one bare answer to a packet.

    Args:
        rate: bytes per second, and most bytes at once; 0 allows nothing.
    """

    __slots__ = ("_left", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}

    def has(self, now: float, hosts: Iterable[str]) -> bool:
        """Whether each of ``hosts`` has something left."""
        return all(self._at(now, host) > 0 for host in hosts)

    def spend(self, now: float, size: int, hosts: Iterable[str]) -> None:
        """Takes ``size`` bytes from each of ``hosts``; the last packet may overdraw."""
        for host in hosts:
            left = self._at(now, host)
            self._left.pop(host, None)
            if len(self._left) >= _HOSTS_MAX:
                del self._left[next(iter(self._left))]
            self._left[host] = (left - size, now)

    def _at(self, now: float, host: str) -> float:
        left, then = self._left.get(host, (float(self._rate), now))
        return min(left + (now - then) * self._rate, self._rate)
