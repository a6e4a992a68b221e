"""Our own paths and their handlers, all under ``/v1/swim/``."""

from __future__ import annotations

from agent_api import keyring
from agent_api.endpoint import Action, route
from agent_api.own import membership, messages, reachability, reports
from agent_api.streams import requests

__all__ = ["OWN_ROUTES"]

OWN_ROUTES = (
    route("swim-members", "/v1/swim/members", get=Action("node:read", membership.members)),
    route("swim-info", "/v1/swim/info", get=Action("agent:read", membership.info)),
    route("swim-config", "/v1/swim/config", get=Action("agent:read", membership.config)),
    route("swim-join", "/v1/swim/join", put=Action("agent:write", membership.join)),
    route("swim-force-leave", "/v1/swim/force-leave", put=Action("agent:write", membership.force_leave)),
    route("swim-leave", "/v1/swim/leave", put=Action("agent:write", membership.leave)),
    route("swim-why", "/v1/swim/why", get=Action("node:read", membership.why)),
    route("swim-why-name", "/v1/swim/why/{name:path}", get=Action("node:read", membership.why)),
    route(
        "swim-events",
        "/v1/swim/events",
        get=Action("management", requests.events, is_stream=True),
        put=Action("agent:write", messages.user_event),
    ),
    route("swim-watch", "/v1/swim/watch", get=Action("node:read", requests.watch, is_stream=True)),
    route("swim-snapshot", "/v1/swim/snapshot", get=Action("node:read", requests.snapshot)),
    route("swim-views", "/v1/swim/views", get=Action("node:read", reports.views)),
    route("swim-partitions", "/v1/swim/partitions", get=Action("node:read", reports.partitions)),
    route("swim-live", "/v1/swim/health/live", get=Action("none", reports.live)),
    route("swim-ready", "/v1/swim/health/ready", get=Action("none", reports.ready)),
    route("swim-metrics-history", "/v1/swim/metrics/history", get=Action("node:read", reports.history)),
    route("swim-query", "/v1/swim/query", put=Action("agent:write", messages.query, is_stream=True)),
    route(
        "swim-tags",
        "/v1/swim/tags",
        get=Action("agent:read", messages.tags),
        put=Action("agent:write", messages.set_tags),
    ),
    route("swim-coordinate", "/v1/swim/coordinate", get=Action("node:read", reachability.coordinate)),
    route("swim-coordinates", "/v1/swim/coordinates", get=Action("node:read", reachability.coordinates)),
    route("swim-rtt", "/v1/swim/rtt", get=Action("node:read", reachability.rtt)),
    route(
        "swim-reachability",
        "/v1/swim/reachability",
        put=Action("agent:write", reachability.reachability, is_stream=True),
    ),
    route("swim-keyring", "/v1/swim/keyring", get=Action("agent:read", keyring.swim_list)),
    *(
        route(
            f"swim-keyring-{operation}",
            f"/v1/swim/keyring/{operation}",
            put=Action("agent:write", keyring.swim_change(operation)),
        )
        for operation in keyring.CHANGES
    ),
)
"""Each with the capability that it requires, by Nomad's scheme."""
