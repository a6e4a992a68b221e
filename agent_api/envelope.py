"""Added to every answer: headers, compression, and one log record."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Mapping
from functools import partial
from time import perf_counter

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_api.kept import KeptBody
from agent_api.request_id import REQUEST_ID, assign, of_scope
from swim.text import brief

__all__ = ["PAGE_POLICY", "Envelope", "accepts_gzip", "answer_headers"]

_COMPRESS_FROM_BYTES = 1024
_THREAD_FROM_BYTES = 256 * 1024
"""Longer answers are compressed in a thread."""
_NO_FRAMES = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"default-src 'self'; {_NO_FRAMES}"
"""The content security policy of what is a page: its own scripts, styles and requests, and no others."""
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; {_NO_FRAMES}",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Security headers for browsers: no content sniffing, no frames, no other site, no cached copy."""

_log = logging.getLogger("swim.http")


def answer_headers(chosen: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers of every answer: ``Vary``, those that protect browsers, and the operator's, which win."""
    own = {"Vary": "Accept-Encoding", **_SECURITY_HEADERS}
    merged = {name.lower(): value for name, value in [*own.items(), *chosen.items()]}
    return [(name.encode(), value.encode()) for name, value in merged.items()]


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an ``Accept-Encoding`` header offers gzip, by name or by ``*``, with a weight above 0."""
    weights: dict[str, float] = {}
    for offer in accept_encoding.lower().split(","):
        coding, _, parameters = offer.partition(";")
        name, _, weight = parameters.strip().partition("=")
        try:
            weights[coding.strip()] = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0


class Envelope:
    """ASGI middleware: ``answer_headers`` on all, gzip for JSON from 1 KiB up if offered.

    Streams and empty bodies are never compressed. Each request has an id (``request_id``), and is logged at
    DEBUG under ``swim.http``.
    """

    __slots__ = ("_app", "_headers")

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = answer_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on and adds to its answer."""
        if scope["type"] != "http" or of_scope(scope):  # mounted in an application that has an envelope
            await self._app(scope, receive, send)
            return
        offers = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        compress = accepts_gzip(offers.decode("latin-1"))
        request_id = assign(scope)
        started = perf_counter()
        head: Message | None = None

        async def dressed_send(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                added = [header for header in self._headers if header[0] not in given]
                own = (REQUEST_ID, request_id.encode())
                head = {**message, "headers": [*message["headers"], *added, own]}
                return
            if head is not None:
                if compress and not message.get("more_body"):
                    await _compress(head, message)
                _log_request(scope, request_id, head["status"], perf_counter() - started)
                await send(head)
                head = None
            await send(message)

        await self._app(scope, receive, dressed_send)


def _log_request(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    """One line for each request. The query is not in it: clients put secrets there."""
    if _log.isEnabledFor(logging.DEBUG):
        client = scope.get("client")
        _log.debug(
            "%s %s -> %d in %.1f ms, request %s",
            brief(scope["method"]), brief(scope["path"]), status, 1000 * seconds, request_id,
            extra={"client": client[0] if client else "", "request_id": request_id, "status": status},
        )  # fmt: skip


async def _compress(head: Message, message: Message) -> None:
    body = message.get("body", b"")
    headers = dict(head["headers"])
    if headers.get(b"content-type") != b"application/json" or len(body) < _COMPRESS_FROM_BYTES:
        return
    message["body"] = await _packed(body)
    length = b"%d" % len(message["body"])
    head["headers"] = [(name, value) for name, value in head["headers"] if name != b"content-length"]
    head["headers"] += [(b"content-length", length), (b"content-encoding", b"gzip")]


async def _packed(body: bytes) -> bytes:
    """The body compressed: a long one in a thread, one that is kept once."""
    if isinstance(body, KeptBody) and body.packed:
        return body.packed
    pack = partial(gzip.compress, body, compresslevel=5, mtime=0)
    packed = await anyio.to_thread.run_sync(pack) if len(body) >= _THREAD_FROM_BYTES else pack()
    if isinstance(body, KeptBody):
        body.packed = packed
    return packed
