"""Hostile noise for agents under test: malformed packets, half-open streams and broken HTTP requests.

Nothing here names a member or contains a user message, so nothing of it can spread to other agents.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterable
from typing import Self

from sims.bench.engines import Place
from swim.wire.codec import encode
from swim.wire.messages import MessageType, Ping

__all__ = ["Noise"]

_PACKETS_AT_ONCE = 20
_STREAMS_OPEN = 30
_HEADERS = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"X: \xff\r\n",
)


class Noise:
    """A source of noise that a seed decides; a context manager that closes what it opened."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._packets.setblocking(False)
        self._streams: list[socket.socket] = []
        self.sent = 0
        """Packets and streams so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._packets.close()

    def close(self) -> None:
        """Closes all streams that were left open."""
        while self._streams:
            self._streams.pop().close()

    def burst(self, places: Iterable[Place]) -> None:
        """Sends each agent some packets, one stream on its gossip port and one request on its HTTP port."""
        for place in places:
            for _ in range(_PACKETS_AT_ONCE):
                with contextlib.suppress(OSError):
                    self._packets.sendto(self._packet(), ("127.0.0.1", place.gossip_port))
            self._open(place.gossip_port, self._packet() + self._random.randbytes(200))
            self._open(place.control_port, self._request())
            self.sent += _PACKETS_AT_ONCE + 2

    def _packet(self) -> bytes:
        rest = self._random.randbytes(self._random.randrange(300))
        ping = encode(Ping(self._random.getrandbits(32), "no-such-node"))
        kinds = [kind for kind in MessageType if kind is not MessageType.USER]
        return self._random.choice(
            [
                ping,
                ping[: self._random.randrange(len(ping))],
                bytes([MessageType.COMPOUND, 255]) + rest,
                bytes([self._random.choice(kinds)]) + rest,
                bytes([MessageType.LABEL, len(rest) % 256]) + rest,
            ]
        )

    def _request(self) -> bytes:
        head = b"PUT /v1/agent/join HTTP/1.1\r\nHost: 127.0.0.1\r\n" + self._random.choice(_HEADERS)
        return head[: self._random.randrange(len(head))] + self._random.choice(
            [b"", b"\r\n\r\n", b"\xff\r\n"]
        )

    def _open(self, port: int, data: bytes) -> None:
        """Sends ``data`` and leaves the stream open; the oldest one is closed when there are too many."""
        stream = socket.socket()
        stream.settimeout(1.0)
        with contextlib.suppress(OSError):
            stream.connect(("127.0.0.1", port))
            stream.sendall(data)
        self._streams.append(stream)
        if len(self._streams) > _STREAMS_OPEN:
            self._streams.pop(0).close()
