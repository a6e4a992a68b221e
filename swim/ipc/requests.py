"""The requests of clients: which fields the body of each command has, and how they are read.

As in Go, a field that is missing or nil is zero, and unknown fields are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from swim.errors import RemoteError

__all__ = ["BODIES", "COMMANDS", "Fields", "body_of", "header_of"]

Fields = Mapping[str, Any]
"""The fields of a body by name, all of them present."""

_Reader = Callable[[Any], Any]
"""Returns the value, or raises ``ValueError``; of None, the zero value."""


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("no string")
    return value


def _data(value: Any) -> bytes:
    """Clients that know no bytes send strings."""
    return value if isinstance(value, bytes) else _text(value).encode("utf-8", "surrogateescape")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool | None):
        raise ValueError("no boolean")
    return bool(value)


def _integer(least: int, most: int) -> _Reader:
    def read(value: Any) -> int:
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"no integer from {least} to {most}")
        return value

    return read


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | None):
        raise ValueError("no list")
    return tuple(map(_text, value or ()))


def _text_map(value: Any) -> dict[str, str]:
    if not isinstance(value, dict | None):
        raise ValueError("no map")
    return {_text(key): _text(item) for key, item in (value or {}).items()}


_uint64 = _integer(0, 2**64 - 1)
_HEADER: Mapping[str, _Reader] = {"Command": _text, "Seq": _uint64}
BODIES: Mapping[str, Mapping[str, _Reader]] = {
    "handshake": {"Version": _integer(-(2**31), 2**31 - 1)},
    "auth": {"AuthKey": _data},
    "event": {"Name": _text, "Payload": _data, "Coalesce": _flag},
    "force-leave": {"Node": _text, "Prune": _flag},
    "join": {"Existing": _texts, "Replay": _flag},
    "members-filtered": {"Tags": _text_map, "Status": _text, "Name": _text},
    "tags": {"Tags": _text_map, "DeleteTags": _texts},
    "stream": {"Type": _text},
    "monitor": {"LogLevel": _text},
    "stop": {"Stop": _uint64},
    "query": {
        "FilterNodes": _texts,
        "FilterTags": _text_map,
        "RequestAck": _flag,
        "RelayFactor": _integer(0, 255),
        "Timeout": _integer(-(2**63), 2**63 - 1),
        "Name": _text,
        "Payload": _data,
    },
    "respond": {"ID": _uint64, "Payload": _data},
    "install-key": {"Key": _data},
    "use-key": {"Key": _data},
    "remove-key": {"Key": _data},
    "get-coordinate": {"Node": _text},
}
"""The fields of each command that has a body."""
COMMANDS = frozenset({*BODIES, "members", "leave", "list-keys", "stats"})


def header_of(value: Any) -> tuple[str, int]:
    """Command and sequence number.

    Raises:
        RemoteError: ``ipc-malformed``.
    """
    fields = _fields("header", value, _HEADER)
    return fields["Command"], fields["Seq"]


def body_of(command: str, value: Any) -> Fields:
    """The fields of the body of one of ``BODIES``.

    Raises:
        RemoteError: ``ipc-malformed``.
    """
    return _fields(command, value, BODIES[command])


def _fields(what: str, value: Any, readers: Mapping[str, _Reader]) -> Fields:
    if not isinstance(value, dict):
        raise RemoteError("ipc-malformed", f"{what} is no map")
    found = {_text(key): item for key, item in value.items() if isinstance(key, str | bytes)}
    fields: dict[str, Any] = {}
    for name, read in readers.items():
        try:
            fields[name] = read(found.get(name))
        except ValueError as error:
            raise RemoteError("ipc-malformed", f"{name} of {what}: {error}") from None
    return fields
