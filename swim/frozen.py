"""A mapping that never changes, so that a value that contains one is hashable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

__all__ = ["FrozenMap"]

K = TypeVar("K")
V = TypeVar("V")


class FrozenMap(dict[K, V]):
    """A read-only, hashable ``dict``; equal to a dictionary of the same items, and printed as one."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # what a dict lacks
        return hash(frozenset(self.items()))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("this mapping is read-only; make a dict of it to change it")

    if not TYPE_CHECKING:  # type checkers see those of dict
        __setitem__ = __delitem__ = __ior__ = _refuse
        clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)
