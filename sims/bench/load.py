"""Requests to one agent over kept connections, from a process of its own.

``python -m sims.bench.load PROTOCOL PORT CONNECTIONS SECONDS RATE``: PROTOCOL is ``serf`` for ``members`` by
Serf's RPC, else the path to get by HTTP. RATE is requests a second in total, due at fixed times whatever the
answers; 0 sends each as soon as its connection is free. Prints one JSON object.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from typing import NamedTuple

import msgpack  # type: ignore[import-untyped]

__all__ = ["Load", "load"]

_READ_BYTES = 1 << 18
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_MEMBERS = msgpack.packb({"Command": "members", "Seq": 1})
_HANDSHAKE = msgpack.packb({"Command": "handshake", "Seq": 0}) + msgpack.packb({"Version": 1})


class Load(NamedTuple):
    """What one run found.

    Attributes:
        answers: that were right.
        others: that were not.
        seconds: that it took.
        latencies: milliseconds from when a request was due until its answer was complete, sorted.
    """

    answers: int
    others: int
    seconds: float
    latencies: list[float]

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


def load(protocol: str, port: int, *, connections: int, seconds: float, rate: float = 0.0) -> Load:
    """Loads 127.0.0.1:``port`` from a child process, and returns what it found."""
    arguments = [protocol, str(port), str(connections), str(seconds), str(rate)]
    command = [sys.executable, "-m", "sims.bench.load", *arguments]
    return Load(**json.loads(subprocess.check_output(command, timeout=seconds + 120)))


class _Http:
    """One connection, with at most one request on its way."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self.due = 0.0
        self._received = bytearray()
        self._wanted = 0

    def send(self, due: float) -> None:
        """Sends the next request."""
        self.due = due
        self.socket.sendall(self.request)

    def read(self) -> bool | None:
        """Whether the answer is right, once it is complete."""
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the agent closed a connection")
        return self._take(data)

    def _take(self, data: bytes) -> bool | None:
        self._received += data
        if not self._wanted:
            head = self._received.find(_HEAD_END)
            if head < 0:
                return None
            start = self._received.lower().index(_LENGTH, 0, head) + len(_LENGTH)
            length = int(self._received[start : self._received.index(b"\r", start)])
            self._wanted = head + len(_HEAD_END) + length
        if len(self._received) < self._wanted:
            return None
        is_right = self._received[9:12] == b"200"
        del self._received[: self._wanted]
        self._wanted = 0
        return is_right


class _SerfRpc(_Http):
    """The same by Serf's RPC; an answer is two objects, a head and a body."""

    def __init__(self, port: int, _: str) -> None:
        super().__init__(port, "")
        self.socket.sendall(_HANDSHAKE)
        self.socket.recv(4096)
        self.request = _MEMBERS
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
        self._head: dict[str, object] | None = None

    def _take(self, data: bytes) -> bool | None:
        self._unpacker.feed(data)
        for record in self._unpacker:
            if self._head is None:
                self._head = record
            else:
                is_right = not self._head["Error"] and bool(record["Members"])
                self._head = None
                return is_right
        return None


def _run(protocol: str, port: int, connections: int, seconds: float, rate: float) -> Load:
    selector = selectors.DefaultSelector()
    idle: deque[_Http] = deque()
    for _ in range(connections):
        client = (_SerfRpc if protocol == "serf" else _Http)(port, protocol)
        selector.register(client.socket, selectors.EVENT_READ, client)
        idle.append(client)
    latencies, wrong, sent = [], 0, 0
    began = time.perf_counter()
    while True:
        now = time.perf_counter()
        is_over = now - began >= seconds
        while idle and not is_over and (due := began + sent / rate if rate else now) <= now:
            idle.popleft().send(due)
            sent += 1
        if is_over and len(idle) == connections:
            break
        wait = max(0.0, began + sent / rate - now) if rate and idle and not is_over else 1.0
        for key, _ in selector.select(wait):
            is_right = key.data.read()
            if is_right is not None:
                latencies.append(1000 * (time.perf_counter() - key.data.due))
                wrong += not is_right
                idle.append(key.data)
    took = time.perf_counter() - began
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    return Load(len(latencies) - wrong, wrong, took, sorted(latencies))


if __name__ == "__main__":
    found = _run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
    print(json.dumps(found._asdict()))
