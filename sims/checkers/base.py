"""What every checker is: an observer of a world that knows one property and says where it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from sims.errors import ViolationError
from sims.observer import Observer

if TYPE_CHECKING:
    from sims.simnode import SimNode
    from sims.world import World

__all__ = ["Checker", "PerLife", "Sweeps"]

T = TypeVar("T")

_SWEEP_FROM = 16


class Checker(Observer):
    """One property. It costs O(1) per step, touching only the node that stepped.

    Args:
        collect: keep violations in ``violations`` and go on, instead of raising the first.
    """

    def __init__(self, *, collect: bool = False) -> None:
        self._collects = collect
        self.violations: list[ViolationError] = []
        """What was found so far, oldest first."""

    @property
    def name(self) -> str:
        """The property, as errors name it."""
        return type(self).__name__

    def finish(self, world: World) -> None:
        """Compares once more, and completely, what is compared only now and then during a run.

        Raises:
            ViolationError: unless the checker collects.
        """

    def violated(self, world: World, node: SimNode | None, problem: str) -> None:
        """Says that the property does not hold.

        Raises:
            ViolationError: unless the checker collects.
        """
        error = ViolationError(self.name, world.now, node.id if node is not None else "", problem)
        self.violations.append(error)
        if not self._collects:
            raise error


class PerLife(Generic[T]):
    """Something kept for each node, and made anew when its host starts another one."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._kept: dict[str, tuple[int, T]] = {}

    def of(self, node: SimNode) -> T:
        """What is kept for the present life of ``node``."""
        kept = self._kept.get(node.id)
        if kept is None or kept[0] != node.life:
            kept = self._kept[node.id] = (node.life, self._make())
        return kept[1]


class _Count:
    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0


class Sweeps:
    """When to look at a whole table: every n-th step of a node whose table has n members, so O(1) a step."""

    def __init__(self) -> None:
        self._counts = PerLife(_Count)

    def due(self, node: SimNode, size: int) -> bool:
        """Counts a step of ``node``; True if its table of ``size`` is to be looked at."""
        count = self._counts.of(node)
        count.steps += 1
        if count.steps < _SWEEP_FROM + size:
            return False
        count.steps = 0
        return True
