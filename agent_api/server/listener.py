"""Accepts connections: limits per client and in total, and what happens when descriptors run out."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import trio

from agent_api.server.connection import Connection, Service, is_encrypted
from agent_api.server.lifespan import Lifespan
from agent_api.server.wire import refusal
from swim.addresses import Endpoint
from swim.listening import connections_within

__all__ = ["Listeners"]

_RETRY_SECONDS = 0.25
_QUIET_SECONDS = 60.0
_LAST_WORDS_SECONDS = 1.0
_SHARE_OF_DESCRIPTORS = 4

_log = logging.getLogger("swim.http.server")


class Listeners:
    """Serves the connections of its listeners, which may be of any of trio's kinds."""

    def __init__(self, service: Service, listeners: Sequence[trio.abc.Listener[Any]]) -> None:
        self._service = service
        self._listeners = listeners
        # In order of arrival: the first that waits for a request is the first to be closed.
        self._open: dict[Connection, None] = {}
        self._by_client: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._said_at = float("-inf")
        self._is_paused = False
        self._stopping = trio.Event()

    async def run(self, started: Callable[[], None]) -> None:
        """Serves until cancelled; running requests then get ``stop_timeout`` seconds to end.

        Args:
            started: called once connections are accepted.

        Raises:
            RuntimeError: the application reports that it cannot start.
        """
        lifespan = Lifespan(self._service.app)
        self._service.state = lifespan.state
        async with trio.open_nursery() as cancelled_first:
            with trio.CancelScope(shield=True) as shield:
                async with trio.open_nursery() as longer_lived:
                    async with trio.open_nursery() as connections:
                        cancelled_first.start_soon(
                            self._accept_all, lifespan, longer_lived, connections, shield, started
                        )
                        await self._stopping.wait()
                    lifespan.stop()
        if lifespan.failure is not None:
            raise RuntimeError(f"the application did not start: {lifespan.failure}")

    async def _accept_all(
        self,
        lifespan: Lifespan,
        longer_lived: trio.Nursery,
        connections: trio.Nursery,
        shield: trio.CancelScope,
        started: Callable[[], None],
    ) -> None:
        """Accepts until cancelled, then gives tasks behind ``shield`` a moment to end."""
        try:
            await lifespan.start(longer_lived)
            if lifespan.failure is None:
                async with trio.open_nursery() as accepting:
                    for listener in self._listeners:
                        accepting.start_soon(self._accept, listener, connections)
                    started()
        finally:
            shield.deadline = trio.current_time() + self._service.limits.stop_timeout
            self._stopping.set()
            for connection in list(self._open):
                connection.stop()

    async def _accept(self, listener: trio.abc.Listener[Any], nursery: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError as error:
                await self._pause(error)
                continue
            if self._is_paused:
                self._is_paused = False
                _log.warning("accepting HTTP connections again")
            connection = Connection(self._service, stream, client=_peer(stream), server=_own(stream))
            if status := self._no_room(connection):
                await self._turn_away(stream, status)
            else:
                self._remember(connection)
                nursery.start_soon(self._serve, connection, stream)

    async def _serve(self, connection: Connection, stream: trio.abc.Stream) -> None:
        """Runs one connection; an error in it ends only this connection."""
        try:
            with connection.scope:
                await connection.run()
        except Exception as error:
            connection.report(error)
        except BaseExceptionGroup as group:
            mine, others = group.split(Exception)
            if mine is not None:
                connection.report(mine)
            if others is not None:
                raise others from None
        finally:
            self._forget(connection)
            await trio.aclose_forcefully(stream)

    async def _pause(self, error: OSError) -> None:
        """Waits until accepting may work again, and logs it at most once a minute."""
        self._service.metrics.count("swim.http.accept_errors")
        if error.errno == errno.ECONNABORTED:
            return
        now = trio.current_time()
        if now - self._said_at >= _QUIET_SECONDS:
            self._said_at = now
            self._is_paused = True
            _log.warning("cannot accept HTTP connections: %s; trying again", error.strerror or error)
        self._close_waiting(self._open)
        await trio.sleep(_RETRY_SECONDS)

    def _no_room(self, connection: Connection) -> int | None:
        """The status for a connection beyond the limits; None if there is room or another one was closed."""
        most = self._service.limits.max_conns_per_client
        if connection.client is not None and most:
            own = self._by_client.get(connection.client[0], {})
            if len(own) >= most and not self._close_waiting(own):
                return 429
        most = connections_within(self._service.limits.max_conns, share=_SHARE_OF_DESCRIPTORS)
        if len(self._open) >= most and not self._close_waiting(self._open):
            return 503
        return None

    def _close_waiting(self, connections: Iterable[Connection]) -> bool:
        """Closes the oldest of ``connections`` without a request in progress; whether there was one."""
        for connection in connections:
            if not connection.is_busy:
                self._service.metrics.dropped("http-made-room")
                self._forget(connection)
                connection.scope.cancel()
                return True
        return False

    async def _turn_away(self, stream: trio.abc.Stream, status: int) -> None:
        """Closes a connection; with TLS without an answer, which would take a handshake."""
        self._service.metrics.dropped("http-connections")
        if not is_encrypted(stream):
            with trio.move_on_after(_LAST_WORDS_SECONDS):
                with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await stream.send_all(refusal(status, self._service.headers))
        await trio.aclose_forcefully(stream)

    def _remember(self, connection: Connection) -> None:
        self._open[connection] = None
        if connection.client is not None:
            self._by_client[connection.client[0]][connection] = None
        self._service.metrics.gauge("swim.http.connections", len(self._open))

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection, None)
        if connection.client is not None and (own := self._by_client.get(connection.client[0])):
            own.pop(connection, None)
            if not own:
                del self._by_client[connection.client[0]]
        self._service.metrics.gauge("swim.http.connections", len(self._open))


def _peer(stream: trio.abc.Stream) -> Endpoint | None:
    return _address(stream, "getpeername")


def _own(stream: trio.abc.Stream) -> Endpoint | None:
    return _address(stream, "getsockname")


def _address(stream: trio.abc.Stream, method: str) -> Endpoint | None:
    """IP and port of one end of ``stream``, also through TLS; None for a stream that has none."""
    under: Any = getattr(stream, "transport_stream", stream)
    try:
        name = getattr(under.socket, method)()
    except (AttributeError, OSError):
        return None
    return name[:2] if isinstance(name, tuple) else None
