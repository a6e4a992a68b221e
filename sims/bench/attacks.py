"""The most expensive input that a non-member can send, by kind: packets, and whole requests on streams.

Each kind is an endless source of different inputs, drawn from one ``Random``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from swim.serf.messages import (
    JoinIntent,
    LeaveIntent,
    Query,
    QueryResponse,
    Relayed,
    SerfMessage,
    UserEvent,
    encode_serf,
)
from swim.serf.push_pull import PushPullState, RecentEvents, encode_state
from swim.wire import compound
from swim.wire.codec import encode, encode_user_stream
from swim.wire.compression import compress_message
from swim.wire.go_msgpack import pack
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, NodeRecord, Ping, PushPull, Suspect, User

__all__ = ["PACKETS", "STREAMS", "Source"]

Source = Callable[[Random], bytes]
"""Makes one more packet, or one more request of a stream."""

_VERSIONS = bytes((1, 5, 2, 2, 5, 5))
_ALL = b"\x7f\0\0\1"


def _name(random: Random, size: int = 200) -> str:
    return f"{random.getrandbits(64):x}".ljust(size, "n")


def _addr(random: Random) -> bytes:
    return bytes((127, *random.randbytes(3)))


def _ping(random: Random) -> bytes:
    return encode(Ping(random.getrandbits(32), "node-0"))


def _full(make: Callable[[Random], bytes], random: Random, most: int = 255) -> bytes:
    """A compound of as many as may be in one, or fit a datagram."""
    parts = [make(random)]
    while len(parts) < most and sum(map(len, parts)) < 60_000:
        parts.append(make(random))
    lengths = b"".join(len(part).to_bytes(2, "big") for part in parts)
    return b"".join((b"\x07", bytes((len(parts),)), lengths, *parts))


def _alive(random: Random) -> bytes:
    claim = Alive(1, _name(random), _addr(random), 7946, random.randbytes(500), _VERSIONS)
    return encode(claim)


def _serf(message: SerfMessage) -> bytes:
    return encode(User(encode_serf(message)))


def _query(random: Random, **changes: Any) -> bytes:
    asked = Query(
        ltime=random.randrange(1, 400),
        id=random.getrandbits(31),
        addr=_addr(random),
        port=7946,
        source_node="x",
        filters=(),
        flags=1,
        relay_factor=5,
        timeout=10**9,
        name="q",
        payload=None,
    )
    return _serf(asked._replace(**changes))


def _costly_query(random: Random) -> bytes:
    return _query(random, filters=(b"\x01" + pack({"Expr": "(a?){500}a{500}", "Tag": "role"}),) * 5)


def _relay(random: Random, depth: int = 20) -> bytes:
    inner = encode_serf(QueryResponse(1, 2, "x", 1, None))
    for _ in range(depth):
        inner = encode_serf(Relayed(b"\x7f\0\0\2", 7946, "node-1", inner))
    return encode(User(inner))


def _headers(random: Random, size: int = 855) -> bytes:
    unit = random.choice((b"\xdc\x04\x00", b"\x9f\xc0", b"\xde\x01\x00\xc0", b"\xdc\x00\x80" + bytes(60)))
    return b"\x00" + (unit * size)[:size]


@cache
def _noise(kind: bytes, size: int) -> bytes:
    """A compression layer around bytes that do not compress; making it takes long, so once."""
    return compress_message(kind + Random(1).randbytes(size))


PACKETS: dict[str, Source] = {
    "ping": _ping,
    "compound of pings": lambda random: _full(_ping, random),
    "pings, compressed": lambda random: compress_message(_full(_ping, random, 60)),
    "compounds of compounds": lambda random: _full(lambda _: compound.pack([_ping(random)] * 20), random),
    "pings to relay": lambda random: encode(
        IndirectPing(random.getrandbits(32), b"\x7f\0\0\2", 7946, "node-1", True, _ALL, 7946, "x")
    ),
    "acks": lambda random: encode(Ack(random.getrandbits(32), random.randbytes(200))),
    "invented members": _alive,
    "accusations": lambda random: encode(
        Suspect(random.getrandbits(30), f"node-{random.randrange(20)}", _name(random))
    ),
    "leaves": lambda random: encode(Dead(random.getrandbits(30), f"node-{random.randrange(20)}", "")),
    "headers of long lists": _headers,
    "headers, compressed": lambda random: compress_message(_full(_headers, random, 20)),
    "noise, compressed": lambda _: _noise(b"\x08", 11_000),
    "noise with a checksum": lambda random: (
        b"\x0c" + zlib.crc32(body := random.randbytes(1000)).to_bytes(4, "big") + body
    ),
    "user events": lambda random: _serf(
        UserEvent(random.randrange(1, 600), _name(random), random.randbytes(900))
    ),
    "join intents": lambda random: _serf(JoinIntent(random.getrandbits(20), _name(random, 255))),
    "leave intents": lambda random: _serf(LeaveIntent(random.getrandbits(20), _name(random, 255))),
    "queries": _query,
    "queries, costly filters": _costly_query,
    "answers": lambda random: _serf(QueryResponse(1, 2, _name(random), 1, random.randbytes(900))),
    "relayed in relayed": _relay,
}
"""By kind, one datagram each."""


@cache
def _bomb() -> bytes:
    return compress_message(encode_user_stream(bytes(1_000_000)))


def _records(random: Random, count: int, state: int, *, are_odd: bool = False) -> bytes:
    prefix = f"{random.getrandbits(64):x}"
    records = []
    for number in range(count):
        vsn = bytes((9, 9, 9, *random.randbytes(3))) if are_odd else _VERSIONS
        records.append(NodeRecord(f"{prefix}-{number}", _addr(random), 7946, None, 1, state, vsn))
    return encode(PushPull(False, tuple(records)))


def _state(random: Random, **changes: Any) -> bytes:
    state = PushPullState(5, {}, (), 5, (), 5)._replace(**changes)
    return encode(PushPull(random.random() < 2, (), encode_state(state)))


def _many_events(random: Random) -> list[RecentEvents]:
    return [
        RecentEvents(ltime, [(_name(random), random.randbytes(900)) for _ in range(4)])
        for ltime in range(1, 300)
    ]


STREAMS: dict[str, Source] = {
    "empty push/pull": lambda _: encode(PushPull(False, ())),
    "alive records": lambda random: _records(random, 10_000, 0),
    "records of odd versions": lambda random: _records(random, 10_000, 0, are_odd=True),
    "dead records": lambda random: _records(random, 10_000, 2),
    "stamps": lambda random: _state(
        random, status_ltimes={_name(random, 30): random.getrandbits(20) for _ in range(30_000)}
    ),
    "left members": lambda random: _state(random, left_members=[_name(random, 30) for _ in range(30_000)]),
    "user events in a state": lambda random: _state(random, events=_many_events(random)),
    "noise on a stream": lambda _: _noise(b"\x06", 300_000),
    "bomb": lambda _: _bomb(),
    "headers on a stream": lambda random: b"\x06" + _headers(random, 60_000)[1:],
    "cut short": lambda random: _records(random, 10_000, 0)[:-1],
    "cut short, compressed": lambda random: compress_message(_records(random, 2_000, 0)[:-1]),
}
"""By kind, one whole request each; what is cut short never becomes one."""
