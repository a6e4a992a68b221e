"""Hostile input without end: recorded bytes bent, messages made up field by field, and floods.

Every source draws from one ``Random``, so a seed gives the same input again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgpack  # type: ignore[import-untyped]

from sims.bench.attacks import PACKETS, STREAMS
from swim.wire.compression import compress_message

__all__ = ["SOURCES", "layered", "recorded", "requests", "touched"]

FIELDS = (
    *("Node", "SeqNo", "SourceAddr", "SourcePort", "SourceNode", "Target", "Port", "Nack", "Payload", "Name"),
    *("Incarnation", "From", "Addr", "Meta", "Vsn", "State", "Nodes", "UserStateLen", "Join", "UserMsgLen"),
    *("Error", "Algo", "Buf", "LTime", "Prune", "CC", "ID", "Filters", "Flags", "RelayFactor", "Timeout"),
    *("DestAddr", "IP", "Zone", "DestName", "StatusLTimes", "LeftMembers", "EventLTime", "Events", "Tag"),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 2**63, 1.5),
    *(2**64 - 1, float("inf"), float("nan"), -(2**63), "text", "\ud800".encode("utf-8", "surrogatepass")),
    *(b"", b"\0", b"node-0", b"node-1", b"x" * 255, b"x" * 256, b"\xff" * 40, b"a\nb\x1b[31m", b"%s%n\r\n"),
    *(bytes(4), bytes(16), b"\x7f\0\0\1", b"\x7f\0\0\2", b"\xe0\0\0\1", b"\xff" * 4, bytes(10) + b"\xff" * 6),
    *(b"\1\5\2\2\5\5", [], {}, [[]], [b"node-1"], {b"node-1": 7}, {b"node-0": 2**64 - 1}, b"\xff\x80"),
)
HEADERS = (b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\0\xff\xff\xff", b"\x9f", b"\x8f", b"\xc1")
_USER = 8


@cache
def recorded() -> tuple[bytes, ...]:
    """Every message, packet and stream of the vectors."""
    found: list[bytes] = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "hex" and isinstance(inner, str) and inner:
                    found.append(bytes.fromhex(inner))
                else:
                    collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    for path in sorted(Path(__file__).parent.joinpath("vectors").rglob("*.json")):
        collect(json.loads(path.read_text()))
    return tuple(data for data in found if len(data) < 100_000)


@cache
def structs() -> tuple[tuple[bytes, dict[Any, Any], bytes], ...]:
    """Those of them that are a type, or two, a map of fields, and a rest."""
    found = []
    for data in recorded():
        head = data[: 2 if data[0] == _USER else 1]
        reader = msgpack.Unpacker(raw=True, strict_map_key=False)
        reader.feed(data[len(head) :])
        try:
            fields = reader.unpack()
        except (ValueError, TypeError, msgpack.UnpackException):
            continue
        if isinstance(fields, dict):
            found.append((head, fields, data[len(head) + reader.tell() :]))
    return tuple(found)


def bent(random: Random) -> bytes:
    """Recorded bytes with a few things wrong."""
    data = bytearray(random.choice(recorded()))
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(data) + 1)
        match random.randrange(6):
            case 0:
                data[at : at + 1] = bytes((random.getrandbits(8),))
            case 1:
                data[at:at] = random.randbytes(random.randrange(5))
            case 2:
                del data[at : at + random.randrange(9)]
            case 3:
                data[at:at] = data[at : at + random.randrange(40)]
            case 4:
                data[at:] = random.choice(recorded())[at:]
            case _:
                data[at : at + 1] = random.choice(HEADERS)
    return bytes(data)


def touched(random: Random, data: bytes) -> bytes:
    """``data`` with a byte or two changed, more often near its beginning, where the layers' headers are."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2)) if data else 0):
        end = len(data) if random.getrandbits(1) else min(len(data), 40)
        changed[random.randrange(end)] = random.getrandbits(8)
    return bytes(changed)


def value(random: Random, depth: int = 0) -> Any:
    """Any value of msgpack."""
    match random.randrange(8):
        case 0 if depth < 3:
            return [value(random, depth + 1) for _ in range(random.randrange(4))]
        case 1 if depth < 3:
            return struct(random, depth + 1)
        case 2:
            return random.randbytes(random.randrange(60))
        case 3:
            return random.getrandbits(random.choice((7, 8, 16, 32, 63)))
    return random.choice(ODD)


def struct(random: Random, depth: int = 0) -> dict[bytes, Any]:
    """A map of known names to anything."""
    names = random.sample(FIELDS, random.randrange(12))
    return {name.encode(): value(random, depth) for name in names}


def made_up(random: Random) -> bytes:
    """A type and any fields; or a recorded message of which a field or two says something else."""
    if random.randrange(3):
        head, fields, rest = random.choice(structs())
        fields = dict(fields)
        for _ in range(random.randrange(1, 3)):
            name = random.choice([*fields, *(field.encode() for field in random.sample(FIELDS, 1))])
            fields[name] = value(random)
        if fields and not random.randrange(4):
            del fields[random.choice([*fields])]
    else:
        head = bytes((random.randrange(16),))
        if random.randrange(2):
            head = bytes((_USER, random.randrange(12)))
        fields, rest = struct(random), random.randbytes(random.choice((0, 0, 3, 90)))
    return head + bytes(msgpack.packb(fields, use_bin_type=bool(random.randrange(2)))) + rest


def flood(random: Random) -> bytes:
    """One packet of those that cost most."""
    return random.choice((*PACKETS.values(),))(random)


SOURCES: dict[str, Callable[[Random], bytes]] = {"bent": bent, "made up": made_up, "floods": flood}
"""Of packets, by kind."""


def layered(random: Random, data: bytes) -> bytes:
    """``data`` inside layers of compression, compounds and labels."""
    for _ in range(random.randrange(3)):
        match random.randrange(3):
            case 0:
                data = compress_message(data[:3000])
            case 1:
                parts = [data[:60_000], *(bent(random)[:300] for _ in range(random.randrange(4)))]
                sizes = b"".join(len(part).to_bytes(2, "big") for part in parts)
                data = b"".join((b"\x07", bytes((len(parts) + random.randrange(2),)), sizes, *parts))
            case _:
                data = b"\xf4\x01x" + data
    return data


def requests(random: Random, kind: str) -> bytes:
    """One request of a stream, of one kind of ``SOURCES``."""
    if kind == "floods" and not random.randrange(20):
        return random.choice((*STREAMS.values(),))(random)
    data = SOURCES[kind](random)
    if random.randrange(2):
        data = b"\x06" + bytes(msgpack.packb(struct(random))) + data
    return layered(random, data)
