"""Configuration files of ``serf agent``, accepted as they are: JSON, merged by Serf's rules."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from swim.addresses import join_bind, join_host_port, split_bind, split_host_port
from swim.cli.agent.options import OPTIONS
from swim.cli.keys import read_text_file
from swim.config import Config
from swim.errors import ConfigError
from swim.text import closest

__all__ = ["SerfConfig", "parse_go_duration", "read_serf_config"]

_PORT = 7946
_DEFAULTS = {"bind": f"0.0.0.0:{_PORT}"}
"""Where Serf's agent has another default than ours."""
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_LEVELS = {"TRACE": "debug", "DEBUG": "debug", "INFO": "info", "WARN": "warn", "ERR": "error"}
_SHORTEST = 1.0


class SerfConfig(NamedTuple):
    """What the files ask for, in the terms of ``swim agent``.

    Attributes:
        values: by ``Option.name``.
        gossip: fields of ``Config``.
        origins: by option name, or ``gossip.FIELD``: the file and its key.
        warnings: keys that have no effect here.
    """

    values: dict[str, Any]
    gossip: dict[str, Any]
    origins: dict[str, str]
    warnings: list[str]


def parse_go_duration(text: str) -> float:
    """Seconds of a duration as Go writes it: ``30s``, ``1h30m``, ``1.5s``, ``0``.

    Raises:
        ValueError: it is something else, or negative.
    """
    if text in ("0", "+0"):
        return 0.0
    seconds, end = 0.0, 1 if text.startswith("+") else 0
    while end < len(text) and (found := _DURATION.match(text, end)):
        seconds += float(found[1]) * _UNITS[found[2]]
        end = found.end()
    if end < len(text) or not text.lstrip("+"):
        raise ValueError(f"{text!r} is not a duration such as '30s' or '1h30m'")
    return seconds


def read_serf_config(paths: Iterable[str]) -> SerfConfig:
    """Reads files and directories (every ``*.json`` in lexical order) and merges them.

    A later file overrides an earlier one. Lists are appended, tags are merged, and switches are only turned
    on.

    Raises:
        ConfigError: naming the file and all of its wrong keys.
    """
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for path in (file for name in paths for file in _files(Path(name))):
        for key, value in _read(path).items():
            merged[key] = _KEYS[key].merge(merged[key], value) if key in merged else value
            origins[key] = f"{path}: {key}"
    if "role" in merged:
        role = merged.pop("role")
        merged["tags"] = {**merged.get("tags", {}), **({"role": role} if role else {})}
        origins.setdefault("tags", origins["role"])
    return _translated(merged, origins)


def _files(path: Path) -> Iterator[Path]:
    try:
        if path.is_dir():
            yield from sorted(one for one in path.iterdir() if one.suffix == ".json" and not one.is_dir())
        else:
            yield path
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_text_file(path))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(str(path), reason or "cannot be read") from None
    if not isinstance(document, dict):
        raise ConfigError(str(path), "must be a JSON object")
    problems: list[str] = []
    found = dict(_checked(document, _KEYS, "", problems))
    if problems:
        raise ConfigError(str(path), "; ".join(problems))
    return found


def _checked(
    table: Mapping[str, Any], keys: Mapping[str, _Key], prefix: str, problems: list[str]
) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        key = name.lower()  # Go's decoder does not care about case
        if key == "mdns" and not prefix and isinstance(value, dict):
            for inner, inner_value in _checked(value, _MDNS, "mdns.", problems):
                yield f"mdns.{inner}", inner_value
            continue
        if key not in keys or "." in key:
            guess = closest(key, keys)
            hint = f", did you mean '{prefix}{guess}'?" if guess else ""
            problems.append(f"unknown key '{prefix}{name}'{hint}")
            continue
        try:
            yield key, keys[key].read(value)
        except ValueError as error:
            shown = "" if key in _SECRETS else f", not {value!r}"
            problems.append(f"{prefix}{key}: {error}{shown}")


def _translated(merged: Mapping[str, Any], origins: Mapping[str, str]) -> SerfConfig:
    known = {option.name for option in OPTIONS} | {f"gossip.{field.name}" for field in fields(Config)}
    found = SerfConfig(dict(_DEFAULTS), {}, {}, [])
    for key, value in merged.items():
        if not value and value is not False:  # Serf's default
            continue
        target = _KEYS[key].target
        try:
            value = _KEYS[key].convert(value)
        except ValueError as error:
            raise ConfigError(origins[key], str(error)) from None
        except ConfigError as error:
            raise ConfigError(origins[key], error.reason) from None
        field = target.removeprefix("gossip.")
        if target not in known:
            found.warnings.append(f"{origins[key]} is not supported")
        elif field != target:
            found.gossip[field] = value
        else:
            found.values[target] = value
        found.origins[target] = origins[key]
    if "join" in found.values:
        found.values["join_required"] = True
    return found


