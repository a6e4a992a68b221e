"""Temporary rules that may overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.world import World

__all__ = ["Overrides"]


class Overrides:
    """Temporary rules, on top of each other, which may end in any order."""

    def __init__(self) -> None:
        self._stacks: dict[object, list[list[Any]]] = {}
        """Values by key, each in its own list: first the original value, last the current one."""

    def put(
        self,
        world: World,
        key: object,
        value: object,
        seconds: float | None,
        read: Callable[[], Any],
        write: Callable[[Any], None],
    ) -> None:
        """Sets a value; after ``seconds``, restores the latest of the others that is still in force.

        A value that was changed by other code meanwhile stays.
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
