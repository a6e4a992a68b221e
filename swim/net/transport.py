"""What the driver needs of a network, and the real one: a UDP socket and a TCP listener on one port."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, Protocol, Self

import trio

from swim.addresses import Endpoint, split_bind, version_of
from swim.errors import NO_DESCRIPTORS, ConfigError
from swim.net.lookup import look_up
from swim.net.sockets import bind_pair

__all__ = ["SocketTransport", "Transport"]

_LOOKUP_SECONDS = 10.0
_BIND_WITHOUT_PORT = 24 if sys.platform == "linux" else None
"""IP_BIND_ADDRESS_NO_PORT: the port is chosen when the peer is known, so that many peers can share one."""
_LARGEST_PACKET_BYTES = 65_536


class Transport(Protocol):
    """Packets and streams between endpoints. ``send`` and ``receive`` never wait.

    Streams are trio's half-closeable byte streams. Failures raise ``OSError`` (with its errno), on a stream
    trio's ``BrokenResourceError`` caused by one.
    """

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port; peers see it as the source of our packets."""
        ...

    def receive(self) -> tuple[bytes, Endpoint]:
        """One waiting packet and its source; ``BlockingIOError`` if there is none."""
        ...

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        """Sends one packet; ``BlockingIOError`` when buffers are full, another ``OSError`` if it can't go."""
        ...

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


class SocketTransport:
    """UDP and TCP on the same address and port."""

    def __init__(self, packets: socket.socket, listener: socket.socket) -> None:
        self._packets = packets
        self._listener = trio.socket.from_stdlib_socket(listener)
        self._is_ipv6 = packets.family == socket.AF_INET6
        self._endpoint: Endpoint = packets.getsockname()[:2]
        is_wildcard = ipaddress.ip_address(self._endpoint[0]).is_unspecified
        self._source = None if is_wildcard else (self._endpoint[0], 0)
        self._buffer = bytearray(_LARGEST_PACKET_BYTES)
        self._view = memoryview(self._buffer)

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

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""
        return self._endpoint

    def receive(self) -> tuple[bytes, Endpoint]:
        """One waiting packet and its source."""
        size, source = self._packets.recvfrom_into(self._buffer)
        if self._is_ipv6:
            return bytes(self._view[:size]), _without_zone(source)
        return bytes(self._view[:size]), source

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        """Sends one packet from the bound port."""
        self._packets.sendto(data, endpoint)

    async def readable(self) -> None:
        """Waits until a packet is there."""
        await trio.lowlevel.wait_readable(self._packets)

    async def accept(self) -> tuple[trio.SocketStream, Endpoint]:
        """Waits for an inbound connection."""
        accepted, source = await self._listener.accept()
        return trio.SocketStream(accepted), _without_zone(source)

    async def connect(self, endpoint: Endpoint) -> trio.SocketStream:
        """Opens a connection from an ephemeral port of the bound address, in its family.

        A node bound to loopback, or to one network, sends nothing on another.
        """
        if (":" in endpoint[0]) != self._is_ipv6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        sock = socket.socket(self._packets.family, socket.SOCK_STREAM)
        connection = trio.socket.from_stdlib_socket(sock)
        try:
            if self._source is not None:
                if _BIND_WITHOUT_PORT is not None:
                    sock.setsockopt(socket.IPPROTO_IP, _BIND_WITHOUT_PORT, 1)
                sock.bind(self._source)
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


def _without_zone(address: tuple[Any, ...]) -> Endpoint:
    return address[0].partition("%")[0], address[1]
