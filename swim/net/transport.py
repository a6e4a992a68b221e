"""What the driver needs of a network, and the real one: a UDP socket and a TCP listener on one port."""

from __future__ import annotations

import socket
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, Self

import trio

from swim.addresses import Endpoint, split_bind, version_of
from swim.core.output import StreamEnd
from swim.errors import NO_DESCRIPTORS, ConfigError
from swim.net.faults import FaultyPackets, LinkFaults
from swim.net.lookup import look_up
from swim.net.packets import Packets, SocketPackets, without_zone
from swim.net.sockets import bind_pair
from swim.net.stream_rules import why_ended
from swim.net.taps import StreamTap

__all__ = ["FaultyTransport", "SocketTransport", "Transport", "running"]

_LOOKUP_SECONDS = 10.0


class Transport(Packets, Protocol):
    """Packets and streams between endpoints.

    Streams are trio's half-closeable byte streams. Failures raise ``OSError`` (with its errno), on a stream
    trio's ``BrokenResourceError`` caused by one.
    """

    def readable(self) -> Coroutine[Any, Any, None]:
        """Waits until ``receive`` has something; always a checkpoint."""
        ...

    async def accept(self) -> tuple[trio.abc.HalfCloseableStream, Endpoint]:
        """Waits for an inbound stream; returns it with the peer's (ephemeral) endpoint."""
        ...

    async def connect(self, endpoint: Endpoint) -> trio.abc.HalfCloseableStream:
        """Opens a stream; ``OSError`` if that fails."""
        ...

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a name, both families, the preferred first; ``OSError`` if there is none."""
        ...

    def close(self) -> None:
        """Releases the port at once; may be called twice."""
        ...


class SocketTransport(SocketPackets):
    """UDP and TCP on the same address and port."""

    def __init__(self, packets: socket.socket, listener: socket.socket) -> None:
        super().__init__(packets)
        self._listener = trio.socket.from_stdlib_socket(listener)

    @classmethod
    async def bind(cls, bind: str) -> Self:
        """Binds ``Config.bind``; the host may be a name (IPv4 preferred).

        Raises:
            ConfigError: field ``bind``: port in use, address not of this machine, unknown name.
        """
        host, ports = split_bind("bind", bind)
        try:
            with trio.fail_after(_LOOKUP_SECONDS):
                found = await look_up(host, ports[0])
        except (OSError, trio.TooSlowError) as error:
            if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
                raise
            reason = "no answer" if isinstance(error, trio.TooSlowError) else error.strerror or str(error)
            raise ConfigError("bind", f"cannot resolve {host}: {reason}") from None
        address = min((endpoint[0] for endpoint in found), key=version_of)
        return cls(*bind_pair(address, ports, host))

    def readable(self) -> Coroutine[Any, Any, None]:
        """Waits until a packet is there."""
        return trio.lowlevel.wait_readable(self._packets)  # noqa: ASYNC105 (the caller awaits it)

    async def accept(self) -> tuple[trio.SocketStream, Endpoint]:
        """Waits for an inbound connection."""
        accepted, source = await self._listener.accept()
        return trio.SocketStream(accepted), without_zone(source)

    async def connect(self, endpoint: Endpoint) -> trio.SocketStream:
        """Opens a connection from the bound address, in its family."""
        connection = trio.socket.from_stdlib_socket(self.stream_to(endpoint))
        try:
            await connection.connect(endpoint)
        except BaseException:
            connection.close()
            raise
        return trio.SocketStream(connection)

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address the system's resolver gives for a name, in its order."""
        return await look_up(host, port)

    def close(self) -> None:
        """Closes both sockets."""
        self._listener.close()
        self._packets.close()


class FaultyTransport(FaultyPackets):
    """A transport with faults applied."""

    def __init__(self, inner: Transport, faults: LinkFaults) -> None:
        super().__init__(inner, faults)
        self._inner = inner

    def readable(self) -> Coroutine[Any, Any, None]:
        """Waits until a packet is there (a fault may still stop it)."""
        return self._inner.readable()

    async def accept(self) -> tuple[trio.abc.HalfCloseableStream, Endpoint]:
        """Waits for an inbound stream while not paused."""
        await running(self._faults)
        stream, source = await self._inner.accept()
        await running(self._faults)
        if self._faults.tap is not None:
            return _TappedStream(stream, self._faults.tap.accepted(source)), source
        return stream, source

    async def connect(self, endpoint: Endpoint) -> trio.abc.HalfCloseableStream:
        """Opens a stream; to a blocked endpoint it waits for ever, as if every SYN was lost."""
        if self._faults.tap is None:
            return await self._connect(endpoint)
        tap, deadline = self._faults.tap.dialled(endpoint), trio.current_effective_deadline()
        try:
            stream = await self._connect(endpoint)
        except OSError as error:
            tap.failed(why_ended(error)[0])
            raise
        except trio.Cancelled:
            tap.failed(StreamEnd.TIMEOUT if trio.current_time() >= deadline else None)
            raise
        tap.connected(stream.socket.getsockname()[:2] if isinstance(stream, trio.SocketStream) else None)
        return _TappedStream(stream, tap)

    async def _connect(self, endpoint: Endpoint) -> trio.abc.HalfCloseableStream:
        if endpoint in self._faults.blocked:
            await trio.sleep_forever()
        return await self._inner.connect(endpoint)

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Resolves a name; faults don't affect the resolver."""
        return await self._inner.resolve(host, port)

    def close(self) -> None:
        """Closes the underlying transport."""
        self._inner.close()


class _TappedStream(trio.abc.HalfCloseableStream):
    """A stream that reports what passes through it."""

    def __init__(self, inner: trio.abc.HalfCloseableStream, tap: StreamTap) -> None:
        self._inner = inner
        self._tap = tap

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of ``data``."""
        self._tap.sending(bytes(data))
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits until it can send."""
        await self._inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Closes the sending half."""
        await self._inner.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receives what is there."""
        data = await self._inner.receive_some(max_bytes)
        if data:
            self._tap.received(bytes(data))
        return data

    async def aclose(self) -> None:
        """Closes both halves."""
        self._tap.closed()
        await self._inner.aclose()


async def running(faults: LinkFaults) -> None:
    """Waits until faults do not pause the node; a checkpoint only if they did."""
    while faults.paused:
        resumed = trio.Event()
        faults.when_resumed(resumed.set)
        await resumed.wait()
