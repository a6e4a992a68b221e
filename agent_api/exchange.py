"""One GET to another agent, on a connection of its own, on trio and asyncio.

It is HTTP/1.0: an answer is never chunked, and ends with the connection.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from typing import Self

import anyio
from anyio.abc import ByteStream

from swim.addresses import Endpoint, join_host_port

__all__ = ["Exchange", "Headers"]

Headers = Sequence[tuple[bytes, bytes]]
_RECEIVE_BYTES = 65_536
_HEAD_BYTES_MAX = 65_536
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})( [^\r\n]*)?\r\n")
_LENGTH_DIGITS_MAX = 18


class Exchange:
    """The answer of another agent, whose head was received. Close it with ``aclosing``.

    Attributes:
        status: of the answer.
        kind: its content type, without parameters; "" for none.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.status: int = 0
        self.kind: str = ""
        self._stream = stream
        self._waiting = b""
        self._left: int | None = None

    @classmethod
    async def begin(
        cls,
        endpoint: Endpoint,
        target: bytes,
        headers: Headers = (),
        tls: ssl.SSLContext | None = None,
        tls_name: str = "",
    ) -> Self:
        """Connects, sends a GET and receives the head of the answer.

        Raises:
            OSError: no connection, or it broke.
            ValueError: what answers speaks no HTTP.
        """
        host, port = endpoint
        stream: ByteStream
        if tls is None:
            stream = await anyio.connect_tcp(host, port)
        else:
            # Many servers close without the end of TLS; a length shows whether the answer is whole.
            stream = await anyio.connect_tcp(
                host, port, ssl_context=tls, tls_hostname=tls_name or host, tls_standard_compatible=False
            )
        exchange = cls(stream)
        try:
            lines = [b"GET %s HTTP/1.0" % target, b"Host: %s" % join_host_port(host, port).encode()]
            lines += [b"%s: %s" % header for header in headers]
            await stream.send(b"\r\n".join([*lines, b"", b""]))
            await exchange._receive_head()
        except BaseException:
            await exchange.aclose()
            raise
        return exchange

    async def receive(self) -> bytes:
        """The next part of the body; empty at its end.

        Raises:
            OSError: the connection broke.
            ValueError: the body is shorter than announced.
        """
        if self._left == 0:
            return b""
        part = self._waiting or await self._more()
        self._waiting = b""
        if self._left is not None:
            part = part[: self._left]
            self._left -= len(part)
            if not part:
                raise ValueError("its answer ends too early")
        return part

    async def body(self, at_most: int) -> bytes:
        """The rest of the body.

        Raises:
            OSError: as ``receive``.
            ValueError: likewise, or it has more bytes than that.
        """
        body = bytearray()
        while part := await self.receive():
            body += part
            if len(body) > at_most:
                raise ValueError(f"it answers more than {at_most} bytes")
        return bytes(body)

    async def aclose(self) -> None:
        """Closes the connection at once."""
        await anyio.aclose_forcefully(self._stream)

    async def _receive_head(self) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            part = await self._more()
            received += part
            if not part or len(received) > _HEAD_BYTES_MAX:
                raise ValueError("it does not speak HTTP")
        head, _, self._waiting = received.partition(b"\r\n\r\n")
        found = _STATUS.match(head + b"\r\n")
        if found is None:
            raise ValueError("it does not speak HTTP")
        self.status = int(found[1])
        pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
        length = headers.get(b"content-length", b"")
        if length.isdigit() and len(length) <= _LENGTH_DIGITS_MAX:
            self._left = int(length)

    async def _more(self) -> bytes:
        try:
            return await self._stream.receive(_RECEIVE_BYTES)
        except anyio.EndOfStream:
            return b""
        except anyio.BrokenResourceError as error:
            raise OSError(str(error.__cause__ or "the connection broke")) from None
