"""``/v1/status`` and ``/v1/regions``, which Nomad's command line needs for its table of servers."""

from __future__ import annotations

from starlette.responses import Response

from agent_api.agent import Call
from agent_api.errors import HttpError

__all__ = ["leader", "peers", "regions"]


async def leader(call: Call) -> Response:
    """The address of the advisory leader of a region."""
    found = call.agent.servers.leader(_region(call))
    if found is None and not call.query.stale:
        raise HttpError(500, "No cluster leader")
    return call.json(call.agent.servers.address(found) if found else "")


async def peers(call: Call) -> Response:
    """The addresses of a region's servers that have not left."""
    servers = call.agent.servers
    region = _region(call)
    if region not in servers.regions():
        raise HttpError(500, "No path to region")
    return call.json(sorted({servers.address(member) for member in servers.peers(region)}))


async def regions(call: Call) -> Response:
    """The regions with an alive server."""
    return call.json(call.agent.servers.regions())


def _region(call: Call) -> str:
    return call.query.region(call.agent.settings.region)
