"""The settings that were asked for: flags override the environment, which overrides the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from swim.cli.agent.options import EXCLUSIVE, OPTIONS, RELOADED
from swim.cli.agent.serf_config import SerfConfig, read_serf_config
from swim.cli.agent.toml_file import read_file
from swim.errors import ConfigError

__all__ = ["Settings", "settings_of"]


class Settings(NamedTuple):
    """The requested settings, before any is used.

    Attributes:
        values: by ``Option.name``; the highest of flag, environment and file.
        origins: by ``Option.name``, where the value came from, for error messages.
        gossip: arguments for ``Config``: the file's ``[gossip]`` table, and those of Serf's files.
        serf_config: whether there are files of Serf's.
        warnings: what was asked for and has no effect.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    gossip: Mapping[str, Any]
    serf_config: bool
    warnings: tuple[str, ...]

    def differences(self, other: Settings, keys_differ: bool) -> list[str]:
        """The differences between two readings, except in ``RELOADED``."""
        values = {name for name in {*self.values, *other.values} - RELOADED
                  if self.values.get(name) != other.values.get(name)}  # fmt: skip
        gossip = {name for name in {*self.gossip, *other.gossip} - {"tags"}
                  if self.gossip.get(name) != other.gossip.get(name)}  # fmt: skip
        if keys_differ and "encrypt" not in values and "keys" not in gossip:
            values.add("key_file")
        return [*sorted(values), *(f"gossip.{name}" for name in sorted(gossip))]


def settings_of(ctx: click.Context) -> Settings:
    """Merges flags, variables, the file of ``--config`` and those of ``--serf-config``, in this precedence.

    Raises:
        ConfigError: if the file cannot be read, has unknown keys or values of a wrong type (all are named),
            or if one layer sets two options that exclude each other.
    """
    flags: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    for option in OPTIONS:
        value = ctx.params[option.name]
        if value is None or value == ():
            continue
        from_environment = ctx.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT
        (environment if from_environment else flags)[option.name] = value
    path = ctx.params["config"]
    from_file, gossip = read_file(Path(path)) if path else ({}, {})
    paths = ctx.params["serf_config"]
    serf = read_serf_config(paths) if paths else SerfConfig({}, {}, {}, [])
    values, origins = dict(serf.values), dict(serf.origins)
    _refuse_exclusive(values, lambda name: origins.get(name, name))
    for layer, label in ((from_file, _in_file(path)), (environment, _as_variable), (flags, _as_flag)):
        _refuse_exclusive(layer, label)
        for name, value in layer.items():
            for pair in EXCLUSIVE:
                if name in pair and value:
                    values = {key: kept for key, kept in values.items() if key not in pair}
            values[name] = value
            origins[name] = label(name)
    return Settings(values, origins, {**serf.gossip, **gossip}, bool(paths), tuple(serf.warnings))


def _as_flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _as_variable(name: str) -> str:
    return "SWIM_" + name.upper()


def _in_file(path: str | None) -> Callable[[str], str]:
    return lambda name: f"{path}: {name}"


def _refuse_exclusive(layer: Mapping[str, Any], label: Callable[[str], str]) -> None:
    for first, second in EXCLUSIVE:
        if layer.get(first) and layer.get(second):
            raise ConfigError(label(first), f"excludes {label(second)}")
