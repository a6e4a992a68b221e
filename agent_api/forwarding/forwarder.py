"""Asks the servers of a client, one after the other, until one gives an answer that an agent gives."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import anyio
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from agent_api.agent import Call
from agent_api.client.core import SILENCE_SECONDS, reason_of
from agent_api.client.fitting import decoded, fits
from agent_api.client.nomad import NomadMembers
from agent_api.client.replies import CoordinateReply, MembersReply, RoundTrip, Snapshot, Why
from agent_api.errors import HttpError, multi_error
from agent_api.exchange import Exchange, Headers
from agent_api.forwarding.servers import PinnedServers
from agent_api.streams.lines import until_gone
from swim.addresses import split_host_port
from swim.text import brief

__all__ = ["Forwarder"]

_SERVER_SECONDS = 1.5
_ALL_SECONDS = 4.0
"""Clients of Nomad give up after 5 s."""
_BODY_BYTES_MAX = 64 * 1024 * 1024
_TEXT_BYTES_MAX = 65_536
_PASSED = (b"x-nomad-token", b"authorization", b"user-agent", b"x-request-id")
"""Headers that a server gets as they came."""
_VIA = (b"Via", b"1.1 swim-client")
_LOOP = "this agent is a client itself: list servers"

_DOCUMENTS: Mapping[str, Any] = {
    "/v1/agent/members": NomadMembers,
    "/v1/status/leader": str,
    "/v1/status/peers": list[str],
    "/v1/regions": list[str],
    "/v1/swim/members": MembersReply,
    "/v1/swim/why": Why,
    "/v1/swim/rtt": RoundTrip,
    "/v1/swim/coordinate": CoordinateReply,
}
"""What a server answers with, by path; any object elsewhere."""
_FIRST_LINES: Mapping[str, Any] = {"/v1/swim/watch": Snapshot}
"""What a server's stream begins with, likewise."""
_REFUSALS = (400, 403, 409, 413, 415, 504)
_UNKNOWN = "no member named"
_WITHOUT_LEADER = ("No cluster leader", "No path to region")
"""The answers of 404 and 500 that are a server's, not a failure of it."""

_log = logging.getLogger("swim.http")


class Forwarder:
    """Answers requests of a client-mode agent by its servers.

    A server that does not answer in time, or not as an agent does, is asked last from then on.

    Args:
        servers: the list.
        tls: for HTTPS to the servers; None for HTTP.
        tls_name: the name that their certificates must have, in place of their addresses.
    """

    def __init__(
        self, servers: PinnedServers, *, tls: ssl.SSLContext | None = None, tls_name: str = ""
    ) -> None:
        self._servers = servers
        self._tls = tls
        self._tls_name = tls_name

    async def answer(self, call: Call) -> Response:
        """The document of a server.

        Raises:
            HttpError: 500, if there is no server or none answers; or what the server refuses.
        """
        return await self._first(call, self._document)

    async def stream(self, call: Call) -> Response:
        """The stream of a server, until one of the three ends. Raises as ``answer``."""
        return await self._first(call, self._lines)

    async def _first(self, call: Call, take: Any) -> Response:
        headers = call.request.scope["headers"]
        if any(name == b"via" and b"swim-client" in value for name, value in headers):
            raise HttpError(500, _LOOP)
        addresses = self._servers.in_order()
        if not addresses:
            raise HttpError(500, "no servers")
        passed = [(name, value) for name, value in headers if name in _PASSED]
        sent = [*passed, (b"Accept-Encoding", b"identity"), _VIA]
        deadline = anyio.current_time() + _ALL_SECONDS
        problems: dict[str, str] = {}
        for address in addresses:
            if (left := deadline - anyio.current_time()) <= 0:
                break
            try:
                with anyio.fail_after(min(_SERVER_SECONDS, left)):
                    return await self._ask(address, call, sent, take)
            except (OSError, ValueError) as error:
                problems[address] = f"Server at address {address} failed: {_why(error)}"
            self._servers.failed(address)
            call.agent.cluster.metrics.count("swim.client.failover")
            _log.info("%s", problems[address])
        raise HttpError(500, multi_error(list(problems.values())))

    async def _ask(self, address: str, call: Call, headers: Headers, take: Any) -> Response:
        endpoint = split_host_port("address", address, call.agent.settings.rpc_port)
        exchange = await Exchange.begin(endpoint, _target(call), headers, self._tls, self._tls_name)
        keep = False
        try:
            response: Response
            response, keep = await take(call, exchange)
            return response
        finally:
            if not keep:
                await exchange.aclose()

    async def _document(self, call: Call, exchange: Exchange) -> tuple[Response, bool]:
        if exchange.status != 200:
            return await _refusal(exchange), False
        body = await exchange.body(_BODY_BYTES_MAX)
        if not fits(decoded(body), _DOCUMENTS.get(call.request.scope["path"], dict)):
            raise ValueError("it does not answer as an agent does")
        return Response(body, media_type="application/json"), False

    async def _lines(self, call: Call, exchange: Exchange) -> tuple[Response, bool]:
        if exchange.status != 200:
            return await _refusal(exchange), False
        first = b""
        while (end := first.find(b"\n")) < 0 and (part := await exchange.receive()):
            first += part
            if len(first) > _BODY_BYTES_MAX:
                raise ValueError(f"its first line has more than {_BODY_BYTES_MAX} bytes")
        kind = _FIRST_LINES.get(call.request.scope["path"], dict)
        if end < 0 or not fits(decoded(first[:end]), kind):
            raise ValueError("it does not answer as an agent does")
        return _Relayed(exchange, first), True


class _Relayed(Response):
    """A stream of a server, passed on until the client goes or the server ends it."""

    def __init__(self, exchange: Exchange, first: bytes) -> None:
        super().__init__(media_type="application/json", headers={"Cache-Control": "no-cache"})
        del self.headers["content-length"]
        self._exchange = exchange
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(until_gone, receive, tasks.cancel_scope)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                part = self._first
                while part:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                    part = b""
                    # A server that is silent for longer than its heartbeats take is gone.
                    with suppress(OSError, ValueError), anyio.move_on_after(SILENCE_SECONDS):
                        part = await self._exchange.receive()
                await send({"type": "http.response.body", "body": b""})
                tasks.cancel_scope.cancel()
        finally:
            await self._exchange.aclose()


async def _refusal(exchange: Exchange) -> Response:
    """A server's own error, passed on.

    Raises:
        ValueError: the server cannot answer, or it is something else.
    """
    status = exchange.status
    text = (await exchange.body(_TEXT_BYTES_MAX)).decode("utf-8", "replace")
    is_own = (
        exchange.kind == "text/plain"
        and text != _LOOP
        and (
            status in _REFUSALS
            or (status == 404 and text.startswith(_UNKNOWN))
            or (status == 500 and text in _WITHOUT_LEADER)
        )
    )
    if not is_own:
        raise ValueError(f"it answered {status} {brief(text)}".strip())
    return PlainTextResponse(text, status)


def _target(call: Call) -> bytes:
    scope = call.request.scope
    path: bytes = quote(scope["path"], errors="surrogateescape").encode()
    return path + (b"?" + scope["query_string"] if scope["query_string"] else b"")


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return reason_of(error)