class _Key(NamedTuple):
    """One key of Serf's files: how it is read and merged, and what it sets."""

    read: Callable[[Any], Any]
    target: str
    convert: Callable[[Any], Any] = lambda value: value
    merge: Callable[[Any, Any], Any] = lambda before, after: after or before


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of strings")
    return tuple(value)


def _table(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("must be an object with strings")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be a whole number, at least 0")
    return value


def _duration(value: Any) -> float | str:
    return parse_go_duration(value) if _text(value) else ""


def _at_least_a_second(value: Any) -> float | str:
    seconds = _duration(value)
    if seconds != "" and float(seconds) < _SHORTEST:
        raise ValueError("must be at least 1s")
    return seconds


def _level(value: str) -> str:
    if value.upper() not in _LEVELS:
        raise ValueError(f"must be one of {', '.join(_LEVELS)}, not {value!r}")
    return _LEVELS[value.upper()]


def _tags(value: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}={text}" for name, text in value.items())


def _protocol(value: int) -> str:
    if not 2 <= value <= 5:
        raise ValueError(f"must be 2 to 5, not {value}")
    return str(value)


def _bind(value: str) -> str:
    return join_bind(*split_bind("bind", value, _PORT))


def _advertise(value: str) -> str:
    return join_host_port(*split_host_port("advertise", value, _PORT))


def _not(value: bool) -> bool:
    return not value


def _text_key(target: str, convert: Callable[[Any], Any] = _text) -> _Key:
    return _Key(_text, target, convert)


def _list_key(target: str) -> _Key:
    return _Key(_texts, target, merge=lambda before, after: before + after)


def _switch_key(target: str, convert: Callable[[bool], bool] = bool) -> _Key:
    return _Key(_switch, target, convert)


_SECRETS = ("encrypt_key", "rpc_auth")
_MDNS = {
    "interface": _text_key("mdns_interface"),
    "disable_ipv4": _switch_key("mdns_disable_ipv4"),
    "disable_ipv6": _switch_key("mdns_disable_ipv6"),
}
_KEYS: dict[str, _Key] = {
    "node_name": _text_key("name"),
    "role": _text_key("tag"),
    "tags": _Key(_table, "tag", _tags, lambda before, after: {**before, **after}),
    "tags_file": _text_key("tags_file"),
    "bind": _text_key("bind", _bind),
    "advertise": _text_key("advertise", _advertise),
    "interface": _text_key("interface"),
    "encrypt_key": _text_key("encrypt"),
    "keyring_file": _text_key("keyring_file"),
    "log_level": _text_key("log_level", _level),
    "rpc_addr": _text_key("rpc"),
    "rpc_auth": _text_key("rpc_auth"),
    "protocol": _Key(_number, "delegate_version", _protocol),
    "replay_on_join": _switch_key("replay_on_join"),
    "query_response_size_limit": _Key(_number, "gossip.query_response_size_limit"),
    "query_size_limit": _Key(_number, "gossip.query_size_limit"),
    "user_event_size_limit": _Key(_number, "gossip.user_event_size_limit"),
    "start_join": _list_key("join"),
    "retry_join": _list_key("retry_join"),
    "retry_max_attempts": _Key(_number, "retry_max_attempts"),
    "retry_interval": _Key(_at_least_a_second, "retry_interval"),
    "event_handlers": _list_key("event_handler"),
    "profile": _text_key("profile"),
    "snapshot_path": _text_key("snapshot"),
    "rejoin_after_leave": _switch_key("rejoin_after_leave"),
    "leave_on_terminate": _switch_key("no_leave_on_terminate", _not),
    "skip_leave_on_interrupt": _switch_key("skip_leave_on_interrupt"),
    "discover": _text_key("discover"),
    "mdns.interface": _MDNS["interface"],
    "mdns.disable_ipv4": _MDNS["disable_ipv4"],
    "mdns.disable_ipv6": _MDNS["disable_ipv6"],
    "enable_syslog": _switch_key("syslog"),
    "syslog_facility": _text_key("syslog_facility"),
    "reconnect_interval": _Key(_duration, "gossip.rejoin_interval"),
    "reconnect_timeout": _Key(_duration, "gossip.reconnect_timeout"),
    "tombstone_timeout": _Key(_duration, "gossip.tombstone_timeout"),
    "broadcast_timeout": _Key(_at_least_a_second, "gossip.broadcast_timeout"),
    "disable_name_resolution": _switch_key("gossip.enable_name_conflict_resolution", _not),
    "enable_compression": _switch_key("gossip.enable_compression"),
    "disable_coordinates": _switch_key("gossip.disable_coordinates"),
    "validate_node_names": _switch_key("gossip.validate_node_names"),
    "statsite_addr": _text_key("statsite_addr"),
    "statsd_addr": _text_key("statsd_addr"),
}
"""Every key of Serf's configuration files; targets are options, or ``gossip.`` and a field of ``Config``."""
