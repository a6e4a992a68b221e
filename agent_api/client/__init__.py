"""Typed clients of an agent's HTTP API: ``AgentClient`` blocks, ``AsyncAgentClient`` is for trio and asyncio.

Both have the same methods and raise the same errors. Those of the client itself are our own paths under
``/v1/swim``; ``client.nomad`` has Nomad's. The blocking client needs the standard library only; the other one
needs httpx (``pip install 'swim-cluster[client]'``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from agent_api.client.errors import (
    AgentConnectionRefused,
    AgentError,
    AgentTimeout,
    AgentTlsError,
    AgentUnreachable,
    NotAnAgent,
)

if TYPE_CHECKING:
    from agent_api.client.asynchronous import AsyncAgentClient as AsyncAgentClient
    from agent_api.client.blocking import AgentClient as AgentClient
    from agent_api.client.calls import OwnCalls as OwnCalls
    from agent_api.client.nomad import NomadCalls as NomadCalls
    from agent_api.client.target import Tls as Tls

__all__ = [
    "AgentClient",
    "AgentConnectionRefused",
    "AgentError",
    "AgentTimeout",
    "AgentTlsError",
    "AgentUnreachable",
    "AsyncAgentClient",
    "NomadCalls",
    "NotAnAgent",
    "OwnCalls",
    "Tls",
]

_HOMES = {
    "AgentClient": "agent_api.client.blocking",
    "AsyncAgentClient": "agent_api.client.asynchronous",
    "NomadCalls": "agent_api.client.nomad",
    "OwnCalls": "agent_api.client.calls",
    "Tls": "agent_api.client.target",
}

if not TYPE_CHECKING:  # or every name would exist for a type checker

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(_HOMES[name]), name)
        except ModuleNotFoundError as error:
            if error.name != "httpx":
                raise
            raise ImportError(f"{name} needs httpx: pip install 'swim-cluster[client]'") from None
