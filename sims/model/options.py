"""A simulation from text: names of ``Setup``, of ``Config``, and ``profile``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sims.errors import UsageError
from sims.model.state import Setup
from swim.config import Config

__all__ = ["OPTIONS", "read_options"]

_PROFILES = {"lan": Config.lan, "wan": Config.wan, "local": Config.local}
_KINDS = {"int": int, "float": float, "bool": bool}


def _kinds(cls: type) -> dict[str, type]:
    return {f.name: _KINDS[str(f.type)] for f in fields(cls) if str(f.type) in _KINDS}


_SETUP, _CONFIG = _kinds(Setup), _kinds(Config)
OPTIONS = ("profile", *_SETUP, *_CONFIG)
"""Every name that ``read_options`` knows."""


def read_options(options: Mapping[str, object]) -> tuple[Config, Setup]:
    """The settings and the setup that options describe, as values or as text.

    Raises:
        UsageError: an unknown name, or text that is no such value.
        ConfigError: a value that is out of range.
    """
    profile = str(options.get("profile", "lan"))
    if profile not in _PROFILES:
        raise UsageError(f"option profile: {profile!r} is none of {', '.join(_PROFILES)}")
    given = {name: value for name, value in options.items() if name != "profile"}
    unknown = [name for name in given if name not in OPTIONS]
    if unknown:
        raise UsageError(f"the vector model has no option {unknown[0]!r}")
    setup = {name: _convert(name, given[name], _SETUP[name]) for name in given if name in _SETUP}
    config = {name: _convert(name, given[name], _CONFIG[name]) for name in given if name in _CONFIG}
    return _PROFILES[profile](name="n1", **config), Setup(**({"nodes": 1000} | setup))


def _convert(name: str, value: object, kind: type) -> Any:
    text = str(value)
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        raise UsageError(f"option {name}: {text!r} is not a valid {kind.__name__}") from None
