"""Rules that hold for a while and may overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.world import World

__all__ = ["Overrides"]


class Overrides:
    """Rules that hold for a while, on top of each other, whatever the order they end in."""

    def __init__(self) -> None:
        self._stacks: dict[object, list[list[Any]]] = {}
        """Values by key, each in a list of its own, the one in force last; first what held before them."""

    def put(
        self,
        world: World,
        key: object,
        value: object,
        seconds: float | None,
        read: Callable[[], Any],
        write: Callable[[Any], None],
    ) -> None:
        """Sets a value and, in ``seconds``, brings the latest of the others back that still holds.

        If somebody else changed the value meanwhile, theirs stays.
        """
        stack = self._stacks.get(key)
        if stack is None or read() is not stack[-1][0]:
            stack = self._stacks[key] = [[read()]]
        entry = [value]
        stack.append(entry)
        write(value)
        if seconds is not None:
            world.at(world.now + seconds, self._end, world, key, stack, entry, read, write)

    def _end(
        self,
        world: World,
        key: object,
        stack: list[list[Any]],
        entry: list[Any],
        read: Callable[[], Any],
        write: Callable[[Any], None],
    ) -> None:
        was_last = stack[-1] is entry
        stack[:] = [other for other in stack if other is not entry]
        if was_last and stack is self._stacks[key] and read() is entry[0]:
            write(stack[-1][0])
            world.tell_fault("rule-ended")
