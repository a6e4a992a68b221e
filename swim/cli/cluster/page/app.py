"""The application behind the page of ``swim cluster``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_api.app import create_app
from agent_api.browsers import BrowserRules
from agent_api.envelope import Envelope
from agent_api.openapi.routes import page_of
from agent_api.parameters import Query
from agent_api.shapes import dumps
from agent_api.streams.lines import LineStream
from agent_api.text import utf8
from agent_api.ui.page import ui_routes
from sims.errors import UsageError
from swim import Metrics
from swim.addresses import is_loopback
from swim.cli.cluster.commands import Commands
from swim.cli.cluster.node import LocalNode
from swim.cli.cluster.page.board import Board
from swim.cli.cluster.page.openapi import NODES_PATH, cluster_document
from swim.cli.cluster.page.tape import LEVELS, Tape, TraceStream
from swim.cli.cluster.page.watch import BoardSource
from swim.cli.cluster.run import LocalCluster
from swim.cli.cluster.script import HELP, Word
from swim.cli.cluster.view import views
from swim.errors import SwimError
from swim.net.cluster import Cluster

__all__ = ["COMMAND_BYTES_MAX", "HEARTBEAT_SECONDS", "LoopbackWrites", "page_app"]

HEARTBEAT_SECONDS = 5.0
COMMAND_BYTES_MAX = 64 * 1024
"""Bytes of the body of a command."""

_SHAPE = 'the body must be a JSON object with a verb, such as {"verb": "kill 3"}'
_READ_ONLY = "commands are accepted from this machine only"


def page_app(cluster: LocalCluster, commands: Commands, board: Board, tape: Tape, host: str) -> Starlette:
    """Serves the cluster to pages.

    Args:
        cluster: the nodes; each one's own API is under ``/v1/cluster/nodes/NAME``.
        commands: carries out what a page sends.
        board: follows the cluster.
        tape: of the same cluster.
        host: on which it is served; a name that pages may use for it.
    """
    handlers = _Handlers(commands, board, tape)
    app = Starlette(
        routes=[
            Route("/", lambda _: RedirectResponse("ui/")),
            *ui_routes("cluster", lambda _: views_table(cluster.nodes)),
            Route("/v1/cluster/state", handlers.state),
            Route("/v1/cluster/watch", handlers.watch),
            Route("/v1/cluster/measured", handlers.measured),
            Route("/v1/cluster/command", handlers.command, methods=["POST"]),
            Route("/v1/cluster/trace", handlers.trace),
            Mount(NODES_PATH, _NodeApis(cluster)),
            Route("/v1/openapi.json", _document),
            Route("/docs", lambda _: page_of(cluster_document())),
        ],
        middleware=[
            Middleware(Envelope, headers={}),
            Middleware(BrowserRules, names=[host], trusted=(), metrics=Metrics()),
            Middleware(LoopbackWrites),
        ],
    )
    app.router.redirect_slashes = False
    return app


class _Handlers:
    """The handlers of the paths of the cluster itself."""

    def __init__(self, commands: Commands, board: Board, tape: Tape) -> None:
        self._commands = commands
        self._board = board
        self._tape = tape

    async def state(self, _: Request) -> Response:
        """Everything as of now."""
        return _json(self._board.state())

    async def watch(self, _: Request) -> Response:
        """Everything as of now, then the changes."""
        source = BoardSource(self._board)
        return LineStream(
            source, heartbeat=self._board.heartbeat, every=HEARTBEAT_SECONDS, at_once=False, is_steady=True
        )

    async def measured(self, _: Request) -> Response:
        """When each member last acked a probe of each node, and the round trip."""
        return _json(await self._board.measured())

    async def command(self, request: Request) -> Response:
        """Does what the prompt would do; returns when it is done, without what is to happen later."""
        try:
            verb = _verb(await _body(request))
            steps = await self._commands.obey(verb, "page")
        except UsageError as error:
            return _refusal(400, error)
        except SwimError as error:
            return _refusal(409, error)
        except ClientDisconnect:
            return Response()
        helped = any(step.command == Word("help") for step in steps)
        shown = [{"at": round(step.at, 3), "verb": step.text} for step in steps]
        return _json({"steps": shown, **({"help": HELP} if helped else {})})

    async def trace(self, request: Request) -> Response:
        """The trace so far and, with ``follow``, what happens from then on."""
        level = request.query_params.get("level", "events")
        follow = request.query_params.get("follow", "false")
        if level not in LEVELS:
            return _refusal(400, f"level must be one of {', '.join(LEVELS)}, not {level!r}")
        if follow not in ("true", "false"):
            return _refusal(400, f"follow must be true or false, not {follow!r}")
        if level == "all" and follow == "false":
            return _refusal(400, "packets are not kept: add follow=true, or start with --trace FILE")
        if self._tape.is_full:
            return _refusal(507, "so much happened that the beginning is not kept: start with --trace FILE")
        if follow == "true":
            return TraceStream(self._tape, "all" if level == "all" else "events")
        name = {"Content-Disposition": 'attachment; filename="swim-cluster.jsonl"'}
        return Response(self._tape.kept("events"), headers=name, media_type=TraceStream.media_type)


class _NodeApis:
    """Passes a request to the API of one node, as it is in its current life."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._apis: dict[str, tuple[Cluster, ASGIApp]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        name = scope["path_params"]["name"]
        node = next((node for node in self._cluster.nodes if node.name == name), None)
        if node is None:
            answer: ASGIApp = _refusal(404, f"no node {name!r}")
        elif node.cluster is None:
            self._apis.pop(name, None)
            answer = _refusal(503, f"{name} is {node.state}: it has no view")
        else:
            known = self._apis.get(name)
            if known is None or known[0] is not node.cluster:
                known = self._apis[name] = (node.cluster, create_app(node.cluster, node.api))
            answer = known[1]
        # The node's own paths have a {name} too, of another meaning.
        await answer({**scope, "path_params": {}}, receive, send)


class LoopbackWrites:
    """ASGI middleware: other machines may read, where the page is served to them, but change nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on, or refuses it."""
        client = scope.get("client")
        is_here = client is None or is_loopback(client[0])
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS") and not is_here:
            await _refusal(403, _READ_ONLY)(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _body(request: Request) -> bytes:
    parts = bytearray()
    async with aclosing(request.stream()) as stream:
        async for part in stream:
            parts += part
            if len(parts) > COMMAND_BYTES_MAX:
                raise UsageError(f"a command has at most {COMMAND_BYTES_MAX} bytes")
    return bytes(parts)


def _verb(body: bytes) -> str:
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise UsageError(_SHAPE) from None
    verb = document.get("verb") if isinstance(document, dict) else None
    if not isinstance(verb, str):
        raise UsageError(_SHAPE)
    return verb


def views_table(nodes: Sequence[LocalNode]) -> str:
    """Every node's view as an HTML table, for a browser without JavaScript."""
    header, rows = views(nodes)
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in header)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _cell(text: str) -> str:
    """Names are text of others: escaped, and their direction kept to themselves."""
    return f"<td><bdi>{escape(text)}</bdi></td>"


async def _document(request: Request) -> Response:
    is_pretty = Query(request.scope["query_string"]).pretty
    return Response(dumps(cluster_document(), pretty=is_pretty), media_type="application/json")


def _json(document: object) -> Response:
    return Response(dumps(document), media_type="application/json")


def _refusal(status: int, why: object) -> Response:
    return PlainTextResponse(utf8(str(why)), status)
