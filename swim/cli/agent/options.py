"""The settings of ``swim agent`` as one table; flags override the environment, which overrides the file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click
from click.core import ParameterSource

from swim.checks import parse_duration
from swim.cli.common import duration
from swim.cli.keys import decode_key, read_text_file
from swim.cli.logs import LEVELS
from swim.config import Config
from swim.config.merge_policy import MergePolicy
from swim.errors import ConfigError
from swim.text import closest

__all__ = ["OPTIONS", "RELOADED", "Option", "Settings", "options", "read_file", "settings_of"]

_EXCLUSIVE = (("encrypt", "key_file"), ("http", "no_http"), ("rpc", "no_rpc"))
_SECRETS = ("encrypt", "keys", "rpc_auth")
RELOADED = {"tag", "log_level", "event_handler", "acl_file"}
"""The settings that SIGHUP reloads, beside ``[gossip.tags]``."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: the flag ``--retry-join``, the variable ``SWIM_RETRY_JOIN``, the file's ``retry_join``."""

    name: str
    kind: Literal["text", "number", "duration", "switch", "list", "lines"]
    help: str
    metavar: str = "TEXT"
    choices: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether it can be repeated; ``lines`` are lists with one value per line in the variable."""
        return self.kind in ("list", "lines")

    @property
    def flag(self) -> str:
        """The long option."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "SWIM_" + self.name.upper()


OPTIONS = (
    Option("name", "text", "Name in the cluster [the host's name].", "NAME"),
    Option(
        "bind",
        "text",
        "Gossip address; 0.0.0.0 binds all, port 0 a free one, FIRST-LAST the first free [127.0.0.1:4648].",
        "HOST[:PORT]",
    ),
    Option(
        "advertise",
        "text",
        "Address sent to other members [the bound one, or the best of all].",
        "HOST[:PORT]",
    ),
    Option("http", "text", "HTTP API address [127.0.0.1:4646].", "HOST[:PORT]"),
    Option(
        "http_host",
        "list",
        "Host name with a dot that HTTP clients may use; * allows any; repeatable.",
        "NAME",
    ),
    Option("no_http", "switch", "Do not serve the HTTP API."),
    Option(
        "rpc",
        "text",
        "Address for the serf command and Serf's client libraries [127.0.0.1:7373, if that is free].",
        "HOST[:PORT]",
    ),
    Option("no_rpc", "switch", "Do not serve Serf's RPC."),
    Option(
        "rpc_auth",
        "text",
        "Key that Serf's clients must send. Other users can see it in ps: set SWIM_RPC_AUTH or use the file.",
        "KEY",
    ),
    Option("join", "list", "Join this address once, at start; repeatable.", "HOST[:PORT]"),
    Option("retry_join", "list", "Keep trying to join this address; repeatable.", "HOST[:PORT]"),
    Option("tag", "lines", "Set a tag; repeatable; in SWIM_TAG, one per line.", "KEY=VALUE"),
    Option(
        "profile",
        "text",
        "memberlist's timers for this kind of network [lan].",
        choices=("lan", "wan", "local"),
    ),
    Option(
        "encrypt",
        "text",
        "Gossip key: 16, 24 or 32 bytes in base64. Other users can see it in ps: use --key-file instead.",
        "KEY",
    ),
    Option("key_file", "text", "Read gossip keys from a file; the first one encrypts.", "FILE"),
    Option("label", "text", "Only talk to nodes with the same label.", "LABEL"),
    Option("region", "text", "Region shown over HTTP and set as a tag.", "REGION"),
    Option("datacenter", "text", "Data centre shown over HTTP and set as a tag.", "DATACENTER"),
    Option(
        "rpc_port",
        "number",
        "Nomad RPC port to announce; sets the tags port and rpc_addr.",
        "PORT",
    ),
    Option("name_with_region", "switch", "Use the name NAME.REGION, as Nomad's servers do."),
    Option("data_dir", "text", "Directory for state kept across restarts.", "DIR"),
    Option("snapshot", "text", "Snapshot in Serf's format, in place of the data directory's.", "FILE"),
    Option(
        "rejoin_after_leave",
        "switch",
        "A restart joins the members of the snapshot even after a leave.",
    ),
    Option("tags_file", "text", "Keep tags in a file of Serf's format; excludes --tag.", "FILE"),
    Option("log_level", "text", "Minimum log level [info].", choices=LEVELS),
    Option("log_format", "text", "Log format on stderr [text].", choices=("text", "json")),
    Option(
        "delegate_version",
        "number",
        "Serf protocol version; 0 speaks plain memberlist [5].",
        choices=tuple("02345"),
    ),
    Option(
        "bootstrap_expect",
        "number",
        "Servers expected; without a majority of them, no leader is named [0].",
        "N",
    ),
    Option(
        "event_handler",
        "lines",
        "Run a shell command for events: COMMAND, or TYPE[,TYPE...]=COMMAND, as in Serf; repeatable.",
        "SPEC",
    ),
    Option(
        "event_handler_timeout",
        "duration",
        "Kill an event handler that takes longer; 0 is no limit [300s].",
        "DURATION",
    ),
    Option(
        "disable_remote_exec",
        "switch",
        "Run no event handler for user events and queries, which any member can send.",
    ),
    Option("acl_file", "text", "Let HTTP clients do only what the tokens in this file allow.", "FILE"),
    Option(
        "acl_join",
        "text",
        "Without a token for it, PUT /v1/agent/join is allowed, warned of or refused [warn].",
        choices=("allow", "warn", "enforce"),
    ),
    Option("enable_debug", "switch", "Serve /v1/agent/host and pprof to clients without a token too."),
    Option("prometheus_metrics", "switch", "Serve /v1/metrics?format=prometheus."),
)


