"""The page over recorded runs: served from loopback by ``swim sim play``, with the traces beside it."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from agent_api.browsers import BrowserRules
from agent_api.envelope import Envelope, accepts_gzip
from agent_api.ui.page import ui_routes
from swim import Metrics

__all__ = ["recordings_app"]

_TRACE_TYPE = "application/jsonl"
_PIECE = 1 << 17
_LEVEL = 6
_GZIP = 31
"""For zlib: its largest window, with the header and the checksum of gzip."""


def recordings_app(traces: Sequence[Path]) -> Starlette:
    """An application that shows these traces: the first is played, a second one is compared with it.

    Nothing but the page and these files is served, and no file is read before it is asked for. Pages of other
    sites are refused by ``BrowserRules``: a trace is as confidential as the gossip in it.

    Args:
        traces: files of JSON lines, plain or gzipped.
    """

    async def list_of(request: Request) -> Response:
        found = [
            {"name": path.name, "size": path.stat().st_size, "url": f"traces/{number}"}
            for number, path in enumerate(traces)
        ]
        return JSONResponse({"traces": found})

    async def trace(request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(traces):
            return Response(status_code=404)
        path = traces[number]
        accepted = ",".join(request.headers.getlist("accept-encoding"))
        try:
            is_as_it_is = not accepts_gzip(accepted) or await _is_packed(path)
        except OSError as error:
            return PlainTextResponse(f"{path.name}: {error.strerror}", 404)
        if request.method == "HEAD" or is_as_it_is:
            return FileResponse(path, media_type=_TRACE_TYPE)
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return StreamingResponse(_packed(path), headers=headers, media_type=_TRACE_TYPE)

    async def start(request: Request) -> Response:
        return RedirectResponse("ui/#/replay")

    return Starlette(
        routes=[
            Route("/", start),
            Route("/traces", list_of),
            Route("/traces/{number:int}", trace),
            *ui_routes("replay", _without_script),
        ],
        middleware=[
            Middleware(Envelope, headers={}),
            Middleware(BrowserRules, names=(), trusted=(), metrics=Metrics()),
        ],
    )


async def _is_packed(path: Path) -> bool:
    async with await anyio.open_file(path, "rb") as file:
        return await file.read(2) == b"\x1f\x8b"


async def _packed(path: Path) -> AsyncIterator[bytes]:
    """A file with gzip, piece by piece. Traces become a tenth and less, faster than a browser reads them."""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    async with await anyio.open_file(path, "rb") as file:
        while piece := await file.read(_PIECE):
            if packed := packer.compress(piece):
                yield packed
    yield packer.flush()


def _without_script(request: Request) -> str:
    return (
        "<p>The player needs JavaScript. <code>swim sim draw FILE --timeline views.svg</code> does not.</p>"
    )
