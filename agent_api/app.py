"""``create_app``: one cluster's HTTP API as an ASGI application."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from agent_api.agent import Agent
from agent_api.browsers import BrowserRules
from agent_api.cluster import ClusterLike
from agent_api.envelope import Envelope
from agent_api.errors import error_response
from agent_api.kept import KeptBodies
from agent_api.own.history import MetricsHistory
from agent_api.own.peers import Asker
from agent_api.own.shapes import Observer
from agent_api.own.views import Views
from agent_api.routes import ROUTES
from agent_api.servers import Servers
from agent_api.settings import AgentSettings
from agent_api.streams.places import Places
from agent_api.telemetry.intervals import Intervals
from agent_api.tls import Tls
from agent_api.ui import members_table, ui_routes
from swim.addresses import split_host_port
from swim.listening import socket_path

__all__ = ["application", "create_app"]


def create_app(
    cluster: ClusterLike,
    settings: AgentSettings | None = None,
    *,
    on_leave: Callable[[], None] | None = None,
    on_reload: Callable[[], Awaitable[None]] | None = None,
    readiness: Callable[[], str] | None = None,
) -> Starlette:
    """The API over ``cluster``, for any ASGI server, or mounted under any path.

    Args:
        cluster: an open cluster; the application neither starts nor closes it.
        settings: defaults if None.
        on_leave: called after ``PUT /v1/swim/leave`` was answered; stop the agent here.
        on_reload: reads settings again, for ``PUT /v1/agent/reload``; a ``SwimError`` of it is the answer.
            Without it, the certificate is read again, if there is one.
        readiness: how far the agent has come, for ``/v1/swim/info`` and ``/v1/swim/health/ready``:
            ``listening``, ``joined`` or ``converged``. None: ``joined`` if another member is alive, else
            ``listening``; the application does not find out more.
    """
    settings = settings or AgentSettings()
    return application(
        ROUTES,
        cluster,
        settings,
        Servers(cluster, settings),
        on_leave=on_leave,
        on_reload=on_reload,
        readiness=readiness or (lambda: "listening" if cluster.is_alone else "joined"),
    )


def application(
    routes: Sequence[BaseRoute],
    cluster: ClusterLike,
    settings: AgentSettings,
    servers: Servers,
    *,
    on_leave: Callable[[], None] | None,
    on_reload: Callable[[], Awaitable[None]] | None,
    readiness: Callable[[], str],
) -> Starlette:
    """An agent's application: its routes and the page, behind what every request passes."""
    observer = Observer(cluster)
    app = Starlette(
        lifespan=_sampling,
        routes=[*routes, *_UI],
        middleware=[
            Middleware(Envelope, headers=settings.http_api_response_headers),
            Middleware(
                BrowserRules,
                names=_names(cluster, settings),
                trusted=settings.http_hosts,
                metrics=cluster.metrics,
            ),
        ],
    )
    app.router.redirect_slashes = False
    app.router.default = _not_found
    app.state.agent = Agent(
        cluster,
        settings,
        servers,
        on_leave or _ignore,
        readiness,
        on_reload if on_reload or not settings.tls else partial(_reload, settings.tls),
        Intervals(cluster),
        Places(settings.limits.max_streams_per_token, cluster.metrics),
        observer,
        Views(observer, Asker(settings.views_token, settings.views_tls)),
        MetricsHistory(observer),
        KeptBodies(),
    )
    return app


@asynccontextmanager
async def _sampling(app: Starlette) -> AsyncIterator[None]:
    """Keeps samples of the metrics while the application is served."""
    agent: Agent = app.state.agent
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(agent.history.run)
        yield
        tasks.cancel_scope.cancel()


def _table(request: Request) -> str:
    """The members for a browser without JavaScript, if it may read them: it cannot send a token."""
    agent: Agent = request.app.state.agent
    if not agent.settings.access.grant(request.scope["headers"]).may("node:read"):
        return (
            "<p>This agent shows its members only to those with a token: swim members --token-file FILE</p>"
        )
    return members_table(agent.cluster.members())


_UI = ui_routes("agent", _table)


def _names(cluster: ClusterLike, settings: AgentSettings) -> set[str]:
    """The names under which clients may address this agent."""
    gossip_name = cluster.config.name
    return {
        socket.gethostname(),
        gossip_name,
        settings.server_name(gossip_name),
        "" if socket_path("http", settings.http) else split_host_port("http", settings.http)[0],
    }


async def _reload(tls: Tls) -> None:
    """The default ``on_reload`` with HTTPS."""
    tls.reload()


def _ignore() -> None:
    """The default ``on_leave``: the program that opened the cluster sees its status."""


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    answer = WebSocketClose() if scope["type"] == "websocket" else _no_such_path(scope)
    await answer(scope, receive, send)


def _no_such_path(scope: Scope) -> Response:
    """As in Nomad, a token that there is not gets a 403 even here."""
    agent: Agent = scope["app"].state.agent
    grant = agent.settings.access.grant(scope["headers"])
    if grant.is_unknown and scope["path"].startswith("/v1/"):
        return error_response(grant.refusal())
    return Response(status_code=404)
