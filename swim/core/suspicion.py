"""Lifeguard's suspicion timer: long at first, shorter with every independent confirmation."""

from __future__ import annotations

import math

__all__ = ["Suspicion", "confirmations_wanted", "remaining", "suspicion_timeout"]


def suspicion_timeout(mult: int, n: int, interval: float) -> float:
    """Shortest suspicion, seconds: ``mult * max(1, log10 n) * interval``, as memberlist rounds it.

    Args:
        mult: ``suspicion_mult``.
        n: nodes known, self and unreaped dead included.
        interval: ``probe_interval``, seconds.
    """
    scale = max(1.0, math.log10(max(1.0, n)))
    return mult * (math.floor(scale * 1000) / 1000) * interval


def confirmations_wanted(mult: int, n: int) -> int:
    """Independent accusers that shorten the timer to its minimum: ``mult - 2``, or 0 if there are too few."""
    wanted = mult - 2
    return wanted if wanted >= 1 and n - 2 >= wanted else 0


def remaining(confirmed: int, wanted: int, elapsed: float, low: float, high: float) -> float:
    """Seconds left of a suspicion; zero or less means it expires now.

    Args:
        confirmed: independent confirmations so far.
        wanted: confirmations that bring the total to ``low`` (at least 1).
        elapsed: seconds since the suspicion began.
        low: shortest total, seconds.
        high: longest total, seconds.
    """
    fraction = math.log(confirmed + 1.0) / math.log(wanted + 1.0)
    total = math.floor(1000 * (high - fraction * (high - low))) / 1000
    return max(total, low) - elapsed


class Suspicion:
    """One running suspicion of one member.

    Attributes:
        incarnation: the member's incarnation when it was suspected.
        accusers: names of all accusers, the first one included.
        deadline: when it expires, absolute seconds.
        wanted: independent confirmations that shorten it to its minimum.
    """

    __slots__ = ("_confirmed", "_high", "_low", "accusers", "deadline", "incarnation", "started", "wanted")

    def __init__(
        self, now: float, incarnation: int, accuser: str, *, low: float, high: float, wanted: int
    ) -> None:
        self.incarnation: int = incarnation
        self.accusers: set[str] = {accuser}
        self.started: float = now
        self.wanted: int = wanted
        self._low, self._high = low, high
        self._confirmed = 0
        self.deadline: float = now + (high if wanted else low)

    def confirm(self, now: float, accuser: str, *, is_certain: bool = False) -> bool:
        """Counts an independent accuser; True if it is new (then the claim is passed on).

        Confirmations make up for an accuser that may be unwell itself. One that is ``is_certain`` is not: the
        suspect's host refused its stream, so that it is heard and hears. Then no more are wanted.
        """
        is_news = self._confirmed < self.wanted and accuser not in self.accusers
        if is_news:
            self.accusers.add(accuser)
            self._confirmed += 1
        if is_certain:
            self._confirmed = self.wanted
        if is_news or is_certain:
            wanted = max(1, self.wanted)
            left = remaining(self._confirmed, wanted, now - self.started, self._low, self._high)
            self.deadline = min(self.deadline, now + max(0.0, left))
        return is_news

    @property
    def is_complete(self) -> bool:
        """Whether all confirmations that were wanted have come."""
        return self._confirmed >= self.wanted

    def hold(self, now: float, gap: float, grace: float) -> None:
        """Does not count time that this node overslept; at least ``grace`` seconds are left."""
        slept = min(gap, now - self.started)
        self.started += slept
        self.deadline = max(self.deadline + slept, now + grace)
