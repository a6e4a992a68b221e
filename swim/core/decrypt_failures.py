"""Which hosts send what none of this node's keys decrypts: counted for the latest ones, and logged seldom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swim.frozen import FrozenMap

__all__ = ["SOURCES_MAX", "DecryptFailures"]

SOURCES_MAX = 64
"""Addresses that are counted at a time; the one that failed last the longest ago makes room."""
_REASON = "decrypt"


class DecryptFailures:
    """Counts of one node, by source address.

    Args:
        warn: logs a message with its values, at a limited rate.
    """

    __slots__ = ("_counts", "_shown", "_warn")

    def __init__(self, warn: Callable[..., None]) -> None:
        self._warn = warn
        self._counts: dict[str, int] = {}
        self._shown: Mapping[str, int] | None = FrozenMap()

    def dropped(self, now: float, reason: str, host: str, *, is_stream: bool = False) -> None:
        """Input of ``host`` was dropped; counts it if that is because it could not be decrypted.

        The 1st, 10th, 100th... of a host is logged; refused streams are logged where they are handled.
        """
        if reason != _REASON:
            return
        counts, self._shown = self._counts, None
        count = counts.pop(host, 0) + 1
        if len(counts) >= SOURCES_MAX:
            del counts[next(iter(counts))]
        counts[host] = count
        if not is_stream and str(count).rstrip("0") == "1":
            text = "packets from %s cannot be decrypted with this node's keys (%d so far)"
            self._warn(now, text, host, count)

    @property
    def counts(self) -> Mapping[str, int]:
        """Failures by address, the most frequent one first."""
        if self._shown is None:
            ordered = sorted(self._counts.items(), key=lambda item: -item[1])
            self._shown = FrozenMap(ordered)
        return self._shown
