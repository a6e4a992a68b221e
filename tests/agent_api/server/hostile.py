"""Requests that no client should send, and some that it may: what ended a server once, and its siblings."""

from __future__ import annotations

import random
from collections.abc import Callable

_HEAD = b"Host: agent\r\n"
_UPGRADE = b"GET /v1/agent/members HTTP/1.1\r\n" + _HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_SOCKET = _UPGRADE + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
_H2C = (
    b"GET /v1/agent/members HTTP/1.1\r\n" + _HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
)
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CHUNKED = b"PUT /nowhere HTTP/1.1\r\n" + _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

KNOWN = {
    "websocket and a byte": _SOCKET + b"\r\n\x81",
    "websocket with a body": _SOCKET + b"Content-Length: 5\r\n\r\nhello",
    "websocket with a chunked body": _SOCKET + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "websocket without a key": _UPGRADE + b"\r\n",
    "websocket with a high byte": _SOCKET + b"X: \xe9\r\n\r\n",
    "websocket of another method": _SOCKET.replace(b"GET", b"POST") + b"\r\n",
    "upgrade to what nobody knows": _UPGRADE.replace(b"websocket", b"\xff, tls/1.0") + b"\r\n",
    "h2c with short settings": _H2C + b"HTTP2-Settings: AA\r\n\r\n",
    "h2c with no settings": _H2C + b"\r\n",
    "h2c with a high byte": _H2C + b"HTTP2-Settings: \xff\r\n\r\n",
    "h2c and a body": _H2C + b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 3\r\n\r\nabc",
    "http/2 preface": _PREFACE,
    "http/2 high byte in :path": _PREFACE + b"\0\0\0\4\0\0\0\0\0\0\0\5\1\5\0\0\0\1\x82\x04\x02/\xff",
    "http/2 large body": _PREFACE + b"\0\0\0\4\0\0\0\0\0" + (b"\0\x40\0\0\0\0\0\0\1" + b"x" * 16384) * 13,
    "connect without a path": b"CONNECT  HTTP/1.1\r\n" + _HEAD + b"\r\n",
    "connect": b"CONNECT example:443 HTTP/1.1\r\n" + _HEAD + b"\r\n\x16\x03\x01",
    "broken chunk": _CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
    "broken chunk after a good one": _CHUNKED + b"3\r\nabc\r\n-5\r\n",
    "chunk without its end": _CHUNKED + b"3\r\nabcdef",
    "chunk of a huge length": _CHUNKED + b"f" * 40 + b"\r\n",
    "chunks of one byte": _CHUNKED + b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "http/0.9": b"GET /\r\n",
    "no version": b"GET /v1/agent/members\r\n\r\n",
    "version 9.9": b"GET / HTTP/9.9\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\nHost: a\r\nnope\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "nul in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "high byte in the target": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "high byte in the query": b"GET /v1/agent/members?\xff=1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "high byte in the method": b"G\xcbT / HTTP/1.1\r\nHost: a\r\n\r\n",
    "not utf-8": b"PUT /v1/agent/servers?address=%ff HTTP/1.1\r\nHost: a\r\n\r\n",
    "surrogate in the path": b"GET /%ed%a0%80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "unreadable offer": b"GET /v1/agent/self HTTP/1.1\r\nHost: a\r\nAccept-Encoding: \xff;q=\xff\r\n\r\n",
    "length and chunks": _CHUNKED.replace(b"Host", b"Content-Length: 4\r\nHost") + b"0\r\n\r\n",
    "length of no number": b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n",
    "length beyond all": b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "body of an unknown path": b"PUT /no HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n" + bytes(9000),
    "one long line": b"GET /" + b"x" * 200_000,
    "one long header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000,
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    "expect and nothing": b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    "head": b"HEAD /v1/agent/members HTTP/1.1\r\nHost: a\r\n\r\n",
    "options of all": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "http/1.0": b"GET /v1/agent/members HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "a stream of events": b"GET /v1/swim/events HTTP/1.1\r\nHost: a\r\n\r\n",
    "nothing": b"",
    "half a head": b"GET /v1/agent/members HTTP/1.1\r\nHos",
    "ten at once": b"GET /v1/agent/members HTTP/1.1\r\nHost: a\r\n\r\n" * 10,
    "good ones and junk": b"GET /v1/agent/self HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + b"\xff" * 50 + b"\r\n\r\n",
}  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """A known request with something about it changed, or several in a row."""
    data = bytearray(rng.choice(list(KNOWN.values()))[: rng.choice((400, 4000, 300_000))])
    for _ in range(rng.choice((0, 1, 1, 2, 8))):
        rng.choice(_MUTATIONS)(rng, data)
    return bytes(data)


def _overwrite(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _insert(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(
        (b"\r\n", b"\0", b"\xff\xfe", b"Content-Length: 7\r\n", b"Upgrade: x\r\n", b"0\r\n\r\n")
    )


def _remove(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 20))]


def _append(rng: random.Random, data: bytearray) -> None:
    data += rng.choice(list(KNOWN.values()))[:1000]


def _junk(rng: random.Random, data: bytearray) -> None:
    data += rng.randbytes(rng.choice((1, 30, 5000)))


_MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _overwrite,
    _insert,
    _remove,
    _append,
    _junk,
)
