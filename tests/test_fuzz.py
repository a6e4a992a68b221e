"""Recorded bytes bent, made-up messages and floods against one node: nothing is raised, memory stays flat.

``SWIM_FUZZ_SECONDS`` says how long each layer is tried, with another seed each time; by default one second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from sims.bench.attacks import PACKETS, STREAMS
from sims.bench.hostile import Victim
from swim.wire.compression import compress_message

SECONDS = float(os.environ.get("SWIM_FUZZ_SECONDS", "1"))
SEED = int(time.time()) if SECONDS > 10 else 1
MEMORY_MAX_BYTES = 150_000_000

KEY = bytes(range(16))
FIELDS = (
    *("Node", "SeqNo", "SourceAddr", "SourcePort", "SourceNode", "Target", "Port", "Nack", "Payload", "Name"),
    *("Incarnation", "From", "Addr", "Meta", "Vsn", "State", "Nodes", "UserStateLen", "Join", "UserMsgLen"),
    *("Error", "Algo", "Buf", "LTime", "Prune", "CC", "ID", "Filters", "Flags", "RelayFactor", "Timeout"),
    *("DestAddr", "IP", "Zone", "DestName", "StatusLTimes", "LeftMembers", "EventLTime", "Events", "Tag"),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 2**63, 1.5),
    *(
        b"",
        b"\0",
        b"node-0",
        b"node-1",
        b"x" * 255,
        b"x" * 256,
        b"\xff" * 40,
        bytes(4),
        bytes(16),
        b"\x7f\0\0\1",
    ),
    *(b"\1\5\2\2\5\5", [], {}, [[]], [b"node-1"], {b"node-1": 7}, {b"node-0": 2**64 - 1}, b"\xff\x80"),
)


HEADERS = (b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\0\xff\xff\xff", b"\x9f", b"\x8f", b"\xc1")


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


def value(random: Random, depth: int = 0) -> Any:
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
    names = random.sample(FIELDS, random.randrange(12))
    return {name.encode(): value(random, depth) for name in names}


def made_up(random: Random) -> bytes:
    """A type and any fields; inside a user message, a Serf type and any fields."""
    head = bytes((random.randrange(16),))
    if random.randrange(2):
        head = b"\x08" + bytes((random.randrange(12),))
    body = bytes(msgpack.packb(struct(random), use_bin_type=bool(random.randrange(2))))
    return head + body + random.randbytes(random.choice((0, 0, 3, 90)))


def flood(random: Random) -> bytes:
    return random.choice((*PACKETS.values(),))(random)


def layered(random: Random, data: bytes) -> bytes:
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


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run(victim: Victim, give: Callable[[Random], None]) -> int:
    random, before = Random(SEED), resident_bytes()
    end, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        give(random)
        count += 1
    local = victim.node.local
    assert (victim.node.status, local.status, local.name) == ("running", "alive", "node-0")
    assert resident_bytes() - before < MEMORY_MAX_BYTES
    print(f"{count} inputs of {victim.received} bytes, seed {SEED}, +{resident_bytes() - before} bytes")
    return count


SOURCES = {"bent": bent, "made up": made_up, "floods": flood}


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["plain", "key"])
@pytest.mark.parametrize("kind", SOURCES)
def test_packets(kind: str, keys: tuple[bytes, ...]) -> None:
    victim = Victim(keys=keys, gossip_verify_incoming=False)
    run(victim, lambda random: victim.packet(layered(random, SOURCES[kind](random))))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("kind", SOURCES)
def test_streams(kind: str) -> None:
    victim = Victim(enable_compression=True)

    def give(random: Random) -> None:
        data = layered(random, SOURCES[kind](random))
        if kind == "floods":
            data = random.choice((*STREAMS.values(),))(random) if random.randrange(20) == 0 else data
        elif random.randrange(2):
            data = b"\x06" + bytes(msgpack.packb(struct(random))) + data
        victim.stream(data)

    run(victim, give)


def test_there_is_something_to_bend() -> None:
    assert len(recorded()) > 300
