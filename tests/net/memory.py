"""An in-memory network for drivers: packets and streams with latency and loss, in virtual time.

The same objects serve drivers with tasks (``MemoryTransport``, trio streams) and loops without
(``MemoryPort`` and ``MemorySelector``, which look like sockets that do not block).
"""

from __future__ import annotations

import errno
import heapq
import itertools
import math
import os
import random
import selectors
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import trio

from swim.addresses import Endpoint

_INBOX_PACKETS = 4096
_BACKLOG = 128


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Watched:
    """Something that a ``MemorySelector`` can wait for."""

    selector: MemorySelector | None = None

    def ready_at(self, events: int) -> float:
        """From when on it is ready; never: ``inf``."""
        raise NotImplementedError

    def touched(self) -> None:
        """Call this after every change."""
        if self.selector is not None:
            self.selector.touched(self)


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
            raise os_error(errno.EADDRINUSE)
        transport = self.bound[endpoint] = MemoryTransport(self, endpoint)
        return transport

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        self.lookups.append(host)
        await trio.sleep(self.latency)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return tuple((address, port) for address in self.names[host])


class MemoryStream(trio.abc.HalfCloseableStream, Watched):
    """One end of a stream: for tasks a trio stream, for loops a socket that does not block."""

    def __init__(self, host: str = "") -> None:
        self.peer: MemoryStream | None = None
        self._host = host
        self._inbox = bytearray()
        self._is_ended = self._is_closed = self._is_broken = False
        self._arrived = trio.Event()
        self._connects_at = math.inf
        self._connect: Callable[[], int] | None = None

    # -- as a socket

    def recv(self, size: int) -> bytes:
        if self._inbox:
            data = bytes(self._inbox[:size])
            del self._inbox[:size]
            return data
        if self._is_ended or self._is_closed:
            return b""
        raise BlockingIOError

    def send(self, data: bytes | bytearray | memoryview) -> int:
        if self.peer is None or self._is_broken:
            raise os_error(errno.EPIPE)
        if self.peer._is_closed:
            self._is_broken = True  # the peer's reset comes back later
        else:
            self.peer._inbox += data
            self.peer._notify()
        return len(data)

    def shutdown(self, how: int) -> None:
        assert how == socket.SHUT_WR
        if self.peer is not None:
            self.peer._is_ended = True
            self.peer._notify()

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self.shutdown(socket.SHUT_WR)

    def connect_at(self, when: float, connect: Callable[[], int]) -> None:
        """``connect`` is called once that time has come; it gives 0 or the number of an error."""
        self._connects_at, self._connect = when, connect

    def connect_ex(self, endpoint: Endpoint) -> int:
        return errno.EINPROGRESS

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        assert self._connect is not None
        return self._connect()

    def getsockname(self) -> Endpoint:
        return self._host, 40_000

    def ready_at(self, events: int) -> float:
        if self._connect is not None and self.peer is None:
            return self._connects_at if events & selectors.EVENT_WRITE else math.inf
        if events & selectors.EVENT_WRITE or self._inbox or self._is_ended:
            return -math.inf
        return math.inf

    def events_at(self, events: int) -> int:
        """Which of the events are ready."""
        is_readable = self._inbox or self._is_ended
        return events & (selectors.EVENT_WRITE | (selectors.EVENT_READ if is_readable else 0))

    def _notify(self) -> None:
        self._arrived.set()
        self._arrived = trio.Event()
        self.touched()

    # -- as a stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        try:
            self.send(data)
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self.shutdown(socket.SHUT_WR)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return self.recv(max_bytes or 65_536)
            except BlockingIOError:
                await self._arrived.wait()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()


