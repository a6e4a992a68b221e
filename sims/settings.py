"""Protocol settings given as text: fields of ``Config`` with a number or a switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from sims.errors import UsageError
from swim.config import Config
from swim.errors import ConfigError

__all__ = ["SETTINGS", "convert", "kinds_of", "read_settings"]

_KINDS = {"int": int, "float": float, "bool": bool}


def kinds_of(cls: type) -> dict[str, type]:
    """The fields of a dataclass that can be given as text, with their types."""
    kinds = ((f.name, _KINDS.get(str(f.type).removesuffix(" | None"))) for f in fields(cls) if f.init)
    return {name: kind for name, kind in kinds if kind is not None}


SETTINGS = kinds_of(Config)
"""The settings by name, with their types."""


def convert(name: str, value: object, kind: type) -> Any:
    """A value, or text, converted to the type of an option.

    Raises:
        UsageError: it does not fit the type.
    """
    text = str(value)
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, kind.__name__)
        raise UsageError(f"option {name} must be {wanted}, not {text!r}") from None


def read_settings(given: Mapping[str, object]) -> dict[str, Any]:
    """Settings by name, as values or as text, checked by themselves.

    Raises:
        UsageError: there is no such setting, or the value is not valid for it.
    """
    for name in given:
        if name not in SETTINGS:
            near = get_close_matches(name, SETTINGS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"there is no setting {name!r}{hint}")
    chosen = {name: convert(name, value, SETTINGS[name]) for name, value in given.items()}
    try:
        Config.lan(name="n1", **chosen)
    except ConfigError as error:
        raise UsageError(f"setting {error}") from None
    return chosen
