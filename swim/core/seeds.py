"""The state of joining each seed: its last error; logs when a seed starts to fail and when it works."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swim.core.context import logger
from swim.detection import SeedStatus
from swim.text import brief, shown

__all__ = ["Seeds"]


@dataclass(slots=True)
class _Seed:
    """One seed. The endpoints of a name are tried in parallel, and one that answers is enough."""

    pending: int = 0
    has_answered: bool = False
    error: str = ""
    at: float | None = None
    failures: int = 0


class Seeds:
    """Keeps the outcome of the last attempt at each seed."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._seeds = {address: _Seed() for address in addresses}
        self._failing: set[str] = set()

    def tried(self, address: str) -> None:
        """An attempt at one endpoint of ``address`` began; ignored if ``address`` is not a seed."""
        seed = self._seeds.get(address)
        if seed is not None:
            if not seed.pending:
                seed.has_answered = False
            seed.pending += 1

    def ended(self, now: float, address: str, error: str) -> None:
        """An attempt ended; ``error`` is empty if it succeeded."""
        seed = self._seeds.get(address)
        if seed is None:
            return
        seed.pending = max(0, seed.pending - 1)
        seed.at = now
        if not error:
            seed.has_answered = True
            self._works(address, seed)
        elif not seed.has_answered:
            seed.error = brief(error)
            seed.failures += not seed.pending
            if not seed.pending and address not in self._failing:
                self._failing.add(address)
                logger.warning("seed %s cannot be joined, trying on: %s", shown(address), seed.error)

    def settle(self, now: float, is_satisfied: Callable[[str], bool]) -> None:
        """Marks failing seeds as working where a live member was found some other way."""
        for address in [address for address in self._failing if is_satisfied(address)]:
            seed = self._seeds[address]
            seed.at = now
            self._works(address, seed)

    def statuses(self, is_satisfied: Callable[[str], bool], next_at: float | None) -> tuple[SeedStatus, ...]:
        """One per seed, in the order of the configuration; ``next_at`` is that of the missing ones."""
        joined = list(map(is_satisfied, self._seeds))
        return tuple(
            [
                SeedStatus(address, is_in, seed.error, seed.at, seed.failures, None if is_in else next_at)
                for (address, seed), is_in in zip(self._seeds.items(), joined, strict=True)
            ]
        )

    def _works(self, address: str, seed: _Seed) -> None:
        seed.error = ""
        seed.failures = 0
        if address in self._failing:
            self._failing.discard(address)
            logger.warning("seed %s works again", shown(address))