class Settings(NamedTuple):
    """The requested settings, before any is used.

    Attributes:
        values: by ``Option.name``; the highest of flag, environment and file.
        origins: by ``Option.name``, where the value came from, for error messages.
        gossip: the file's ``[gossip]`` table, as arguments for ``Config``.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    gossip: Mapping[str, Any]

    def differences(self, other: Settings, keys_differ: bool) -> list[str]:
        """The differences between two readings, except in ``RELOADED``."""
        values = {name for name in {*self.values, *other.values} - RELOADED
                  if self.values.get(name) != other.values.get(name)}  # fmt: skip
        gossip = {name for name in {*self.gossip, *other.gossip} - {"tags"}
                  if self.gossip.get(name) != other.gossip.get(name)}  # fmt: skip
        if keys_differ and "encrypt" not in values and "keys" not in gossip:
            values.add("key_file")
        return [*sorted(values), *(f"gossip.{name}" for name in sorted(gossip))]


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds every entry of ``OPTIONS`` and ``--config`` to a click command."""
    command = click.option("--config", metavar="FILE", envvar="SWIM_CONFIG", help="TOML file of settings.")(
        command
    )
    for option in reversed(OPTIONS):
        extra: dict[str, Any] = {"help": option.help, "envvar": option.variable}
        if option.kind == "switch":
            extra |= {"is_flag": True, "default": None}
        else:
            extra |= {
                "multiple": option.is_list,
                "metavar": None if option.choices else option.metavar,
            }
            extra["type"] = click.Choice(option.choices) if option.choices else _FLAG_TYPES[option.kind]
        command = click.option(option.flag, **extra)(command)
    return command


class _Lines(click.types.StringParamType):
    """Text; a variable holds one value per line, since values may contain spaces."""

    name = "text"
    envvar_list_splitter = "\n"

    def split_envvar_value(self, rv: str) -> list[str]:
        """The lines that are not empty."""
        return [line for line in super().split_envvar_value(rv) if line.strip()]


_FLAG_TYPES: dict[str, Any] = {
    "text": str,
    "list": str,
    "lines": _Lines(),
    "number": int,
    "duration": duration,
}


