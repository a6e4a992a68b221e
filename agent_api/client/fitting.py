"""Whether a JSON document has the shape that a type describes; further keys are allowed."""

from __future__ import annotations

import json
from functools import cache
from types import NoneType, UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

__all__ = ["decoded", "fits"]


def decoded(text: bytes) -> Any:
    """The JSON value.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fits(value: Any, kind: Any) -> bool:
    """Whether a decoded value is of a type: of those that JSON has, a ``TypedDict``, or a union of them."""
    if kind in (Any, object):
        return True
    if is_typeddict(kind):
        return isinstance(value, dict) and _has_keys(value, kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, arguments[1]) for item in value.values())
    if origin in (UnionType, Union):
        return any(fits(value, each) for each in arguments)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is None or kind is NoneType:
        return value is None
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _has_keys(value: dict[str, Any], kind: Any) -> bool:
    return all(
        fits(value[key], inner) if key in value else not is_required
        for key, inner, is_required in _keys(kind)
    )


@cache
def _keys(kind: Any) -> list[tuple[str, Any, bool]]:
    """The keys of a ``TypedDict``: name, type, and whether it must be there."""
    found = []
    for key, hint in get_type_hints(kind, include_extras=True).items():
        # The type's own __required_keys__ overlooks NotRequired in annotations that are not evaluated.
        is_optional = get_origin(hint) is NotRequired
        inner = get_args(hint)[0] if is_optional else hint
        found.append((key, inner, key in kind.__required_keys__ and not is_optional))
    return found
