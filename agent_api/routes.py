"""The paths and their handlers.

Every request is checked in Nomad's order: the method, what the path checks before it looks at the token (the
role, and some parameters), the capability that the token must grant, the other parameters; then the handler
acts. Each is listed with the capability that Nomad's access control requires for it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent_api import health as health_report
from agent_api import keyring, machine, messages, reachability, shapes, status, telemetry
from agent_api.agent import Agent, Call, nothing
from agent_api.errors import INVALID_METHOD, SERF_CANNOT_JOIN, HttpError, error_response, multi_error
from agent_api.parameters import Query
from agent_api.self_config import self_document
from agent_api.streams import requests
from swim import ForceLeaveOutcome, LocalError
from swim.text import shown

__all__ = ["ROUTES", "Action", "Capability", "Endpoint"]

Handler = Callable[[Call], Awaitable[Response]]
Check = Callable[[Call], None]
Capability = Literal["none", "agent:read", "agent:write", "node:read", "management"]
"""What a token must grant, as Nomad names it; a write capability includes its read capability."""

_JOIN_SECONDS = 3.0
_FORCE_LEAVE_SECONDS = 3.0
"""Seconds; a broadcast that takes longer continues after the client was answered."""

_ANONYMOUS_JOIN = "anonymous server join is deprecated and will be removed in a future version of Nomad"
_KEY_CHANGES = ("install", "use", "remove")

_log = logging.getLogger("swim.http")


class Action(NamedTuple):
    """The handler of one method of a path, the capability it requires, and what is checked before that."""

    capability: Capability
    handler: Handler
    before: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path as an ASGI application: at most a reader and a writer; PUT and POST are the same."""

    get: Action | None = None
    put: Action | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; an exception of a handler becomes an answer too."""
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except Exception as error:
            response = error_response(error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        action = {"GET": self.get, "PUT": self.put, "POST": self.put}.get(request.method)
        if action is None:
            allowed = [*(["GET"] if self.get else []), *(["PUT", "POST"] if self.put else [])]
            return PlainTextResponse(INVALID_METHOD, 405, headers={"Allow": ", ".join(allowed)})
        agent: Agent = request.app.state.agent
        grant = agent.settings.access.grant(request.scope["headers"])
        call = Call(agent, Query(request.scope["query_string"]), request, grant)
        for check in action.before:
            check(call)
        call.require(action.capability)
        return await action.handler(call)


def _has_server_role(call: Call) -> None:
    call.agent.require_server_role()


def _has_client_role(call: Call) -> None:
    call.agent.require_client_role()


def _has_common_parameters(call: Call) -> None:
    call.query.check_common()


def _has_server_address(call: Call) -> None:
    if not call.query.all("address"):
        raise HttpError(400, "missing server address")


async def _members(call: Call) -> Response:
    cluster, settings = call.agent.cluster, call.agent.settings
    document = {
        "ServerName": settings.server_name(cluster.config.name),
        "ServerRegion": settings.region,
        "ServerDC": settings.datacenter,
    }
    members = shapes.nomad_order(cluster.members())
    return await call.json_list(document, "Members", members, shapes.nomad_member)


async def _servers(call: Call) -> Response:
    return call.json(call.agent.servers.known())


async def _set_servers(call: Call) -> Response:
    await call.agent.servers.pin(call.query.all("address"))
    return nothing()


async def _self(call: Call) -> Response:
    return call.json(self_document(call))


async def _join(call: Call) -> Response:
    warning, mode = "", call.agent.settings.access.join
    if mode == "enforce":
        call.require("agent:write")
    elif mode == "warn" and not call.grant.may("agent:write"):
        warning = _ANONYMOUS_JOIN
    addresses = call.query.all("address")
    if not addresses:
        raise HttpError(400, "missing address to join")
    joined, error = 0, ""
    try:
        result = await call.agent.cluster.join(addresses, timeout=_JOIN_SECONDS)
    except LocalError:
        error = SERF_CANNOT_JOIN
    else:
        # Nomad counts a join of the own address.
        own = call.agent.cluster.advertised
        joined = sum(outcome.ok or outcome.endpoint == own for outcome in result.outcomes)
        error = "" if joined else multi_error([outcome.error for outcome in result.outcomes])
    return call.json({"num_joined": joined, "error": error, "warning": warning})


async def _force_leave(call: Call) -> Response:
    node = call.query.first("node")
    if not node:
        raise HttpError(400, "missing node to force leave")
    prune = call.query.boolean("prune", "invalid prune value")
    try:
        outcome = await call.agent.cluster.force_leave(node, prune=prune, timeout=_FORCE_LEAVE_SECONDS)
    except TimeoutError:
        return nothing()
    if outcome is ForceLeaveOutcome.UNKNOWN:
        _log.warning("force-leave of %s: no such member", shown(node))
    return nothing()


async def _health(call: Call) -> Response:
    halves = health_report.report(
        call.agent,
        call.query.all("type"),
        region=call.query.region(call.agent.settings.region),
        stale=call.query.stale,
    )
    return call.json(halves, status=200 if all(half["ok"] for half in halves.values()) else 500)


async def _swim_members(call: Call) -> Response:
    members = sorted(call.agent.cluster.members(), key=lambda member: member.name)
    return await call.json_list({}, "members", members, shapes.member_shape)


async def _swim_info(call: Call) -> Response:
    return call.json(shapes.info_shape(call.agent.cluster, call.agent.settings, call.agent.readiness()))


async def _swim_join(call: Call) -> Response:
    addresses = call.query.all("address")
    if not addresses:
        raise HttpError(400, "missing address to join")
    try:
        result = await call.agent.cluster.join(addresses, timeout=_JOIN_SECONDS)
    except LocalError as refusal:
        raise HttpError(409, str(refusal)) from None
    return call.json(shapes.join_shape(result))


async def _swim_force_leave(call: Call) -> Response:
    node = call.query.first("node")
    if not node:
        raise HttpError(400, "missing node to force leave")
    prune = call.query.boolean("prune", "invalid prune value")
    try:
        outcome = await call.agent.cluster.force_leave(node, prune=prune, timeout=_FORCE_LEAVE_SECONDS)
    except TimeoutError as slow:
        raise HttpError(504, str(slow)) from None
    if outcome is ForceLeaveOutcome.UNKNOWN:
        raise HttpError(404, f"no member named {node!r}")
    return call.json(shapes.force_leave_shape(node, outcome))


async def _swim_leave(call: Call) -> Response:
    await call.agent.cluster.leave()
    response = call.json({"left": True})
    response.background = BackgroundTask(_run, call.agent.on_leave)
    return response


async def _run(callback: Callable[[], None]) -> None:
    """Calls ``callback`` in the event loop; Starlette would take a plain function to a thread."""
    callback()


async def _swim_why(call: Call) -> Response:
    name = call.query.first("name")
    if not name:
        raise HttpError(400, "missing name")
    cluster = call.agent.cluster
    member, history = cluster.member(name), cluster.history(name)
    if member is None and not history:
        raise HttpError(404, f"no member named {name!r}")
    return call.json(shapes.why_shape(name, member, history, cluster.now()))


async def _reload(call: Call) -> Response:
    if call.agent.on_reload is None:
        raise HttpError(501, "this agent has no settings to read again")
    await call.agent.on_reload()
    return nothing()


def _route(name: str, path: str, *, get: Action | None = None, put: Action | None = None) -> Route:
    return Route(path, Endpoint(get, put), name=name)


ROUTES = (
    _route("members", "/v1/agent/members", get=Action("node:read", _members, (_has_common_parameters,))),
    _route(
        "servers",
        "/v1/agent/servers",
        get=Action("agent:read", _servers, (_has_client_role,)),
        put=Action("agent:write", _set_servers, (_has_client_role, _has_server_address)),
    ),
    _route("self", "/v1/agent/self", get=Action("agent:read", _self)),
    _route("join", "/v1/agent/join", put=Action("none", _join, (_has_server_role,))),
    _route(
        "force-leave", "/v1/agent/force-leave", put=Action("agent:write", _force_leave, (_has_server_role,))
    ),
    _route("health", "/v1/agent/health", get=Action("none", _health, (_has_common_parameters,))),
    _route(
        "monitor", "/v1/agent/monitor", get=Action("agent:read", requests.monitor, (requests.check_monitor,))
    ),
    _route(
        "host",
        "/v1/agent/host",
        get=Action("agent:read", machine.host, (machine.check_debug, machine.check_target)),
    ),
    _route(
        "pprof",
        "/v1/agent/pprof/{profile}",
        get=Action("agent:write", machine.profile, (machine.check_debug,)),
    ),
    _route("metrics", "/v1/metrics", get=Action("none", telemetry.metrics)),
    _route(
        "event-stream",
        "/v1/event/stream",
        get=Action("node:read", requests.event_stream, (requests.check_event_stream,)),
    ),
    _route("reload", "/v1/agent/reload", put=Action("agent:write", _reload)),
    _route("leader", "/v1/status/leader", get=Action("none", status.leader, (_has_common_parameters,))),
    _route("peers", "/v1/status/peers", get=Action("none", status.peers, (_has_common_parameters,))),
    _route("regions", "/v1/regions", get=Action("none", status.regions, (_has_common_parameters,))),
    _route(
        "keyring-list",
        "/v1/agent/keyring/list",
        get=Action("agent:write", keyring.nomad_list, (_has_server_role,)),
    ),
    *(
        _route(
            f"keyring-{operation}",
            f"/v1/agent/keyring/{operation}",
            put=Action("agent:write", keyring.nomad_change(operation), (_has_server_role,)),
        )
        for operation in _KEY_CHANGES
    ),
    _route(
        "keyring-other",
        "/v1/agent/keyring/{operation}",
        get=Action("agent:write", keyring.unknown, (_has_server_role,)),
        put=Action("agent:write", keyring.unknown, (_has_server_role,)),
    ),
    _route("swim-members", "/v1/swim/members", get=Action("node:read", _swim_members)),
    _route("swim-info", "/v1/swim/info", get=Action("agent:read", _swim_info)),
    _route("swim-join", "/v1/swim/join", put=Action("agent:write", _swim_join)),
    _route("swim-force-leave", "/v1/swim/force-leave", put=Action("agent:write", _swim_force_leave)),
    _route("swim-leave", "/v1/swim/leave", put=Action("agent:write", _swim_leave)),
    _route("swim-why", "/v1/swim/why", get=Action("node:read", _swim_why)),
    _route(
        "swim-events",
        "/v1/swim/events",
        get=Action("management", requests.events),
        put=Action("agent:write", messages.user_event),
    ),
    _route("swim-watch", "/v1/swim/watch", get=Action("node:read", requests.watch)),
    _route("swim-query", "/v1/swim/query", put=Action("agent:write", messages.query)),
    _route(
        "swim-tags",
        "/v1/swim/tags",
        get=Action("agent:read", messages.tags),
        put=Action("agent:write", messages.set_tags),
    ),
    _route("swim-coordinate", "/v1/swim/coordinate", get=Action("node:read", reachability.coordinate)),
    _route("swim-rtt", "/v1/swim/rtt", get=Action("node:read", reachability.rtt)),
    _route(
        "swim-reachability", "/v1/swim/reachability", put=Action("agent:write", reachability.reachability)
    ),
    _route("swim-keyring", "/v1/swim/keyring", get=Action("agent:read", keyring.swim_list)),
    *(
        _route(
            f"swim-keyring-{operation}",
            f"/v1/swim/keyring/{operation}",
            put=Action("agent:write", keyring.swim_change(operation)),
        )
        for operation in _KEY_CHANGES
    ),
)
"""Shared by every application in the process; a handler finds its agent in ``app.state``."""
