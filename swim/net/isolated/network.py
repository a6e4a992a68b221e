"""What a loop needs of a network, and the real one. No call waits."""

from __future__ import annotations

import socket
from typing import Protocol

from swim.addresses import Endpoint
from swim.net.packets import Packets, SocketPackets, without_zone

__all__ = ["Network", "SocketNetwork"]


class Network(Packets, Protocol):
    """Packets and streams between endpoints.

    Attributes:
        packets: what the loop's selector watches for packets.
        listener: what it watches for inbound streams.
    """

    packets: socket.socket
    listener: socket.socket

    def accept(self) -> tuple[socket.socket, Endpoint]:
        """An inbound stream, non-blocking, and the peer's endpoint; ``BlockingIOError`` if none waits."""
        ...

    def stream_to(self, endpoint: Endpoint) -> socket.socket:
        """A non-blocking socket to connect to ``endpoint``; ``OSError`` if that cannot work."""
        ...

    def close(self) -> None:
        """Releases the port at once; may be called twice."""
        ...


class SocketNetwork(SocketPackets):
    """UDP and TCP on the same address and port."""

    def __init__(self, packets: socket.socket, listener: socket.socket) -> None:
        super().__init__(packets)
        self.packets = packets
        self.listener = listener

    def accept(self) -> tuple[socket.socket, Endpoint]:
        """An inbound connection."""
        connection, source = self.listener.accept()
        connection.setblocking(False)
        return connection, without_zone(source)

    def close(self) -> None:
        """Closes both sockets."""
        self.listener.close()
        self.packets.close()
