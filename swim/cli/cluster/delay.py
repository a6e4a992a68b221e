"""The sockets of a node whose packets take longer on purpose."""

from __future__ import annotations

import contextlib
import socket

import trio

from swim.addresses import Endpoint
from swim.net.transport import SocketTransport

__all__ = ["DelayedTransport"]

_FLYING = 4096
"""Packets of one node that may be under way; later ones are lost, as in a full queue."""


class DelayedTransport(SocketTransport):
    """Real sockets. Each packet leaves ``delay`` seconds late; a stream opens one round trip late.

    Attributes:
        delay: seconds one way; 0 costs nothing.
        nursery: of the packets under way, which are lost when it ends; set it before there is a delay.
    """

    def __init__(self, packets: socket.socket, listener: socket.socket) -> None:
        super().__init__(packets, listener)
        self.delay: float = 0.0
        self.nursery: trio.Nursery | None = None
        self._flying = 0

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        """Sends one packet, now or later."""
        if not self.delay:
            super().send(endpoint, data)
        elif self.nursery is not None and self._flying < _FLYING:
            self._flying += 1
            self.nursery.start_soon(self._send_late, endpoint, data, self.delay)

    async def connect(self, endpoint: Endpoint) -> trio.SocketStream:
        """Opens a connection, after the time that a handshake would take."""
        if self.delay:
            await trio.sleep(2 * self.delay)
        return await super().connect(endpoint)

    async def _send_late(self, endpoint: Endpoint, data: bytes, delay: float) -> None:
        await trio.sleep(delay)
        self._flying -= 1
        with contextlib.suppress(OSError):  # a full buffer or a closed socket: a lost packet
            super().send(endpoint, data)
