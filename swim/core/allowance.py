"""How many bytes the packets of one host may make this node send."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Allowance"]

_HOSTS_MAX = 1024


class Allowance:
    """A token bucket for each host, for bytes sent in addition to bare answers.

    Args:
        rate: bytes per second, and most bytes at once; 0 allows nothing.
    """

    __slots__ = ("_left", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def has(self, now: float, *hosts: str) -> bool:
        """Whether each of ``hosts`` has something left."""
        return all(self._at(now, host) > 0 for host in hosts)

    def spend(self, now: float, size: int, *hosts: str) -> None:
        """Takes ``size`` bytes from each of ``hosts``; the last packet may overdraw."""
        for host in set(hosts):
            self._left[host] = (self._at(now, host) - size, now)
            self._left.move_to_end(host)
        while len(self._left) > _HOSTS_MAX:
            self._left.popitem(last=False)

    def _at(self, now: float, host: str) -> float:
        left, then = self._left.get(host, (float(self._rate), now))
        return min(left + (now - then) * self._rate, self._rate)
