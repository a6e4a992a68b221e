"""Accepts connections, within the limits for each client and in all."""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from collections.abc import Iterable

import trio

from swim.ipc.connection import Connection
from swim.ipc.service import Service
from swim.listening import connections_within

__all__ = ["accept_connections"]

_RETRY_SECONDS = 0.25
_QUIET_SECONDS = 60.0
_SHARE_OF_DESCRIPTORS = 8
_log = logging.getLogger("swim.ipc")


@trio.lowlevel.enable_ki_protection
async def accept_connections(service: Service, listener: trio.SocketListener) -> None:
    """Serves the connections of a listener until cancelled; they end with it."""
    async with trio.open_nursery() as nursery:
        await _Listener(service, listener).run(nursery)


class _Listener:
    def __init__(self, service: Service, listener: trio.SocketListener) -> None:
        self._service = service
        self._listener = listener
        # In order of arrival: the first that waits for a request is the first to be closed.
        self._open: dict[Connection, None] = {}
        self._by_client: Counter[str] = Counter()
        self._warned_at = float("-inf")

    async def run(self, nursery: trio.Nursery) -> None:
        while True:
            try:
                stream = await self._listener.accept()
            except OSError as error:
                await self._pause(error)
                continue
            client = _client(stream)
            if not self._has_room(client):
                self._service.metrics.dropped("ipc-connections")
                await trio.aclose_forcefully(stream)
                continue
            # A client on another host may vanish without a word.
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection = Connection(self._service, stream, client)
            self._open[connection] = None
            self._by_client[client] += 1
            nursery.start_soon(self._serve, connection, stream)

    @trio.lowlevel.enable_ki_protection
    async def _serve(self, connection: Connection, stream: trio.SocketStream) -> None:
        """Runs one connection; an error in it ends only this connection."""
        try:
            await connection.run()
        except* Exception as group:
            self._service.metrics.dropped("ipc-internal-error")
            _log.error("a request failed; its connection was closed", exc_info=group)
        finally:
            self._forget(connection)
            await trio.aclose_forcefully(stream)

    def _has_room(self, client: str) -> bool:
        """Whether one more connection is within the limits; closes one that waits if that helps."""
        settings = self._service.settings
        most = settings.max_conns_per_client
        own = (one for one in self._open if one.client == client)
        if most and self._by_client[client] >= most and not self._close_waiting(own):
            return False
        most = connections_within(settings.max_conns, share=_SHARE_OF_DESCRIPTORS)
        return len(self._open) < most or self._close_waiting(self._open)

    def _close_waiting(self, connections: Iterable[Connection]) -> bool:
        for connection in connections:
            if not connection.is_busy:
                self._service.metrics.dropped("ipc-made-room")
                self._forget(connection)
                connection.scope.cancel()
                return True
        return False

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            del self._open[connection]
            self._by_client[connection.client] -= 1
            if not self._by_client[connection.client]:
                del self._by_client[connection.client]

    async def _pause(self, error: OSError) -> None:
        """Waits until accepting may work again."""
        if error.errno == errno.ECONNABORTED:
            return
        now = trio.current_time()
        if now - self._warned_at >= _QUIET_SECONDS:
            self._warned_at = now
            _log.warning("cannot accept RPC connections: %s; trying again", error.strerror or error)
        self._close_waiting(self._open)
        await trio.sleep(_RETRY_SECONDS)


def _client(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:  # gone already
        return ""
