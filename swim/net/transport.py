"""What the driver needs of a network, and the real one: a UDP socket and a TCP listener on one port."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol, Self

import trio

from swim.addresses import Endpoint, split_bind, version_of
from swim.errors import NO_DESCRIPTORS, ConfigError
from swim.net.faults import FaultyPackets, LinkFaults
from swim.net.lookup import look_up
from swim.net.packets import Packets, SocketPackets, without_zone
from swim.net.sockets import bind_pair

__all__ = ["FaultyTransport", "SocketTransport", "Transport", "running"]

_LOOKUP_SECONDS = 10.0


class Transport(Packets, Protocol):
    """Packets and streams between endpoints.

    Streams are trio's half-closeable byte streams. Failures raise ``OSError`` (with its errno), on a stream
    trio's ``BrokenResourceError`` caused by one.
    """

    async def readable(self) -> None:
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

    async def readable(self) -> None:
        """Waits until a packet is there."""
        await trio.lowlevel.wait_readable(self._packets)

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

    async def readable(self) -> None:
        """Waits until a packet is there (a fault may still stop it)."""
        await self._inner.readable()

    async def accept(self) -> tuple[trio.abc.HalfCloseableStream, Endpoint]:
        """Waits for an inbound stream while not paused."""
        await running(self._faults)
        stream, source = await self._inner.accept()
        await running(self._faults)
        if self._faults.tap is not None:
            stream = self._faults.tap.accepted(source, stream)
        return stream, source

    async def connect(self, endpoint: Endpoint) -> trio.abc.HalfCloseableStream:
        """Opens a stream; to a blocked endpoint it waits for ever, as if every SYN was lost."""
        tap = self._faults.tap
        if tap is not None:
            return await tap.dialled(endpoint, self._connect)
        return await self._connect(endpoint)

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


async def running(faults: LinkFaults) -> None:
    """Waits until faults do not pause the node; a checkpoint only if they did."""
    while faults.paused:
        resumed = trio.Event()
        faults.when_resumed(resumed.set)
        await resumed.wait()
