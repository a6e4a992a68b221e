"""The page over recorded runs: served from loopback by ``swim sim play``, with the traces beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agent_api.browsers import BrowserRules
from agent_api.envelope import Envelope
from agent_api.ui.page import ui_routes
from swim import Metrics

__all__ = ["recordings_app"]

_TRACE_TYPE = "application/jsonl"


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
        return FileResponse(traces[number], media_type=_TRACE_TYPE)

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


def _without_script(request: Request) -> str:
    return (
        "<p>The player needs JavaScript. <code>swim sim draw FILE --timeline views.svg</code> does not.</p>"
    )
