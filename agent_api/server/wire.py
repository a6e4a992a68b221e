"""HTTP/1.1 on a byte stream: h11's events in and out; every wait has a deadline."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time

import h11
import trio

from agent_api.limits import HttpLimits
from agent_api.request_id import REQUEST_ID, new_id

__all__ = ["ClientGone", "ClientSlow", "Headers", "Wire", "date", "refusal"]

Headers = Sequence[tuple[bytes, bytes]]

_log = logging.getLogger("swim.http.server")

_READ_BYTES = 16 * 1024
_SEND_BYTES = 64 * 1024
_EARLY_BYTES = 64 * 1024
_LINGER_BYTES = 256 * 1024
_LINGER_SECONDS = 1.0
_AT_REST = (h11.IDLE, h11.DONE, h11.MUST_CLOSE, h11.CLOSED)
_TOO_MANY_TEXT = "Your IP is issuing too many concurrent connections, please rate limit your calls\n"
"""Nomad's own text, from its connection limiter."""


class ClientGone(OSError):  # noqa: N818  a state, as an ASGI server reports it
    """The client closed the connection, was refused or does not read; it receives nothing more."""


class ClientSlow(ClientGone):
    """The client did not take what was sent in time."""


class Wire:
    """One connection's bytes.

    Attributes:
        h11: the state of both sides.
        at_eof: the client sends no more; it may still read.
        closing: this connection ends after the current answer.
        method: of the latest request.
    """

    __slots__ = ("_headers", "_limits", "_stream", "at_eof", "closing", "h11", "method")

    def __init__(self, stream: trio.abc.Stream, limits: HttpLimits, headers: Headers) -> None:
        self.h11: h11.Connection = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.max_head_bytes)
        self.at_eof: bool = False
        self.closing: bool = False
        self.method: bytes = b""
        self._stream = stream
        self._limits = limits
        self._headers = headers

    @property
    def early_bytes(self) -> int:
        """Bytes that arrived and were not parsed yet: of later requests, or of an unfinished head."""
        return len(self.h11.trailing_data[0])

    @property
    def is_flooded(self) -> bool:
        """Whether the client sent more in advance than is buffered."""
        return self.early_bytes > _EARLY_BYTES

    async def fill(self) -> None:
        """Waits for bytes, or for the end of the stream."""
        try:
            data = await self._stream.receive_some(_READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        self.at_eof = not data
        self.h11.receive_data(bytes(data))

    async def event(self) -> h11.Event | type[h11.PAUSED]:
        """The next event; waits for bytes as long as it takes.

        Raises:
            h11.RemoteProtocolError: the client does not speak HTTP/1.x.
        """
        while (event := self.parsed()) is None:
            await self.fill()
        return event

    def parsed(self) -> h11.Event | type[h11.PAUSED] | None:
        """The next event, if what it takes has arrived.

        Raises:
            h11.RemoteProtocolError: as of ``event``.
        """
        event = self.h11.next_event()
        if event is h11.NEED_DATA:
            return None
        if isinstance(event, h11.Request):
            self.method = event.method
        return event  # type: ignore[return-value]

    async def send(self, events: Sequence[h11.Event]) -> None:
        """Sends ``events`` encoded, in one piece if that is small.

        Raises:
            ClientGone: the client closed the connection.
            ClientSlow: it took less than 64 KiB within ``send_timeout``.
            h11.LocalProtocolError: this is not a valid HTTP answer.
        """
        await self._send_all(b"".join([self.h11.send(event) or b"" for event in events]))

    async def _send_all(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            for start in range(0, len(data), _SEND_BYTES):
                with trio.fail_after(self._limits.send_timeout):
                    await self._stream.send_all(view[start : start + _SEND_BYTES])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ClientGone("the client closed the connection") from None
        except trio.TooSlowError:
            raise ClientSlow("the client takes nothing") from None

    async def refuse(self, status: int) -> None:
        """Answers with only ``status`` and ends the connection, unless an answer has begun."""
        self.closing = True
        if self.h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            try:
                await self._send_all(refusal(status, self._headers, has_body=self.method != b"HEAD"))
            except ClientGone:
                return

    async def end(self) -> None:
        """Says that no more comes, and waits until the last answer has arrived.

        With TLS the client must hear the former, or it takes the answer for cut off. Closing a socket with
        unread input would reset it.
        """
        is_complete = self.h11.their_state in _AT_REST and not self.early_bytes
        if self.at_eof:
            return
        with trio.move_on_after(_LINGER_SECONDS):
            try:
                if isinstance(self._stream, trio.abc.HalfCloseableStream):
                    await self._stream.send_eof()
                left = 0 if is_complete else _LINGER_BYTES
                while left > 0 and (data := await self._stream.receive_some(_READ_BYTES)):
                    left -= len(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return


def refusal(status: int, extra: Headers, *, text: str = "", has_body: bool = True) -> bytes:
    """A whole answer made by the server itself, with ``extra`` headers, in the wording of Go's server."""
    words = f"{status} {HTTPStatus(status).phrase}"
    body = (text or (_TOO_MANY_TEXT if status == 429 else words)).encode()
    request_id = new_id()
    _log.debug("answered %d before a request was complete, request %s", status, request_id)
    headers = [
        (b"date", date()),
        (REQUEST_ID, request_id.encode()),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *extra,
    ]
    lines = [b"HTTP/1.1 " + words.encode(), *(name + b": " + value for name, value in headers)]
    return b"\r\n".join([*lines, b"", body if has_body else b""])


def date() -> bytes:
    """The ``Date`` of an answer sent now."""
    return _date(int(time()))


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
