"""The packets of a node, by UDP on its bound address and port. Nothing here waits."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from typing import Any, Protocol

from swim.addresses import Endpoint

__all__ = ["Packets", "SocketPackets", "without_zone"]

_BIND_WITHOUT_PORT = 24 if sys.platform == "linux" else None
"""IP_BIND_ADDRESS_NO_PORT: the port is chosen when the peer is known, so that many peers can share one."""
_LARGEST_PACKET_BYTES = 65_536


class Packets(Protocol):
    """The packets of a bound network. No call waits."""

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


class SocketPackets:
    """The packets of one UDP socket, and new sockets for the streams of its node."""

    def __init__(self, packets: socket.socket) -> None:
        self._packets = packets
        self._is_ipv6 = packets.family == socket.AF_INET6
        self._endpoint: Endpoint = packets.getsockname()[:2]
        is_wildcard = ipaddress.ip_address(self._endpoint[0]).is_unspecified
        self._source = None if is_wildcard else (self._endpoint[0], 0)
        self._buffer = bytearray(_LARGEST_PACKET_BYTES)
        self._view = memoryview(self._buffer)

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""
        return self._endpoint

    def receive(self) -> tuple[bytes, Endpoint]:
        """One waiting packet and its source."""
        size, source = self._packets.recvfrom_into(self._buffer)
        if self._is_ipv6:
            return bytes(self._view[:size]), without_zone(source)
        return bytes(self._view[:size]), source

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        """Sends one packet from the bound port."""
        self._packets.sendto(data, endpoint)

    def stream_to(self, endpoint: Endpoint) -> socket.socket:
        """A non-blocking socket to connect to ``endpoint``, from an ephemeral port of the bound address.

        A node bound to loopback, or to one network, sends nothing on another.

        Raises:
            OSError: ``endpoint`` is of the other family, or the system refuses.
        """
        if (":" in endpoint[0]) != self._is_ipv6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        sock = socket.socket(self._packets.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if self._source is not None:
                if _BIND_WITHOUT_PORT is not None:
                    sock.setsockopt(socket.IPPROTO_IP, _BIND_WITHOUT_PORT, 1)
                sock.bind(self._source)
        except BaseException:
            sock.close()
            raise
        return sock


def without_zone(address: tuple[Any, ...]) -> Endpoint:
    """A peer's address as the system gives it, as an endpoint."""
    return address[0].partition("%")[0], address[1]