def settings_of(ctx: click.Context) -> Settings:
    """Merges flags, environment variables and the file named by ``--config``, in this order of precedence.

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
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer, label in ((from_file, _in_file(path)), (environment, _as_variable), (flags, _as_flag)):
        _refuse_exclusive(layer, label)
        for name, value in layer.items():
            for pair in _EXCLUSIVE:
                if name in pair and value:
                    values = {key: kept for key, kept in values.items() if key not in pair}
            values[name] = value
            origins[name] = label(name)
    return Settings(values, origins, gossip)


def _as_flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _as_variable(name: str) -> str:
    return "SWIM_" + name.upper()


def _in_file(path: str | None) -> Callable[[str], str]:
    return lambda name: f"{path}: {name}"


def _refuse_exclusive(layer: Mapping[str, Any], label: Callable[[str], str]) -> None:
    for first, second in _EXCLUSIVE:
        if layer.get(first) and layer.get(second):
            raise ConfigError(label(first), f"excludes {label(second)}")


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads a settings file: the table's own keys, and those of ``[gossip]``.

    Raises:
        ConfigError: as ``settings_of`` does for the file.
    """
    try:
        document = tomllib.loads(read_text_file(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(str(path), reason or "cannot be read") from None
    gossip = document.pop("gossip", {})
    problems: list[str] = []
    top = _read_table(document, {option.name: _file_reader(option) for option in OPTIONS}, "", problems)
    if not isinstance(gossip, dict):
        problems.append("gossip: must be a table")
        gossip = {}
    readers = {field.name: _GOSSIP_READERS[str(field.type)] for field in fields(Config)}
    inner = _read_table(gossip, readers, "gossip.", problems)
    if problems:
        raise ConfigError(str(path), "; ".join(problems))
    return top, inner


_Reader = Callable[[Any], Any]


def _read_table(
    table: Mapping[str, Any], readers: Mapping[str, _Reader], prefix: str, problems: list[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in readers:
            guess = closest(key, readers)
            hint = f", did you mean '{prefix}{guess}'?" if guess else ""
            problems.append(f"unknown key '{prefix}{key}'{hint}")
            continue
        try:
            found[key] = readers[key](value)
        except ValueError as error:
            shown = "" if key in _SECRETS else f", not {value!r}"
            problems.append(f"{prefix}{key}: {error}{shown}")
    return found


def _of_type(wanted: type | tuple[type, ...], text: str) -> _Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ValueError(f"must be {text}")
        return value

    return read


def _duration(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be a duration such as 20 or '1.5s'")
    return parse_duration(str(value))


def _list_of_text(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of strings")
    return tuple(value)


def _table_of_text(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("must be a table of strings")
    return value


def _list_of_keys(value: Any) -> tuple[bytes, ...]:
    return tuple(decode_key(text) for text in _list_of_text(value))


def _merge_policy(table: Any) -> MergePolicy:
    if not isinstance(table, dict):
        raise ValueError("must be a table")
    conditions = [field.name for field in fields(MergePolicy)]
    if unknown := table.keys() - conditions:
        raise ValueError(f"has no condition {min(unknown)!r}, only {', '.join(conditions)}")
    return MergePolicy(**table)


_text = _of_type(str, "a string")
_GOSSIP_READERS: dict[str, _Reader] = {
    "str": _text,
    "str | None": _text,
    "int": _of_type(int, "a whole number"),
    "float": _of_type((int, float), "a number"),
    "bool": _of_type(bool, "true or false"),
    "Mapping[str, str]": _table_of_text,
    "MergePolicy | None": _merge_policy,
    "tuple[str, ...]": _list_of_text,
    "tuple[str, ...] | None": _list_of_text,
    "tuple[bytes, ...]": _list_of_keys,
}
_FILE_READERS: dict[str, _Reader] = {
    "text": _text,
    "number": _GOSSIP_READERS["int"],
    "switch": _GOSSIP_READERS["bool"],
    "list": _list_of_text,
    "lines": _list_of_text,
    "duration": _duration,
}


def _file_reader(option: Option) -> _Reader:
    def read(value: Any) -> Any:
        value = _FILE_READERS[option.kind](value)
        if option.choices and str(value) not in option.choices:
            raise ValueError(f"must be one of {', '.join(option.choices)}")
        return value

    return read
