"""One connection of a client: its requests in order, one at a time, and the records of its streams."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import trio

from swim import SwimError
from swim.errors import RemoteError
from swim.ipc.answer import NO_BODY, Answer
from swim.ipc.records import ZERO_BODIES
from swim.ipc.requests import BODIES, COMMANDS, Fields, body_of, header_of
from swim.ipc.service import Service
from swim.ipc.streams import Streams
from swim.ipc.wire import ObjectReader, encode
from swim.text import shown

__all__ = ["Connection"]

_VERSION = 1
_RECEIVE_BYTES = 16 * 1024
_log = logging.getLogger("swim.ipc")


class Connection:
    """Serves one client.

    Args:
        service: what all connections share.
        stream: its bytes; the caller closes it.
        client: the client's IP address, or "" if it has none.

    Attributes:
        client: as given.
        scope: cancelling it ends the connection.
    """

    def __init__(self, service: Service, stream: trio.abc.Stream, client: str) -> None:
        settings = service.settings
        self.client = client
        self.scope = trio.CancelScope()
        self._service = service
        self._stream = stream
        self._reader = ObjectReader(
            max_bytes=settings.max_request_bytes, max_items=settings.max_request_items
        )
        # Without a buffer: a sender waits until all before it was written.
        self._outgoing, self._to_write = trio.open_memory_channel[bytes](0)
        self._is_shaken = False
        self._is_authenticated = not settings.rpc_auth
        self._is_waiting = True
        self._streams: Streams | None = None

    @property
    def is_busy(self) -> bool:
        """Whether it answers a request or sends records, rather than waiting for the rest of a request."""
        return not self._is_waiting or (self._streams is not None and self._streams.are_open)

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Serves until the client is gone or misbehaves, or the scope is cancelled."""
        with self.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                self._streams = Streams(self._service, nursery, self._send)
                try:
                    await self._serve(self._streams)
                except RemoteError as error:
                    self._drop(error.reason)
                    await self._send()  # the answers to the requests before it
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
                nursery.cancel_scope.cancel()

    async def _serve(self, streams: Streams) -> None:
        """Answers requests until the client sends no more, or an answer ends the connection."""
        until = trio.current_time() + self._service.settings.handshake_timeout
        while await self._begins(float("inf") if self._is_shaken else until):
            if not await self._handle(streams):
                break
            self._is_waiting = True
        await self._send()

    async def _begins(self, until: float) -> bool:
        """Waits for the first byte of a request; False if there is none."""
        with _limit(until):
            return bool(self._reader) or await self._receive()

    async def _handle(self, streams: Streams) -> bool:
        """Reads and answers one request; whether the connection goes on."""
        with _limit(trio.current_time() + self._service.settings.request_timeout):
            command, seq = header_of(await self._object())
            if not self._is_shaken and command != "handshake":
                return await self._refuse(seq, "Handshake required")
            if self._is_authenticated and command not in COMMANDS:
                return await self._refuse(seq, "Unsupported command")
            body = body_of(command, await self._object()) if command in BODIES else {}
        self._is_waiting = False
        if not self._is_authenticated and command not in ("handshake", "auth"):
            await self._refuse(seq, "Authentication required")
            return True
        try:
            answer = await self._answer(streams, command, seq, body)
        except SwimError as error:
            answer = Answer(str(error), ZERO_BODIES.get(command, NO_BODY))
        await self._send(
            {"Seq": seq, "Error": answer.error}, *(() if answer.body is NO_BODY else (answer.body,))
        )
        if answer.after is not None:
            answer.after()
        if command == "leave":
            await self._send()
            self._service.on_leave()
        return True

    async def _answer(self, streams: Streams, command: str, seq: int, body: Fields) -> Answer:
        if command == "handshake":
            return self._shake(body["Version"])
        if command == "auth":
            return self._authenticate(body["AuthKey"])
        of_connection: dict[str, Callable[[int, Fields], Awaitable[Answer]]] = {
            "stream": streams.stream,
            "monitor": streams.monitor,
            "stop": streams.stop,
            "query": streams.query,
            "respond": streams.respond,
        }
        if command in of_connection:
            return await of_connection[command](seq, body)
        return await self._service.commands.by_name[command](body)

    def _shake(self, version: int) -> Answer:
        if version != _VERSION:
            return Answer("Unsupported IPC version")
        if self._is_shaken:
            return Answer("Handshake already performed")
        self._is_shaken = True
        return Answer()

    def _authenticate(self, key: bytes) -> Answer:
        """A right key opens the connection; a wrong one later does not close it again."""
        if not hmac.compare_digest(key, self._service.settings.rpc_auth.encode()):
            self._drop("ipc-auth")
            return Answer("Invalid authentication token")
        self._is_authenticated = True
        return Answer()

    async def _refuse(self, seq: int, error: str) -> bool:
        """Sends an error without a body."""
        self._drop("ipc-refused")
        await self._send({"Seq": seq, "Error": error})
        return False

    def _drop(self, reason: str) -> None:
        self._service.metrics.dropped(reason)
        _log.debug("client %s: %s", shown(self.client), reason)

    async def _object(self) -> Any:
        while (found := self._reader.next()) is None:
            if not await self._receive():
                raise RemoteError("ipc-cut-short")
        return found[0]

    async def _receive(self) -> bool:
        data = await self._stream.receive_some(_RECEIVE_BYTES)
        self._reader.feed(data)
        return bool(data)

    async def _send(self, *objects: Any) -> None:
        """Sends the objects in one piece; without any, waits until all before were written."""
        await self._outgoing.send(encode(*objects))

    @trio.lowlevel.enable_ki_protection
    async def _write(self) -> None:
        """The only task that writes, so that ending a stream never cuts a record."""
        try:
            async for data in self._to_write:
                with trio.fail_after(self._service.settings.send_timeout):
                    await self._stream.send_all(data)
        except trio.TooSlowError:
            self._drop("ipc-stalled")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self.scope.cancel()


@contextmanager
def _limit(until: float) -> Iterator[None]:
    try:
        with trio.fail_at(until):
            yield
    except trio.TooSlowError:
        raise RemoteError("ipc-timeout") from None
