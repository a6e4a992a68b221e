"""The base of all checkers: an observer of a world that checks one property and reports violations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from sims.errors import ViolationError
from sims.world.observer import Observer
from swim.events import Event, MemberEvent

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["Checker", "Compared", "PerLife", "Swept"]

T = TypeVar("T")

_SWEEP_FROM = 16


class Checker(Observer):
    """One property. It costs O(1) per step, touching only the node that stepped.

    Args:
        collect: keep violations in ``violations`` and continue, instead of raising the first.
    """

    def __init__(self, *, collect: bool = False) -> None:
        self._collects = collect
        self.violations: list[ViolationError] = []
        """The violations so far, oldest first."""

    @property
    def name(self) -> str:
        """The name of the property in errors."""
        return type(self).__name__

    def finish(self, world: World) -> None:
        """Compares completely what is compared only occasionally during a run.

        Raises:
            ViolationError: unless the checker collects.
        """

    def violated(self, world: World, node: SimNode | None, problem: str) -> None:
        """Reports that the property does not hold.

        Raises:
            ViolationError: unless the checker collects.
        """
        error = ViolationError(self.name, world.now, node.id if node is not None else "", problem)
        self.violations.append(error)
        world.tell("violation", error)
        if not self._collects:
            raise error


class PerLife(Generic[T]):
    """A value for each node, made again when its host starts another node."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._kept: dict[str, tuple[int, T]] = {}

    def of(self, node: SimNode) -> T:
        """The value for the current run of ``node``."""
        kept = self._kept.get(node.id)
        if kept is None or kept[0] != node.life:
            kept = self._kept[node.id] = (node.life, self._make())
        return kept[1]


class _Count:
    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0


class Swept(Checker, ABC):
    """Base of the checkers that occasionally check a whole table.

    They do so at every n-th step of a node whose table has n members, so O(1) per step, and at the end.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._counts = PerLife(_Count)

    @abstractmethod
    def size(self, node: SimNode) -> int:
        """How much there is to check."""

    @abstractmethod
    def sweep(self, world: World, node: SimNode) -> None:
        """Checks all of it."""

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        count = self._counts.of(node)
        count.steps += 1
        if count.steps >= _SWEEP_FROM + self.size(node):
            count.steps = 0
            self.sweep(world, node)

    def finish(self, world: World) -> None:
        """See ``Checker``."""
        for node in world.nodes.values():
            self.sweep(world, node)


class Compared(Swept):
    """Base of the checkers that compare member by member: an event's subject at once, others in sweeps."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._touched: list[str] = []

    @abstractmethod
    def compare(self, world: World, node: SimNode, name: str) -> None:
        """Compares what ``node`` has stored about one member, which it may have forgotten."""

    @abstractmethod
    def names(self, node: SimNode) -> Iterable[str]:
        """The members to compare in a sweep."""

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberEvent):
            self._touched.append(event.member.name)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        for name in self._touched:
            self.compare(world, node, name)
        self._touched.clear()
        super().stepped(world, node)

    def sweep(self, world: World, node: SimNode) -> None:
        """See ``Swept``."""
        for name in self.names(node):
            self.compare(world, node, name)
