"""How the agent and its cluster are: health, metrics of five minutes, and the views of other agents."""

from __future__ import annotations

from starlette.responses import Response

from agent_api.agent import Call
from agent_api.errors import HttpError
from agent_api.own.views import groups_of

__all__ = ["READINESS", "history", "live", "partitions", "ready", "views"]

READINESS = ("listening", "joined", "converged")
"""In their order: gossip and HTTP answer; another member is alive, or none was to be joined; and since then
no member changed for a while."""


async def live(call: Call) -> Response:
    """503 once the node has ended; an agent that hangs does not answer at all."""
    status = call.agent.cluster.status
    is_live = status != "stopped"
    return call.json({"live": is_live, "status": status}, status=200 if is_live else 503)


async def ready(call: Call) -> Response:
    """503 before the state asked for is reached, and once the agent leaves."""
    wanted = call.query.first("state") or "joined"
    if wanted not in READINESS:
        raise HttpError(400, f"state: must be one of {', '.join(READINESS)}, not {wanted!r}")
    status, readiness = call.agent.cluster.status, call.agent.readiness()
    is_ready = status == "running" and READINESS.index(readiness) >= READINESS.index(wanted)
    document = {"ready": is_ready, "readiness": readiness, "wanted": wanted, "status": status}
    return call.json(document, status=200 if is_ready else 503)


async def views(call: Call) -> Response:
    """Every agent's view, or why it is not known; with ``measured``, what it knows first-hand too."""
    is_measured = call.query.boolean("measured", "invalid measured value")
    found = await call.agent.views.collect(is_measured=is_measured)
    return call.json({"at": call.agent.observer.clock.now(), "views": found})


async def partitions(call: Call) -> Response:
    """The agents whose views agree, the largest group first; and those whose views are not known."""
    found = await call.agent.views.collect()
    return call.json(
        {
            "at": call.agent.observer.clock.now(),
            "partitions": groups_of(found),
            "unknown": {view["agent"]: view["error"] for view in found if view["error"]},
        }
    )


async def history(call: Call) -> Response:
    """The samples of the last five minutes."""
    return call.json(call.agent.history.shape())
