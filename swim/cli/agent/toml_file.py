"""The settings of ``swim agent`` in a TOML file: keys of ``OPTIONS``, and some tables."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from agent_api.access.rules import AccessRules
from agent_api.limits import HttpLimits
from swim.checks import parse_duration
from swim.cli.agent.options import OPTIONS, SECRETS, Option
from swim.cli.keys import decode_key, read_text_file
from swim.config import Config
from swim.config.merge_policy import MergePolicy
from swim.errors import ConfigError
from swim.text import closest

__all__ = ["read_file"]


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads a settings file: its own keys, with ``acl`` as ``AccessRules`` and ``limits`` as those of
    ``HttpLimits`` that are set, and the keys of ``[gossip]``.

    Raises:
        ConfigError: as ``settings_of`` does for the file.
    """
    try:
        document = tomllib.loads(read_text_file(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(str(path), reason or "cannot be read") from None
    gossip, limits = document.pop("gossip", {}), document.pop("limits", {})
    problems: list[str] = []
    options = {option.name: _file_reader(option) for option in OPTIONS}
    top = _read_table(document, options | {"acl": AccessRules.of_document, "server": _server}, "", problems)
    if not top.pop("server", True):
        top["client"] = True
    inner = _read_fields(gossip, Config, "gossip", problems)
    if chosen := _read_fields(limits, HttpLimits, "limits", problems):
        top["limits"] = chosen
    if problems:
        raise ConfigError(str(path), "; ".join(problems))
    return top, inner


_Reader = Callable[[Any], Any]


def _read_fields(
    table: Any, settings: type[Config | HttpLimits], name: str, problems: list[str]
) -> dict[str, Any]:
    """The fields of a class of settings in the table ``name``."""
    if not isinstance(table, dict):
        problems.append(f"{name}: must be a table")
        return {}
    readers = {field.name: _FIELD_READERS[str(field.type)] for field in fields(settings)}
    return _read_table(table, readers, f"{name}.", problems)


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
            shown = "" if key in SECRETS else f", not {value!r}"
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


def _server(table: Any) -> bool:
    """``[server] enabled``, as Nomad's configuration says that an agent is a client only."""
    if not isinstance(table, dict) or set(table) != {"enabled"} or not isinstance(table["enabled"], bool):
        raise ValueError("must be a table with enabled = true or false")
    return table["enabled"]


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
_FIELD_READERS: dict[str, _Reader] = {
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
    "number": _FIELD_READERS["int"],
    "switch": _FIELD_READERS["bool"],
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
