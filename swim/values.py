"""``dataclass`` for frozen values with slots, which are made faster than by ``dataclasses``.

The standard library compiles seven methods for each class, which was half the time of an import of swim. Here
only ``__init__`` is compiled, and the others are closures over the names of the fields.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]


class _Factory:
    """In a signature, the default of an argument that a function makes."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


def _make(cls: type, *, kw_only: bool, with_repr: bool) -> type:
    # A class is defined without an own base that is one of these: the library takes it for one that changes.
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
    made.__dataclass_params__.frozen = made.__dataclass_params__.eq = True
    fields = dataclasses.fields(made)
    for name, method in {"__init__": _init_of(made, fields), **_methods_of(fields)}.items():
        if with_repr or name != "__repr__":
            method.__name__, method.__qualname__ = name, f"{made.__qualname__}.{name}"
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _init_of(cls: Any, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    plain: list[str] = []
    named: list[str] = []
    defaults: dict[str, Any] = {}
    lines = []
    for field in fields:
        name, value, default = field.name, field.name, field.default
        if field.default_factory is not dataclasses.MISSING:
            value, default = f"made[{name!r}]() if {name} is FACTORY else {name}", _FACTORY
        if default is not dataclasses.MISSING:
            defaults[name] = default
        (named if field.kw_only else plain).append(name)
        lines.append(f"set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    words = ["self", *plain, *(["*", *named] if named else [])]
    text = ", ".join([f"{word}=0" if word in defaults else word for word in words])
    body = "\n  ".join(lines or ["pass"])
    scope: dict[str, Any] = {}
    source = f"def make(set, made, FACTORY):\n def __init__({text}):\n  {body}\n return __init__"
    exec(source, sys.modules[cls.__module__].__dict__, scope)
    made = {field.name: field.default_factory for field in fields}
    init: Any = scope["make"](object.__setattr__, made, _FACTORY)
    init.__defaults__ = tuple([defaults[name] for name in plain if name in defaults]) or None
    init.__kwdefaults__ = {name: defaults[name] for name in named if name in defaults} or None
    init.__annotations__ = {**{field.name: field.type for field in fields}, "return": None}
    return init  # type: ignore[no-any-return]


def _methods_of(fields: tuple[dataclasses.Field[Any], ...]) -> dict[str, Callable[..., Any]]:
    names = [field.name for field in fields]
    shown = [field.name for field in fields if field.repr]
    values: Callable[[Any], Any] = (
        attrgetter(*names) if len(names) > 1 else lambda self: tuple([getattr(self, name) for name in names])
    )

    def text(self: Any) -> str:
        shows = ", ".join([f"{name}={getattr(self, name)!r}" for name in shown])
        return f"{type(self).__qualname__}({shows})"

    def equals(self: Any, other: Any) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    def refuse_to_set(self: Any, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def refuse_to_delete(self: Any, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def state(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def set_state(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    def replaced(self: Any, /, **changes: Any) -> Any:
        return dataclasses.replace(self, **changes)

    return {
        "__repr__": recursive_repr()(text),
        "__eq__": equals,
        "__hash__": hashed,
        "__setattr__": refuse_to_set,
        "__delattr__": refuse_to_delete,
        "__getstate__": state,
        "__setstate__": set_state,
        "__replace__": replaced,
    }


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *, frozen: bool, slots: bool, kw_only: bool = False, repr: bool = True
    ) -> Callable[[type], type]:
        """Makes a class of frozen values with slots. Its bases are no such classes.

        Args:
            frozen: True.
            slots: True.
            kw_only: as in ``dataclasses``.
            repr: as in ``dataclasses``.
        """
        assert frozen
        assert slots
        return lambda cls: _make(cls, kw_only=kw_only, with_repr=repr)
