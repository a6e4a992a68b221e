"""Nomad's ``/v1/agent`` HTTP API, and ``/v1/swim`` for our own commands, over one ``swim.Cluster``.

``create_app`` builds the ASGI application, ``serve`` runs it on trio. Both are loaded on first use, so that a
program that needs only ``agent_api.client`` does not load a web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_api.app import create_app as create_app
    from agent_api.forwarding.app import create_client_app as create_client_app
    from agent_api.server import listen as listen
    from agent_api.server import serve as serve
    from agent_api.settings import AgentSettings as AgentSettings
    from agent_api.tls import Tls as Tls

__all__ = ["AgentSettings", "Tls", "create_app", "create_client_app", "listen", "serve"]

_HOMES = {
    "AgentSettings": "agent_api.settings",
    "Tls": "agent_api.tls",
    "create_app": "agent_api.app",
    "create_client_app": "agent_api.forwarding.app",
    "listen": "agent_api.server",
    "serve": "agent_api.server",
}

if not TYPE_CHECKING:  # or every name would exist for a type checker

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
