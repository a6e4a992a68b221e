"""One request to one server, on a connection of its own: h11 on anyio, so on trio and asyncio."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Self

import anyio
import h11
from anyio.abc import ByteStream

from swim.addresses import Endpoint, join_host_port

__all__ = ["Exchange", "Headers"]

Headers = Sequence[tuple[bytes, bytes]]
_RECEIVE_BYTES = 65_536


class Exchange:
    """The answer of a server, whose head was received.

    Attributes:
        status: of the answer.
        kind: its content type, without parameters; "" for none.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self.status: int = 0
        self.kind: str = ""

    @classmethod
    async def begin(
        cls, endpoint: Endpoint, target: bytes, headers: Headers, tls: ssl.SSLContext | None, tls_name: str
    ) -> Self:
        """Connects, sends a GET and receives the head of the answer.

        Raises:
            OSError: no connection, or it broke.
            h11.RemoteProtocolError: what answers speaks no HTTP.
        """
        host, port = endpoint
        stream: ByteStream
        if tls is None:
            stream = await anyio.connect_tcp(host, port)
        else:
            stream = await anyio.connect_tcp(host, port, ssl_context=tls, tls_hostname=tls_name or host)
        exchange = cls(stream)
        try:
            await exchange._ask(target, [(b"Host", join_host_port(host, port).encode()), *headers])
        except BaseException:
            await exchange.aclose()
            raise
        return exchange

    async def receive(self) -> bytes:
        """The next part of the body; empty at its end. Raises as ``begin``."""
        event = await self._next()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    async def aclose(self) -> None:
        """Closes the connection at once."""
        await anyio.aclose_forcefully(self._stream)

    async def _ask(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        request = h11.Request(method=b"GET", target=target, headers=[*headers, (b"Connection", b"close")])
        head = self._http.send(request) or b""
        await self._stream.send(head + (self._http.send(h11.EndOfMessage()) or b""))
        event = await self._next()
        while isinstance(event, h11.InformationalResponse):
            event = await self._next()
        if not isinstance(event, h11.Response):
            raise h11.RemoteProtocolError("no response")
        self.status = event.status_code
        self.kind = next(
            (value.decode("latin-1") for name, value in event.headers if name == b"content-type"), ""
        ).partition(";")[0]

    async def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            try:
                received = await self._stream.receive(_RECEIVE_BYTES)
            except anyio.EndOfStream:
                received = b""
            except anyio.BrokenResourceError as error:
                raise OSError(str(error.__cause__ or "the connection broke")) from None
            self._http.receive_data(received)
        return event
