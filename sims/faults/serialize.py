"""Frozen values as plain JSON data and back, guided by their type hints.

A dataclass becomes an object with its class name under ``type``; tuples become lists. Reading is strict: a
field that is missing, unknown or of another type is an error that names the place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from sims.errors import UsageError
from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from swim.errors import ConfigError

__all__ = ["from_plain", "to_plain"]

_LATENCIES = (Constant, Uniform, Exponential, Empirical)


def to_plain(value: Any) -> Any:
    """Data for ``json.dumps`` from a value made of dataclasses, tuples, text, numbers and None."""
    if is_dataclass(value):
        plain = {field.name: to_plain(getattr(value, field.name)) for field in fields(value) if field.init}
        return {"type": type(value).__name__, **plain}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value


def from_plain(hint: Any, plain: Any, where: str) -> Any:
    """The value of type ``hint`` that ``to_plain`` converted to ``plain``.

    Args:
        hint: a dataclass, several in a tuple (distinguished by ``type``), ``tuple[...]``, ``Mapping[str,
            ...]``, a union with None, ``str``, ``int``, ``float`` or ``bool``.
        plain: parsed JSON.
        where: the name of this place in errors, such as ``fault 3 (crash)``.

    Raises:
        UsageError: one line that names the place and what is wrong there.
    """
    if hint is Latency:
        hint = _LATENCIES
    if isinstance(hint, tuple):
        return _one_of(hint, plain, where)
    if is_dataclass(hint):
        return _one_of((hint,), plain, where)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        rest = [arg for arg in args if arg is not NoneType]
        return None if plain is None else from_plain(rest[0], plain, where)
    if origin is tuple:
        return _tuple(args, plain, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
            raise UsageError(f"{where} must map text, not be {plain!r}")
        return {key: from_plain(args[1], item, f"{where}.{key}") for key, item in plain.items()}
    return _scalar(hint, plain, where)


def _one_of(kinds: tuple[Any, ...], plain: Any, where: str) -> Any:
    if not isinstance(plain, dict):
        raise UsageError(f"{where} must be an object with a type, not {plain!r}")
    named = {kind.__name__: kind for kind in kinds}
    name = plain.get("type")
    kind = named.get(name) if isinstance(name, str) else None
    if kind is None:
        raise UsageError(f"{where} has an unknown type {name!r}; one of {', '.join(named)}")
    hints = _hints(kind)
    known = {field.name: field for field in fields(kind) if field.init}
    for name in plain:
        if name != "type" and name not in known:
            raise UsageError(f"{where} has no field {name!r}")
    for name, field in known.items():
        if name not in plain and field.default is MISSING and field.default_factory is MISSING:
            raise UsageError(f"{where}: {name} is missing")
    given = {
        name: from_plain(hints[name], plain[name], f"{where}: {name}") for name in known if name in plain
    }
    try:
        return kind(**given)
    except ConfigError as error:
        raise UsageError(f"{where}: {error.field} {error.reason}") from None


def _tuple(args: tuple[Any, ...], plain: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(plain, list | tuple):
        raise UsageError(f"{where} must be a list, not {plain!r}")
    hints = [args[0]] * len(plain) if args[-1] is Ellipsis else list(args)
    if len(hints) != len(plain):
        raise UsageError(f"{where} must have {len(hints)} items, not {len(plain)}")
    return tuple(from_plain(hint, item, where) for hint, item in zip(hints, plain, strict=True))


def _scalar(hint: Any, plain: Any, where: str) -> Any:
    fits = isinstance(plain, (int, float) if hint is float else hint)
    if not fits or (isinstance(plain, bool) and hint is not bool):
        words = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
        raise UsageError(f"{where} must be {words[hint]}, not {plain!r}")
    if hint is not float:
        return plain
    try:
        value = float(plain)
    except OverflowError:  # a whole number of hundreds of digits
        value = math.inf
    if not math.isfinite(value):
        raise UsageError(f"{where} must be finite, not {plain!r}")
    return value


@lru_cache(maxsize=128)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
