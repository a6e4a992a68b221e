"""``create_app``: one cluster's HTTP API as an ASGI application."""

from __future__ import annotations

import socket
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from agent_api.agent import Agent
from agent_api.browsers import BrowserRules
from agent_api.cluster import ClusterLike
from agent_api.envelope import Envelope
from agent_api.routes import ROUTES
from agent_api.servers import Servers
from agent_api.settings import AgentSettings
from swim.addresses import split_host_port

__all__ = ["create_app"]


def create_app(
    cluster: ClusterLike, settings: AgentSettings | None = None, *, on_leave: Callable[[], None] | None = None
) -> Starlette:
    """The API over ``cluster``, for any ASGI server, or mounted under any path.

    Args:
        cluster: an open cluster; the application neither starts nor closes it.
        settings: defaults if None.
        on_leave: called after ``PUT /v1/swim/leave`` was answered; stop the agent here.
    """
    settings = settings or AgentSettings()
    app = Starlette(
        routes=ROUTES,
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
    app.state.agent = Agent(cluster, settings, Servers(cluster, settings), on_leave or _ignore)
    return app


def _names(cluster: ClusterLike, settings: AgentSettings) -> set[str]:
    """The names under which clients may address this agent."""
    gossip_name = cluster.config.name
    return {
        socket.gethostname(),
        gossip_name,
        settings.server_name(gossip_name),
        split_host_port("http", settings.http)[0],
    }


def _ignore() -> None:
    """The default ``on_leave``: the program that opened the cluster sees its status."""


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    answer = WebSocketClose() if scope["type"] == "websocket" else Response(status_code=404)
    await answer(scope, receive, send)
