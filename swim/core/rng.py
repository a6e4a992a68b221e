"""Every random choice of a node, built on ``getrandbits`` alone.

``random.Random``'s higher-level methods may change between Python versions; ``getrandbits`` does not. So the
same source of bits makes the same run everywhere.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Protocol, TypeVar

from swim import checks

__all__ = ["Bits", "Rng"]

T = TypeVar("T")


class Bits(Protocol):
    """Anything with ``getrandbits``: ``random.Random(seed)``, ``random.SystemRandom()``."""

    def getrandbits(self, k: int, /) -> int:
        """A uniformly random integer of ``k`` bits."""
        ...


class Rng:
    """Uniform choices from one source of random bits."""

    __slots__ = ("_bits",)

    @checks.arguments(bits=checks.instance("a source of random bits", method="getrandbits"))
    def __init__(self, bits: Bits) -> None:
        self._bits = bits.getrandbits

    def below(self, bound: int) -> int:
        """A uniform integer in ``0 <= x < bound``; ``bound`` must be at least 1."""
        width = bound.bit_length()
        value = self._bits(width)
        while value >= bound:
            value = self._bits(width)
        return value

    def word(self) -> int:
        """A uniform integer in ``0 <= x < 2**32``."""
        return self._bits(32)

    def uniform(self, low: float, high: float) -> float:
        """A uniform float in ``low <= x < high``."""
        return low + (high - low) * (self._bits(53) * 2.0**-53)

    def bytes(self, size: int) -> bytes:
        """``size`` random bytes."""
        return self._bits(8 * size).to_bytes(size, "big") if size else b""

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Permutes ``items`` in place, uniformly (Fisher-Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def choice(self, items: Sequence[T]) -> T:
        """One uniformly chosen item of a non-empty sequence."""
        return items[self.below(len(items))]
