"""One connection: handles its requests in order, and decides when it ends."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import h11
import trio
from starlette.types import ASGIApp

from agent_api.limits import HttpLimits
from agent_api.server.exchange import Exchange, http_scope, why_refused
from agent_api.server.tls import PeersOnce, TlsStream, spoke_http
from agent_api.server.wire import ClientGone, Headers, Wire, refusal
from swim import Metrics
from swim.addresses import Endpoint

__all__ = ["Connection", "Service", "is_encrypted"]

_LAST_WORDS_SECONDS = 1.0
_NEEDS_HTTPS = "Client sent an HTTP request to an HTTPS server.\n"
"""In the words of Go's server."""

_log = logging.getLogger("swim.http.server")


class Service:
    """What all connections of one server share.

    Attributes:
        app: the ASGI application.
        limits: for clients.
        metrics: where requests and drops are counted.
        headers: of the answers that the server makes itself.
        state: the lifespan state of the application.
        mentioned: peers whose failed TLS handshakes are in the log.
    """

    __slots__ = ("app", "headers", "limits", "mentioned", "metrics", "state")

    def __init__(self, app: ASGIApp, limits: HttpLimits, metrics: Metrics, headers: Headers) -> None:
        self.app: ASGIApp = app
        self.limits: HttpLimits = limits
        self.metrics: Metrics = metrics
        self.headers: Headers = headers
        self.state: dict[str, Any] = {}
        self.mentioned: PeersOnce = PeersOnce()


class Connection:
    """Answers the requests on one stream until either side ends it.

    Attributes:
        client: the peer's address and port; None if the stream has none.
        scope: cancelling it closes the connection at once.
        is_busy: a request is in progress.
    """

    __slots__ = ("_exchange", "_server", "_service", "_stream", "_wire", "client", "is_busy", "scope")

    def __init__(
        self,
        service: Service,
        stream: trio.abc.Stream,
        *,
        client: Endpoint | None = None,
        server: Endpoint | None = None,
    ) -> None:
        self.client: Endpoint | None = client
        self.scope: trio.CancelScope = trio.CancelScope()
        self.is_busy: bool = False
        self._server = server
        self._service = service
        self._stream = stream
        self._wire = Wire(stream, service.limits, service.headers)
        self._exchange: Exchange | None = None

    def stop(self) -> None:
        """Ends the connection after the current answer; at once if there is none."""
        self._wire.closing = True
        if not self.is_busy:
            self.scope.cancel()
        elif self._exchange is not None:
            self._exchange.end_wait()

    async def run(self) -> None:
        """Returns when the connection is over; the caller closes the stream."""
        if isinstance(self._stream, TlsStream) and not await self._shake_hands(self._stream):
            return
        is_first = True
        while (request := await self._next_request(is_first=is_first)) is not None:
            is_first = False
            self.is_busy = True
            self._exchange = Exchange(self._wire, request, self._service.limits, self._service.metrics)
            is_answered = await self._answer(request, self._exchange)
            self.is_busy = False
            if not is_answered or not await self._exchange.discard_rest():
                break
        await self._wire.end()

    async def _shake_hands(self, stream: TlsStream) -> bool:
        """Whether the client speaks TLS and is accepted; a failure is counted, and logged once per peer."""
        try:
            with trio.fail_after(self._service.limits.handshake_timeout):
                await stream.do_handshake()
            return True
        except trio.TooSlowError:
            why = "it took too long"
        except trio.BrokenResourceError as error:
            why = str(error) or "the connection broke"
            if spoke_http(error.__cause__):
                await _say_https(stream.transport_stream, self._service.headers)
        self._service.metrics.dropped("http-tls")
        peer = self.client[0] if self.client else "a client"
        if self._service.mentioned.is_new(peer):
            _log.warning("TLS handshake with %s failed: %s", peer, why)
        return False

    async def _next_request(self, *, is_first: bool) -> h11.Request | None:
        """The next request for the application; None if the connection is over."""
        limits = self._service.limits
        if not is_first and not self._wire.early_bytes:
            with trio.move_on_after(limits.idle_timeout) as patience:
                await self._wire.fill()
            if patience.cancelled_caught:
                self._service.metrics.dropped("http-idle")
            if not self._wire.early_bytes:
                return None
        try:
            event = self._wire.parsed()
            if event is None:
                with trio.fail_after(limits.head_timeout):
                    event = await self._wire.event()
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint, "http-bad-request")
        except trio.TooSlowError:
            await self._refuse(408 if self._wire.early_bytes else None, "http-slow")
        else:
            if not isinstance(event, h11.Request):
                return None
            status = why_refused(event, limits)
            if status is None:
                return event
            await self._refuse(status, "http-too-large" if status == 413 else "http-bad-request")
        return None

    async def _refuse(self, status: int | None, reason: str) -> None:
        """Ends the connection, with an answer if the client would read it as the answer to its request."""
        self._service.metrics.dropped(reason)
        if status is not None:
            await self._wire.refuse(status)

    async def _answer(self, request: h11.Request, exchange: Exchange) -> bool:
        """Lets the application answer; returns whether it answered completely."""
        service = self._service
        scope = http_scope(
            request,
            scheme="https" if is_encrypted(self._stream) else "http",
            client=self.client,
            server=self._server,
            state=service.state,
        )
        try:
            await service.app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.gone and _is_client_gone(error):
                return False
            self.report(error)
            await self._wire.refuse(500)
            return False
        if not (exchange.finished or exchange.gone or exchange.disconnected):
            self.report(RuntimeError("the application ended without a complete answer"))
            await self._wire.refuse(500)
        return exchange.finished

    def report(self, error: Exception) -> None:
        """Logs and counts an error that ends only this connection."""
        self._service.metrics.count("swim.http.failed")
        peer = "{}:{}".format(*self.client) if self.client else "a client"
        _log.error("connection from %s closed: %s", peer, type(error).__name__, exc_info=error)


def is_encrypted(stream: trio.abc.Stream) -> bool:
    """Whether ``stream`` is TLS over another one, ours or ``trio.SSLStream``."""
    return hasattr(stream, "transport_stream")


async def _say_https(stream: trio.abc.SendStream, headers: Headers) -> None:
    """Answers an HTTP request at an HTTPS port in clear, as Go's server does."""
    with (
        trio.move_on_after(_LAST_WORDS_SECONDS),
        suppress(trio.BrokenResourceError, trio.ClosedResourceError),
    ):
        await stream.send_all(refusal(400, headers, text=_NEEDS_HTTPS))


def _is_client_gone(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.subgroup(lambda leaf: not isinstance(leaf, (ClientGone, ExceptionGroup))) is None
    return isinstance(error, ClientGone)
