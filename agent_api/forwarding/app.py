"""``create_client_app``: the HTTP API of a client, as an ASGI application.

Every path answers as that of a member does, or ``Invalid method`` (501) if only a member can:

- What reads members (``node:read``), the leader, the peers and the regions comes from a server, which also
  decides whether the token may read them.
- The list of servers, the agent's own state, log, metrics, machine and settings are its own.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from agent_api.agent import Call
from agent_api.app import application
from agent_api.cluster import ClusterLike
from agent_api.endpoint import Action, Endpoint, has_common_parameters
from agent_api.errors import INVALID_METHOD, HttpError
from agent_api.forwarding.forwarder import Forwarder
from agent_api.forwarding.non_member import NonMember
from agent_api.forwarding.servers import PinnedServers
from agent_api.routes import ROUTES
from agent_api.settings import AgentSettings

__all__ = ["create_client_app"]

_FORWARDED = ("/v1/status/leader", "/v1/status/peers", "/v1/regions")
_OWN = (
    "/v1/agent/servers",
    "/v1/agent/self",
    "/v1/agent/health",
    "/v1/agent/monitor",
    "/v1/agent/host",
    "/v1/agent/pprof/",
    "/v1/agent/pprof/{profile}",
    "/v1/agent/reload",
    "/v1/metrics",
    "/v1/swim/info",
    "/v1/swim/leave",
    "/v1/swim/health/live",
    "/v1/swim/health/ready",
    "/v1/openapi.json",
    "/docs",
)


def create_client_app(
    name: str,
    settings: AgentSettings,
    servers: Sequence[str],
    *,
    save: Callable[[Sequence[str]], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
    tls_name: str = "",
    on_leave: Callable[[], None] | None = None,
    on_reload: Callable[[], Awaitable[None]] | None = None,
) -> Starlette:
    """The API of an agent that is no member, for any ASGI server.

    Args:
        name: of the agent.
        settings: with ``server_enabled`` off; ``rpc_port`` is the HTTP port of servers given without one.
        servers: ``HOST[:PORT]`` of each server's HTTP API.
        save: called with the list of servers after each change of it.
        tls: for HTTPS to the servers; None for HTTP.
        tls_name: the name that their certificates must have; "" for their addresses.
        on_leave: see ``create_app``.
        on_reload: likewise.
    """
    outside = cast(ClusterLike, NonMember(name))
    pinned = PinnedServers(outside, settings, servers, save=save)
    forwarder = Forwarder(pinned, tls=tls, tls_name=tls_name)
    return application(
        [_client_route(route, forwarder) for route in ROUTES],
        outside,
        settings,
        pinned,
        on_leave=on_leave,
        on_reload=on_reload,
        readiness=lambda: "converged",
    )


def _client_route(route: Route, forwarder: Forwarder) -> Route:
    endpoint = cast(Endpoint, route.endpoint)
    get, put = _action(route.path, endpoint.get, forwarder), _action(route.path, endpoint.put)
    return Route(route.path, Endpoint(get, put, endpoint.is_own), name=route.name)


def _action(path: str, action: Action | None, forwarder: Forwarder | None = None) -> Action | None:
    if action is None or path in _OWN:
        return action
    if forwarder is not None and (action.capability == "node:read" or path in _FORWARDED):
        handler = forwarder.stream if action.is_stream else forwarder.answer
        common = tuple(check for check in action.before if check is has_common_parameters)
        return Action("none", handler, common, action.is_stream)
    return Action("none", _refuse)


async def _refuse(_call: Call) -> Response:
    raise HttpError(501, INVALID_METHOD)