class Listener(Watched):
    """Streams that wait to be accepted."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[MemoryStream, Endpoint]] = deque()
        self._arrived = trio.Event()

    def ready_at(self, events: int) -> float:
        return -math.inf if self.waiting else math.inf

    def knock(self, stream: MemoryStream, source: Endpoint) -> bool:
        """False if too many wait."""
        if len(self.waiting) >= _BACKLOG:
            return False
        self.waiting.append((stream, source))
        self._arrived.set()
        self.touched()
        return True

    async def accept(self) -> tuple[MemoryStream, Endpoint]:
        await trio.lowlevel.checkpoint()
        while not self.waiting:
            self._arrived = trio.Event()
            await self._arrived.wait()
        return self.waiting.popleft()


class MemoryTransport(Watched):
    """One endpoint of a ``MemoryNetwork``; satisfies ``swim.net.transport.Transport``.

    Attributes:
        send_error: raised by every ``send`` while set.
        accept_errors: raised by ``accept``, one at a time, before it accepts.
        refused_at: when each of these was raised.
    """

    def __init__(self, network: MemoryNetwork, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.send_error: OSError | None = None
        self.accept_errors: list[OSError] = []
        self.refused_at: list[float] = []
        self.sent = 0
        self.network = network
        self.listener = Listener()
        self._order = itertools.count()
        self._inbox: list[tuple[float, int, bytes, Endpoint]] = []
        self._arrived = trio.Event()

    def ready_at(self, events: int) -> float:
        return self._inbox[0][0] if self._inbox else math.inf

    def receive(self) -> tuple[bytes, Endpoint]:
        if not self._inbox or self._inbox[0][0] > trio.current_time():
            raise BlockingIOError
        _, _, data, source = heapq.heappop(self._inbox)
        return data, source

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent += 1
        target = self.network.bound.get(endpoint)
        if target is not None and self.network.random.random() >= self.network.loss:
            target.deliver(trio.current_time() + self.network.latency, data, self.endpoint)

    def deliver(self, due: float, data: bytes, source: Endpoint) -> None:
        if len(self._inbox) < _INBOX_PACKETS:
            heapq.heappush(self._inbox, (due, next(self._order), data, source))
            self._arrived.set()
            self.touched()

    async def readable(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self._inbox or self._inbox[0][0] > trio.current_time():
            self._arrived = trio.Event()
            with trio.move_on_at(self._inbox[0][0] if self._inbox else math.inf):
                await self._arrived.wait()

    def refuse(self) -> None:
        """Raises the next of ``accept_errors``, if there is one."""
        if self.accept_errors:
            self.refused_at.append(trio.current_time())
            raise self.accept_errors.pop(0)

    async def accept(self) -> tuple[MemoryStream, Endpoint]:
        self.refuse()
        return await self.listener.accept()

    async def connect(self, endpoint: Endpoint) -> MemoryStream:
        await trio.sleep(2 * self.network.latency)
        stream = MemoryStream(self.endpoint[0])
        number = self.meet(stream, endpoint)
        if number == errno.EAGAIN:
            await trio.sleep_forever()
        if number:
            raise os_error(number)
        return stream

    def meet(self, stream: MemoryStream, endpoint: Endpoint) -> int:
        """Connects a stream, or gives the number of an error: ``EAGAIN`` if no answer comes."""
        target = self.network.bound.get(endpoint)
        if target is None:
            return errno.ECONNREFUSED
        far = MemoryStream(endpoint[0])
        if not target.listener.knock(far, (self.endpoint[0], next(self.network.ephemeral))):
            return errno.EAGAIN
        stream.peer, far.peer = far, stream
        return 0

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        return await self.network.resolve(host, port)

    def close(self) -> None:
        self.network.bound.pop(self.endpoint, None)
        while self.listener.waiting:
            self.listener.waiting.popleft()[0].close()


class MemoryPort:
    """The same endpoint for a loop; satisfies ``swim.net.isolated.network.Network``."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self.packets: Any = transport
        self.listener: Any = transport.listener
        self.receive = transport.receive
        self.close = transport.close

    @property
    def endpoint(self) -> Endpoint:
        return self._transport.endpoint

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        self._transport.send(endpoint, data)

    def accept(self) -> tuple[Any, Endpoint]:
        if not self.listener.waiting:
            raise BlockingIOError
        self._transport.refuse()
        return self.listener.waiting.popleft()  # type: ignore[no-any-return]

    def stream_to(self, endpoint: Endpoint) -> Any:
        transport = self._transport
        stream = MemoryStream(transport.endpoint[0])
        connects_at = trio.current_time() + 2 * transport.network.latency
        stream.connect_at(connects_at, lambda: transport.meet(stream, endpoint))
        return stream


class MemorySelector(selectors.BaseSelector):
    """Waits for objects of a ``MemoryNetwork`` in virtual time, as a task; ``select`` never waits."""

    def __init__(self) -> None:
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self._candidates: dict[Any, None] = {}
        self.changed = trio.Event()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        assert fileobj not in self._keys
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        fileobj.selector = self
        self.touched(fileobj)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        fileobj.selector = None
        self._candidates.pop(fileobj, None)
        return self._keys.pop(fileobj)

    def touched(self, fileobj: Any) -> None:
        """Something may be ready now."""
        self._candidates[fileobj] = None
        self.changed.set()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        now, ready = trio.current_time(), []
        for fileobj in list(self._candidates):
            key = self._keys[fileobj]
            due = fileobj.ready_at(key.events)
            if due <= now:
                at = fileobj.events_at(key.events) if isinstance(fileobj, MemoryStream) else key.events
                ready.append((key, at))
            elif due == math.inf:
                del self._candidates[fileobj]
        return ready

    async def wait(self, until: float) -> None:
        """Waits until something is ready, but not longer than that."""
        await trio.lowlevel.checkpoint()
        while trio.current_time() < until and not self.select():
            soonest = min(
                (one.ready_at(self._keys[one].events) for one in self._candidates), default=math.inf
            )
            self.changed = trio.Event()
            with trio.move_on_at(min(until, soonest)):
                await self.changed.wait()
                return  # the loop may have to wait for another time now

    def close(self) -> None:
        self._keys.clear()
        self._candidates.clear()

    def get_map(self) -> Any:
        return self._keys
