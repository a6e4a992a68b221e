"""A simulation from text: names of ``Setup``, of ``Config``, and ``profile``."""

from __future__ import annotations

from collections.abc import Mapping

from sims.errors import UsageError
from sims.model.state import Setup
from sims.settings import SETTINGS, convert, kinds_of
from swim.config import Config
from swim.config.profiles import PROFILES

__all__ = ["OPTIONS", "read_options"]

_SETUP = kinds_of(Setup)
OPTIONS = ("profile", *_SETUP, *SETTINGS)
"""Every name that ``read_options`` knows."""


def read_options(options: Mapping[str, object]) -> tuple[Config, Setup]:
    """The settings and the setup that options describe, as values or as text.

    Raises:
        UsageError: an unknown name, or text that is not a valid value.
        ConfigError: a value that is out of range.
    """
    profile = str(options.get("profile", "lan"))
    if profile not in PROFILES:
        raise UsageError(f"option profile: {profile!r} is none of {', '.join(PROFILES)}")
    given = {name: value for name, value in options.items() if name != "profile"}
    unknown = [name for name in given if name not in OPTIONS]
    if unknown:
        raise UsageError(f"the vector model has no option {unknown[0]!r}")
    setup = {name: convert(name, given[name], _SETUP[name]) for name in given if name in _SETUP}
    config = {name: convert(name, given[name], SETTINGS[name]) for name in given if name in SETTINGS}
    return Config.profile(profile, name="n1", **config), Setup(**({"nodes": 1000} | setup))
