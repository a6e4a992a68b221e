"""How many streams one client may have open at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from agent_api.errors import HttpError
from swim import Metrics

__all__ = ["Places"]

_TOO_MANY = "too many open streams (max_streams_per_token)"


class Places:
    """The open streams of each holder, which is a token, or the address of clients without one.

    Args:
        most: for each holder; 0 is no limit.
        metrics: refusals are counted as ``swim.dropped.http-streams``.
    """

    __slots__ = ("_metrics", "_most", "_taken")

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._metrics = metrics
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, holder: str) -> Iterator[None]:
        """A place for the length of a block.

        Raises:
            HttpError: 429, if ``holder`` has as many as it may.
        """
        if 0 < self._most <= self._taken[holder]:
            self._metrics.dropped("http-streams")
            raise HttpError(429, _TOO_MANY)
        self._taken[holder] += 1
        try:
            yield
        finally:
            self._taken[holder] -= 1
            if not self._taken[holder]:
                del self._taken[holder]
