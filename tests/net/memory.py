"""An in-memory network for the driver: packets and streams with latency and loss, in virtual time."""

from __future__ import annotations

import errno
import heapq
import itertools
import math
import os
import random
import socket
from collections.abc import Sequence

import trio
import trio.testing

from swim.addresses import Endpoint

_INBOX_PACKETS = 4096
_BACKLOG = 128


class MemoryNetwork:
    """A set of transports that reach each other.

    Attributes:
        latency: seconds one way.
        loss: probability that a packet vanishes.
        names: what the resolver knows: name to IP addresses.
        lookups: every name asked for, in order.
    """

    def __init__(self, *, latency: float = 0.001, loss: float = 0.0, seed: int = 1) -> None:
        self.latency = latency
        self.loss = loss
        self.names: dict[str, list[str]] = {}
        self.lookups: list[str] = []
        self.random = random.Random(seed)
        self.bound: dict[Endpoint, MemoryTransport] = {}
        self.ephemeral = itertools.count(40_000)

    def transport(self, host: str, port: int = 7946) -> MemoryTransport:
        """Binds a new transport."""
        endpoint = (host, port)
        if endpoint in self.bound:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        transport = self.bound[endpoint] = MemoryTransport(self, endpoint)
        return transport


class MemoryTransport:
    """One endpoint of a ``MemoryNetwork``; satisfies ``swim.net.transport.Transport``.

    Attributes:
        send_error: raised by every ``send`` while set.
    """

    def __init__(self, network: MemoryNetwork, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.send_error: OSError | None = None
        self.sent = 0
        self._network = network
        self._order = itertools.count()
        self._inbox: list[tuple[float, int, bytes, Endpoint]] = []
        self._arrived = trio.Event()
        self._knock, self._door = trio.open_memory_channel[tuple[trio.StapledStream, Endpoint]](_BACKLOG)

    def receive(self) -> tuple[bytes, Endpoint]:
        if not self._inbox or self._inbox[0][0] > trio.current_time():
            raise BlockingIOError
        _, _, data, source = heapq.heappop(self._inbox)
        return data, source

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent += 1
        target = self._network.bound.get(endpoint)
        if target is not None and self._network.random.random() >= self._network.loss:
            target.deliver(trio.current_time() + self._network.latency, data, self.endpoint)

    def deliver(self, due: float, data: bytes, source: Endpoint) -> None:
        if len(self._inbox) < _INBOX_PACKETS:
            heapq.heappush(self._inbox, (due, next(self._order), data, source))
            self._arrived.set()

    async def readable(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self._inbox or self._inbox[0][0] > trio.current_time():
            self._arrived = trio.Event()
            with trio.move_on_at(self._inbox[0][0] if self._inbox else math.inf):
                await self._arrived.wait()

    async def accept(self) -> tuple[trio.StapledStream, Endpoint]:
        return await self._door.receive()

    async def connect(self, endpoint: Endpoint) -> trio.StapledStream:
        await trio.sleep(2 * self._network.latency)
        target = self._network.bound.get(endpoint)
        if target is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        near, far = trio.testing.memory_stream_pair()
        try:
            target._knock.send_nowait((far, (self.endpoint[0], next(self._network.ephemeral))))
        except trio.WouldBlock:
            await trio.sleep_forever()
        return near

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        self._network.lookups.append(host)
        await trio.sleep(self._network.latency)
        if host not in self._network.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return tuple((address, port) for address in self._network.names[host])

    def close(self) -> None:
        self._network.bound.pop(self.endpoint, None)
        self._knock.close()
        self._door.close()
