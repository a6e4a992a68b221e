"""``/v1/agent/health``: one half per role, computed at once from the local view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_api.agent import Agent
from agent_api.errors import HttpError
from swim import MemberStatus

__all__ = ["report"]


def report(agent: Agent, wanted: Sequence[str], *, region: str, stale: bool) -> dict[str, Any]:
    """The halves ``client`` and ``server``: those ``wanted`` by name, or those of every enabled role.

    Unknown names in ``wanted`` are ignored; a disabled role counts as unhealthy only if it is named.
    """
    enabled = {"client": agent.settings.client_enabled, "server": agent.settings.server_enabled}
    troubles = {
        "client": lambda: _client_trouble(agent),
        "server": lambda: _server_trouble(agent, region, stale=stale),
    }
    halves = {}
    for half, on in enabled.items():
        if half in wanted or (on and not wanted):
            trouble = troubles[half]() if on else f"{half} not enabled"
            halves[half] = {"ok": not trouble, "message": trouble or "ok"}
    return halves


def _client_trouble(agent: Agent) -> str:
    return "" if agent.servers.known() else "no known servers"


def _server_trouble(agent: Agent, region: str, *, stale: bool) -> str:
    if agent.cluster.status == "stopped":
        return "gossip not running"
    if agent.cluster.status != "running" or agent.cluster.local.status is not MemberStatus.ALIVE:
        return "agent is leaving"
    if not agent.settings.advisory_leader:
        return ""
    try:
        leader = agent.servers.leader(region)
    except HttpError as error:
        return error.text
    if leader is None:
        return "no leader" if stale else "No cluster leader"
    return ""
