"""The members, and the commands about them."""

from __future__ import annotations

from collections.abc import Callable

from starlette.background import BackgroundTask
from starlette.responses import Response

from agent_api import shapes
from agent_api.agent import Call
from agent_api.errors import HttpError
from agent_api.own.configuration import settings_shape
from swim import ForceLeaveOutcome, LocalError

__all__ = ["config", "force_leave", "info", "join", "leave", "members", "why"]

_JOIN_SECONDS = 3.0
_FORCE_LEAVE_SECONDS = 3.0
"""Seconds; a broadcast that takes longer continues after the client was answered."""


async def members(call: Call) -> Response:
    """The members by name, with what this agent knows of each; with its history, if asked for."""
    observer = call.agent.observer
    is_long = call.query.boolean("history", "invalid history value")
    shape = observer.with_history if is_long else observer.member
    by_name = sorted(call.agent.cluster.members(), key=lambda member: member.name)
    return await call.json_list({}, "members", by_name, shape)


async def info(call: Call) -> Response:
    """The node's own state."""
    return call.json(shapes.info_shape(call.agent.cluster, call.agent.settings, call.agent.readiness()))


async def config(call: Call) -> Response:
    """The settings of the node, and where each came from."""
    found = settings_shape(call.agent.cluster.config, call.agent.settings.origins)
    return call.json({"settings": found})


async def join(call: Call) -> Response:
    """Exchanges full state with each address; answers with the outcome of each."""
    addresses = call.query.all("address")
    if not addresses:
        raise HttpError(400, "missing address to join")
    try:
        result = await call.agent.cluster.join(addresses, timeout=_JOIN_SECONDS)
    except LocalError as refusal:
        raise HttpError(409, str(refusal)) from None
    return call.json(shapes.join_shape(result))


async def force_leave(call: Call) -> Response:
    """Declares that a member has left; answers which case applied."""
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


async def leave(call: Call) -> Response:
    """Leaves the cluster; the agent is stopped once that is answered."""
    await call.agent.cluster.leave()
    response = call.json({"left": True})
    response.background = BackgroundTask(_run, call.agent.on_leave)
    return response


async def _run(callback: Callable[[], None]) -> None:
    """Calls ``callback`` in the event loop; Starlette would take a plain function to a thread."""
    callback()


async def why(call: Call) -> Response:
    """A member's transitions, with their reasons."""
    name = call.request.path_params.get("name") or call.query.first("name")
    if not name:
        raise HttpError(400, "missing name")
    document = call.agent.observer.why(name)
    if document is None:
        raise HttpError(404, f"no member named {name!r}")
    return call.json(document)
