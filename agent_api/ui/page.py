"""Serves the page: its files under ``/ui/``, and ``/ui/`` itself with a table of the members in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from string import Template
from typing import Literal

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent_api.envelope import PAGE_POLICY, accepts_gzip
from agent_api.text import utf8
from agent_api.ui.files import File, file_of, static_files
from agent_api.ui.modules import needed_by
from swim import Member

__all__ = ["ROWS_MAX", "Mode", "Page", "members_table", "ui_routes"]

Mode = Literal["agent", "cluster", "replay"]
"""Where the page runs; it decides which views there are."""

ROWS_MAX = 200
"""Members in the table for browsers without JavaScript; of more, only their number is shown."""

_INDEX = "index.html"
_ENTRY = "app.js"
_PLAYER = "views/replay.js"
"""The first view over recorded runs."""
_GLYPHS = {"alive": "●", "suspect": "◐", "leaving": "◌", "left": "○", "failed": "✕"}


class Page:
    """The page as an ASGI application; it needs no token, and shows nothing of the cluster by itself.

    Args:
        mode: where it runs.
        table: what a browser without JavaScript shows, as HTML, for one request.
    """

    def __init__(self, mode: Mode, table: Callable[[Request], str]) -> None:
        self._mode = mode
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request: a file, or the page itself."""
        response = self._answer(Request(scope, receive, send))
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Invalid method", 405, headers={"Allow": "GET, HEAD"})
        path = request.path_params.get("path")
        if path is None:
            return Response(status_code=308, headers={"Location": "ui/"})
        found = self._index(request) if path in ("", _INDEX) else static_files().get(path)
        return Response(status_code=404) if found is None else _sent(request, found)

    def _index(self, request: Request) -> File:
        modules = dict.fromkeys(needed_by(_ENTRY) + (needed_by(_PLAYER) if self._mode == "replay" else ()))
        document = Template(static_files()[_INDEX].body.decode()).substitute(
            mode=self._mode,
            preload="\n".join(f'<link rel="modulepreload" href="{name}">' for name in modules),
            table=self._table(request),
        )
        return file_of(_INDEX, utf8(document))


def _sent(request: Request, file: File) -> Response:
    packs = accepts_gzip(",".join(request.headers.getlist("accept-encoding")))
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY, "ETag": f"W/{file.etag}"}
    if known & {file.etag, "*"}:
        return Response(status_code=304, headers=headers)
    body = file.packed if packs else file.body
    headers |= {"Content-Length": str(len(body)), "Content-Type": file.media_type}
    if packs:
        headers["Content-Encoding"] = "gzip"
    return Response(b"" if request.method == "HEAD" else body, headers=headers)


def members_table(members: Sequence[Member]) -> str:
    """The members as an HTML table, by name, at most ``ROWS_MAX`` of them."""
    by_name = sorted(members, key=lambda member: member.name)
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Name", "Status", "Address", "Inc.", "Tags"))
    rows = "\n".join(_row(_cells(member)) for member in by_name[:ROWS_MAX])
    more = len(members) - ROWS_MAX
    rest = f"<p>{more:,} more: <code>swim members</code></p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>{rest}"


def _cells(member: Member) -> Iterable[str]:
    state = str(member.state)
    yield member.name
    yield f"{_GLYPHS[state]} {state}"
    yield f"{member.address}:{member.port}"
    yield str(member.incarnation)
    yield " ".join(f"{key}={value}" for key, value in member.tags.items())


def _row(cells: Iterable[str]) -> str:
    """Names and tags are text of others: escaped, and their direction kept to themselves."""
    return "<tr>" + "".join(f"<td><bdi>{escape(cell)}</bdi></td>" for cell in cells) + "</tr>"


def ui_routes(mode: Mode, table: Callable[[Request], str]) -> list[Route]:
    """The routes of the page: ``/ui``, which leads to ``/ui/``, and everything below that."""
    page = Page(mode, table)
    return [Route("/ui", page), Route("/ui/{path:path}", page)]
