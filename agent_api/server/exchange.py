"""One request and its answer, as an ASGI application receives and sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import h11
import trio
from starlette.types import Message, Scope

from agent_api.limits import HttpLimits
from agent_api.server.wire import ClientGone, ClientSlow, Wire, date
from swim import Metrics
from swim.addresses import Endpoint

__all__ = ["Exchange", "http_scope", "why_refused"]

_DISCARD_BYTES = 256 * 1024
"""Bytes of an unread body that are read to keep the connection, as in Go's server."""


def why_refused(request: h11.Request, limits: HttpLimits) -> int | None:
    """The status for a request that no application should see; None for one that it should."""
    if request.http_version not in (b"1.0", b"1.1"):
        return 505
    if len(request.headers) > limits.max_headers:
        return 431
    if request.method == b"CONNECT":
        return 405
    if not request.target.startswith((b"/", b"http://", b"https://")) and request.target != b"*":
        return 400
    length = _header(request, b"content-length")
    # Two framings, or one that the version does not have: the end of this request is ambiguous.
    if _header(request, b"transfer-encoding") and (length or request.http_version == b"1.0"):
        return 400
    return 413 if length and int(length) > limits.max_body_bytes else None


def http_scope(
    request: h11.Request,
    *,
    scheme: str,
    client: Endpoint | None,
    server: Endpoint | None,
    state: dict[str, Any],
) -> Scope:
    """The ASGI scope of ``request``; of a target that is a whole URL, the path and the host are used."""
    headers = list(request.headers)
    target = request.target
    if not target.startswith(b"/") and target != b"*":
        authority, slash, rest = target.partition(b"://")[2].partition(b"/")
        authority, question, query = authority.partition(b"?")
        target = (slash or b"/") + rest + question + query
        headers = [(b"host", authority), *(pair for pair in headers if pair[0] != b"host")]
    path, _, query_string = target.partition(b"?")
    return {
        "type": "http",
        # Below 2.4, a streaming application checks for the client's disconnect by itself.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": scheme,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query_string,
        "root_path": "",
        "headers": headers,
        "client": client,
        "server": server,
        "state": state.copy(),
        "extensions": {},
    }


def _header(request: h11.Request, wanted: bytes) -> bytes:
    return next((value for name, value in request.headers if name == wanted), b"")


