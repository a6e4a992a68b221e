"""The node's settings: the value of each, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypedDict

from swim import Config

__all__ = ["SettingShape", "settings_shape"]


class SettingShape(TypedDict):
    """One field of ``swim.Config``; a secret one is left out.

    ``origin`` is ``default``, where the program was given it, or ``program`` if it does not say.
    """

    name: str
    value: Any
    origin: str


def settings_shape(config: Config, origins: Mapping[str, str]) -> list[SettingShape]:
    """Every setting of a node, in the order of ``Config``, with its origin by name."""
    return list(_shapes(config, origins))


def _shapes(config: Config, origins: Mapping[str, str]) -> Iterator[SettingShape]:
    for field in fields(config):
        if not field.repr:
            continue
        value = getattr(config, field.name)
        known = origins.get(field.name)
        origin = known or ("default" if value == _default(field) else "program")
        yield {"name": field.name, "value": _plain(value), "origin": origin}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _plain(value: Any) -> Any:
    """A value as JSON has it; a class of its own only as text."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | None) else str(value)
