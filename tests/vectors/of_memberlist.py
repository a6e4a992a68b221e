"""Loads the golden vectors of memberlist and says what a vector's fields mean as our messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swim.errors import RemoteError
from swim.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorReply,
    IndirectPing,
    Message,
    Nack,
    NodeRecord,
    Ping,
    Suspect,
    User,
)

_DIRECTORY = Path(__file__).parent / "memberlist"

KEY = bytes(range(16))

KINDS = {
    0: "ping",
    1: "indirectPing",
    2: "ack",
    3: "suspect",
    4: "alive",
    5: "dead",
    8: "user",
    11: "nack",
    13: "error",
}


def outcome(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """What a call returns and no reason, or nothing and the reason why it refused its input."""
    try:
        return function(*arguments), ""
    except RemoteError as error:
        return None, error.reason


def load(*files: str) -> list[Any]:
    """One parameter per vector, named ``file/vector``."""
    return [
        pytest.param(vector, id=f"{file}/{vector['name']}")
        for file in files
        for vector in json.loads((_DIRECTORY / f"{file}.json").read_text())
    ]


def select(parameters: list[Any], wanted: Any) -> list[Any]:
    """The parameters whose vector passes ``wanted``."""
    return [parameter for parameter in parameters if wanted(parameter.values[0])]


def unhex(value: str | None) -> bytes | None:
    """``"hex:00ff"`` as bytes; None stays None."""
    return None if value is None else bytes.fromhex(value.removeprefix("hex:"))


def some(value: str | None) -> bytes:
    """``unhex`` with nil as no bytes."""
    return unhex(value) or b""


def as_text(value: str | None) -> str:
    """A text field, which a vector may hold in hexadecimal."""
    if value is not None and value.startswith("hex:"):
        return some(value).decode("utf-8", "surrogateescape")
    return value or ""


def message(kind: str, f: Any) -> Message:
    """The message that a vector's decoded fields describe."""
    if kind == "user":
        return User(some(f if isinstance(f, str) else f["body"]))
    source = ()
    if kind in ("ping", "indirectPing"):
        source = (some(f.get("SourceAddr")), f.get("SourcePort", 0), as_text(f.get("SourceNode")))
    match kind:
        case "ping":
            return Ping(f["SeqNo"], as_text(f["Node"]), *source)
        case "indirectPing":
            return IndirectPing(
                f["SeqNo"], some(f["Target"]), f["Port"], as_text(f["Node"]), f["Nack"], *source
            )
        case "ack":
            return Ack(f["SeqNo"], unhex(f["Payload"]))
        case "nack":
            return Nack(f["SeqNo"])
        case "error":
            return ErrorReply(f["Error"])
        case "suspect":
            return Suspect(f["Incarnation"], as_text(f["Node"]), as_text(f["From"]))
        case "dead":
            return Dead(f["Incarnation"], as_text(f["Node"]), as_text(f["From"]))
        case "alive":
            name, addr, meta = as_text(f["Node"]), some(f["Addr"]), unhex(f["Meta"])
            return Alive(f["Incarnation"], name, addr, f["Port"], meta, some(f["Vsn"]))
    raise AssertionError(kind)


def record(f: Any) -> NodeRecord:
    """The push/pull record that a vector's decoded fields describe."""
    return NodeRecord(
        as_text(f["Name"]),
        some(f["Addr"]),
        f["Port"],
        unhex(f["Meta"]),
        f["Incarnation"],
        f["State"],
        some(f["Vsn"]),
    )


def leaves(decoded: Any) -> list[Message]:
    """The messages of a captured datagram, in order, whatever they were wrapped in."""
    [(kind, inner)] = decoded.items()
    if kind == "compress":
        return leaves(inner)
    if kind == "compound":
        return [leaf for part in inner for leaf in leaves(part)]
    return [message(kind, inner)]