class Exchange:
    """The callables of an application: ``receive`` and ``send``.

    ``receive`` returns the body, then waits and returns ``http.disconnect`` once the client sends no more,
    the answer is complete, or the server stops. ``send`` raises ``ClientGone`` once the client receives
    nothing.

    Attributes:
        began: the answer's head was sent.
        disconnected: the application received ``http.disconnect``, and may leave its answer incomplete.
        finished: the whole answer was sent.
        gone: the client was refused or does not receive the answer.
    """

    __slots__ = (
        "_body_bytes",
        "_body_seconds",
        "_continued",
        "_head",
        "_is_over",
        "_limits",
        "_metrics",
        "_unread",
        "_waiting",
        "_wire",
        "began",
        "disconnected",
        "finished",
        "gone",
    )

    def __init__(self, wire: Wire, request: h11.Request, limits: HttpLimits, metrics: Metrics) -> None:
        self.began: bool = False
        self.disconnected: bool = False
        self.finished: bool = False
        self.gone: bool = False
        self._wire = wire
        self._limits = limits
        self._metrics = metrics
        self._head: h11.Response | None = None
        self._unread = int(_header(request, b"content-length") or 0)
        self._body_bytes = 0
        self._body_seconds = limits.body_timeout
        self._continued: trio.Event | None = None
        self._is_over = False
        self._waiting: trio.CancelScope | None = None

    async def receive(self) -> Message:
        """The next message for the application."""
        protocol = self._wire.h11
        if not self.gone and protocol.their_state is h11.SEND_BODY:
            if protocol.they_are_waiting_for_100_continue and not self.began:
                await self._say_continue()
            event = await self._body_event()
            if isinstance(event, h11.Data):
                return {"type": "http.request", "body": bytes(event.data), "more_body": True}
            if event is not None:
                return {"type": "http.request", "body": b"", "more_body": False}
        with trio.CancelScope() as self._waiting:
            while not (self._is_over or self.gone or self._wire.at_eof or self._wire.is_flooded):
                await self._wire.fill()
        await trio.lowlevel.checkpoint()
        self.disconnected = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Sends the application's next message; the head is sent with the first part of the body.

        Raises:
            ClientGone: the client does not receive this answer; the application need not continue.
            RuntimeError: the order of the messages is not allowed by ASGI.
        """
        if self._continued is not None:
            await self._continued.wait()
        if self.gone:
            raise ClientGone("the client is gone")
        if message["type"] == "http.response.start" and self._head is None:
            self._head = self._response(message)
        elif message["type"] == "http.response.body" and self._head is not None and not self.finished:
            await self._send_body(self._head, message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} is out of order")

    def end_wait(self) -> None:
        """Makes ``receive`` return ``http.disconnect``, even if the client is still connected."""
        self._is_over = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def discard_rest(self) -> bool:
        """Reads the rest of the body; returns whether another request may follow."""
        protocol, left = self._wire.h11, _DISCARD_BYTES
        if protocol.their_state is h11.SEND_BODY:
            try:
                with trio.move_on_after(max(self._body_seconds, 0)):
                    while left > 0 and protocol.their_state is h11.SEND_BODY and not self._wire.closing:
                        event = await self._wire.event()
                        if isinstance(event, h11.Data):
                            left -= len(event.data)
                            await trio.lowlevel.checkpoint()
            except h11.RemoteProtocolError:
                self._metrics.dropped("http-bad-request")
        if protocol.our_state is h11.DONE and protocol.their_state is h11.DONE and not self._wire.closing:
            protocol.start_next_cycle()
            return True
        return False

    async def _say_continue(self) -> None:
        """Sends 100; the answer, which another task may send meanwhile, waits for it."""
        self._continued = trio.Event()
        try:
            await self._transmit([h11.InformationalResponse(status_code=100, headers=[])])
        finally:
            self._continued.set()

    async def _body_event(self) -> h11.Event | type[h11.PAUSED] | None:
        """The next part of the body or its end; None if the client was refused instead."""
        started = trio.current_time()
        try:
            with trio.fail_after(max(self._body_seconds, 0)):
                event = await self._wire.event()
        except trio.TooSlowError:
            await self._refuse(408, "http-slow")
            return None
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint, "http-bad-request")
            return None
        finally:
            self._body_seconds -= trio.current_time() - started
        if isinstance(event, h11.Data):
            self._body_bytes += len(event.data)
            if self._body_bytes > self._limits.max_body_bytes:
                await self._refuse(413, "http-too-large")
                return None
            await trio.lowlevel.checkpoint()
        return event

    async def _refuse(self, status: int, reason: str) -> None:
        self._metrics.dropped(reason)
        self.gone = True
        await self._wire.refuse(status)

    async def _send_body(self, head: h11.Response, body: bytes, more_body: bool) -> None:
        events: list[h11.Event] = []
        if not self.began:
            events.append(head)
            self.began = True
        if body and self._wire.method != b"HEAD" and head.status_code not in (204, 304):
            events.append(h11.Data(data=body))
        if not more_body:
            events.append(h11.EndOfMessage())
        await self._transmit(events)
        if not more_body:
            self.finished = True
            self.end_wait()

    async def _transmit(self, events: Sequence[h11.Event]) -> None:
        try:
            await self._wire.send(events)
        except ClientGone as gone:
            if isinstance(gone, ClientSlow):
                self._metrics.dropped("http-slow")
            self.gone = True
            self.end_wait()
            raise

    def _response(self, message: Message) -> h11.Response:
        headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        if not any(name.lower() == b"date" for name, _ in headers):
            headers.append((b"date", date()))
        protocol = self._wire.h11
        if protocol.their_state is h11.SEND_BODY and (
            protocol.they_are_waiting_for_100_continue or self._unread - self._body_bytes > _DISCARD_BYTES
        ):
            self._wire.closing = True
        if self._wire.closing:
            headers.append((b"connection", b"close"))
        return h11.Response(status_code=message["status"], headers=headers)
