"""The paths and their handlers, each with the capability that Nomad's access control requires for it."""

from __future__ import annotations

import logging

from starlette.responses import Response

from agent_api import health as health_report
from agent_api import keyring, machine, shapes, status
from agent_api.agent import Call, nothing
from agent_api.endpoint import Action, has_client_role, has_common_parameters, has_server_role, route
from agent_api.errors import SERF_CANNOT_JOIN, HttpError, multi_error
from agent_api.openapi.routes import OPENAPI_ROUTES
from agent_api.own.routes import OWN_ROUTES
from agent_api.self_config import self_document
from agent_api.streams import requests
from agent_api.telemetry.metrics import metrics
from swim import ForceLeaveOutcome, LocalError
from swim.text import shown

__all__ = ["ROUTES"]

_JOIN_SECONDS = 3.0
_FORCE_LEAVE_SECONDS = 3.0
"""Seconds; a broadcast that takes longer continues after the client was answered."""

_ANONYMOUS_JOIN = "anonymous server join is deprecated and will be removed in a future version of Nomad"

_log = logging.getLogger("swim.http")


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
    members = cluster.members()

    async def make() -> bytes:
        ordered, pretty = shapes.nomad_order(members), call.query.pretty
        return await shapes.in_portions(document, "Members", ordered, shapes.nomad_member, pretty=pretty)

    return await call.json_of(members, make)


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


async def _reload(call: Call) -> Response:
    if call.agent.on_reload is None:
        raise HttpError(501, "this agent has no settings to read again")
    await call.agent.on_reload()
    return nothing()


ROUTES = (
    route("members", "/v1/agent/members", get=Action("node:read", _members, (has_common_parameters,))),
    route(
        "servers",
        "/v1/agent/servers",
        get=Action("agent:read", _servers, (has_client_role,)),
        put=Action("agent:write", _set_servers, (has_client_role, _has_server_address)),
    ),
    route("self", "/v1/agent/self", get=Action("agent:read", _self)),
    route("join", "/v1/agent/join", put=Action("none", _join, (has_server_role,))),
    route(
        "force-leave", "/v1/agent/force-leave", put=Action("agent:write", _force_leave, (has_server_role,))
    ),
    route("health", "/v1/agent/health", get=Action("none", _health, (has_common_parameters,))),
    route(
        "monitor",
        "/v1/agent/monitor",
        get=Action("agent:read", requests.monitor, (requests.check_monitor,), is_stream=True),
    ),
    route(
        "host",
        "/v1/agent/host",
        get=Action("agent:read", machine.host, (machine.check_debug,)),
    ),
    route("pprof-index", "/v1/agent/pprof/", get=Action("none", machine.no_index)),
    route(
        "pprof",
        "/v1/agent/pprof/{profile}",
        get=Action("agent:write", machine.profile, (machine.check_debug,)),
    ),
    route("metrics", "/v1/metrics", get=Action("none", metrics)),
    route(
        "event-stream",
        "/v1/event/stream",
        get=Action("node:read", requests.event_stream, (requests.check_event_stream,), is_stream=True),
    ),
    route("reload", "/v1/agent/reload", put=Action("agent:write", _reload)),
    route("leader", "/v1/status/leader", get=Action("none", status.leader, (has_common_parameters,))),
    route("peers", "/v1/status/peers", get=Action("none", status.peers, (has_common_parameters,))),
    route("regions", "/v1/regions", get=Action("none", status.regions, (has_common_parameters,))),
    route(
        "keyring-list",
        "/v1/agent/keyring/list",
        get=Action("agent:write", keyring.nomad_list, (has_server_role,)),
    ),
    *(
        route(
            f"keyring-{operation}",
            f"/v1/agent/keyring/{operation}",
            put=Action("agent:write", keyring.nomad_change(operation), (has_server_role,)),
        )
        for operation in keyring.CHANGES
    ),
    route(
        "keyring-other",
        "/v1/agent/keyring/{operation}",
        get=Action("agent:write", keyring.unknown, (has_server_role,)),
        put=Action("agent:write", keyring.unknown, (has_server_role,)),
    ),
    *OWN_ROUTES,
    *OPENAPI_ROUTES,
)
"""Shared by every application in the process; a handler finds its agent in ``app.state``."""
