"""Latency of packets: distributions as values, drawn from a run's random bits.

Every draw is rounded to a whole microsecond, so that a last-digit difference between two platforms'
logarithms cannot make two runs diverge. No draw is negative: a distribution that could be negative is refused
with a ``ConfigError`` that names the field when it is made, not in the middle of a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from swim import checks
from swim.core.rng import Rng
from swim.errors import ConfigError

__all__ = ["LATENCY", "Constant", "Empirical", "Exponential", "Latency", "Uniform"]


class Latency(Protocol):
    """A distribution of seconds."""

    def draw(self, rng: Rng) -> float:
        """One sample, in seconds, at least 0."""
        ...


LATENCY = checks.instance("a Latency, such as Constant(0.001)", method="draw")
"""What takes the latency of a link."""


def _check_seconds(field: str, seconds: float, least: float = 0.0) -> None:
    if not least <= seconds < math.inf:
        raise ConfigError(field, f"must be at least {least:g} s and finite, not {seconds!r}")


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant; packets of one link keep their order."""

    seconds: float = 0.001

    def __post_init__(self) -> None:
        _check_seconds("seconds", self.seconds)

    def draw(self, rng: Rng) -> float:
        """One sample, in seconds."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform between ``low`` and ``high`` seconds."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_seconds("low", self.low)
        _check_seconds("high", self.high, least=self.low)

    def draw(self, rng: Rng) -> float:
        """One sample, in seconds."""
        return round(rng.uniform(self.low, self.high), 6)


@dataclass(frozen=True, slots=True)
class Exponential:
    """``floor`` seconds plus an exponential with this ``mean``, seconds."""

    mean: float = 0.0005
    floor: float = 0.0

    def __post_init__(self) -> None:
        _check_seconds("mean", self.mean)
        _check_seconds("floor", self.floor)

    def draw(self, rng: Rng) -> float:
        """One sample, in seconds."""
        return round(self.floor - self.mean * math.log(1.0 - rng.uniform(0.0, 1.0)), 6)


@dataclass(frozen=True, slots=True)
class Empirical:
    """Measured quantiles, evenly spaced from the lowest to the highest, interpolated linearly.

    ``Empirical((0.001, 0.002, 0.2))`` is half the time 1 to 2 ms and half the time 2 to 200 ms.
    """

    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.quantiles:
            raise ConfigError("quantiles", "must be at least one number of seconds")
        for before, quantile in pairwise((0.0, *self.quantiles)):
            _check_seconds("quantiles", quantile, least=before)

    def draw(self, rng: Rng) -> float:
        """One sample, in seconds."""
        place = rng.uniform(0.0, len(self.quantiles) - 1)
        index = int(place)
        low, high = self.quantiles[index], self.quantiles[min(index + 1, len(self.quantiles) - 1)]
        return round(low + (high - low) * (place - index), 6)
