"""``/v1/agent/self``: Nomad's configuration and statistics documents.

Features that this agent doesn't have (jobs, Consul, Vault ...) appear with inert defaults, because clients
decode all fields. Durations are nanoseconds where Nomad sends a number. Secrets are shown as ``<redacted>``,
gossip keys not at all.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import anyio

from agent_api.agent import Agent, Call
from agent_api.errors import HttpError
from agent_api.machine import node_id
from agent_api.settings import AgentSettings
from agent_api.shapes import nomad_member
from swim import Member, __version__, verbosity
from swim.addresses import join_host_port, split_host_port
from swim.listening import socket_path
from swim.runtime import runtime_stats

__all__ = ["self_document"]

_TEMPLATE: dict[str, Any] = json.loads((files("agent_api") / "self_template.json").read_text("utf-8"))
"""The configuration document without what depends on this agent."""
_LEVEL_NAMES = {logging.DEBUG: "DEBUG", logging.INFO: "INFO", logging.WARNING: "WARN", logging.ERROR: "ERROR"}
_SECRET_WORDS = ("token", "secret", "auth", "key", "cookie")


def self_document(call: Call) -> dict[str, Any]:
    """The whole answer: ``config``, ``member`` and ``stats``."""
    return {
        "config": _config(call),
        "member": _member(call.agent.cluster.local),
        "stats": _stats(call.agent),
    }


def _member(local: Member) -> dict[str, Any]:
    """The agent's member; of a client, which is none, what Nomad shows."""
    return nomad_member(local) if local.name else nomad_member(local) | {"Status": "none"}


def _log_level(settings: AgentSettings) -> str:
    """The current level, which a running agent can change; else the configured one."""
    return _LEVEL_NAMES.get(verbosity.level()) or settings.log_level.upper()


def _redacted(secret: str) -> str:
    return "<redacted>" if secret else ""


def _redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: _redacted(value) if any(word in name.lower() for word in _SECRET_WORDS) else value
        for name, value in headers.items()
    }


def _config(call: Call) -> dict[str, Any]:
    cluster, settings = call.agent.cluster, call.agent.settings
    path = socket_path("http", settings.http)
    http = call.http_endpoint or ((path, 0) if path else split_host_port("http", settings.http))
    serf_host, serf_port = cluster.endpoint
    rpc = call.agent.servers.address(cluster.local)
    rpc_host, _, rpc_port = rpc.rpartition(":")
    document = _over(
        _TEMPLATE,
        {
            "ACL": {"ReplicationToken": _redacted(settings.replication_token)},
            "Addresses": {"HTTP": http[0], "RPC": rpc_host.strip("[]"), "Serf": serf_host},
            "AdvertiseAddrs": {
                "HTTP": settings.http if path else join_host_port(*http),
                "RPC": rpc,
                "Serf": join_host_port(*cluster.advertised),
            },
            "BindAddr": serf_host,
            "Client": {"DisableRemoteExec": settings.disable_remote_exec, "Enabled": settings.client_enabled},
            "Consul": {"Token": _redacted(settings.consul_token)},
            "DataDir": settings.data_dir,
            "Datacenter": settings.datacenter,
            "HTTPAPIResponseHeaders": _redacted_headers(settings.http_api_response_headers),
            "LeaveOnInt": settings.leave_on_interrupt,
            "LeaveOnTerm": settings.leave_on_terminate,
            "Limits": {"HTTPMaxConnsPerClient": settings.limits.max_conns_per_client},
            "LogLevel": _log_level(settings),
            "NodeName": settings.server_name(cluster.config.name),
            "Ports": {"HTTP": http[1], "RPC": int(rpc_port), "Serf": serf_port},
            "Region": settings.region,
            "Server": {
                "BootstrapExpect": settings.bootstrap_expect,
                "Enabled": settings.server_enabled,
                "RetryInterval": f"{settings.retry_interval:g}s",
                "RetryJoin": list(settings.retry_join),
                "RetryMaxAttempts": settings.retry_max_attempts,
                "StartJoin": list(settings.start_join),
            },
            "TLSConfig": {
                "CAFile": settings.tls.ca_file,
                "CertFile": settings.tls.cert_file,
                "EnableHTTP": True,
                "KeyFile": settings.tls.key_file,
            }
            if settings.tls
            else {},
            "Telemetry": {"CirconusAPIToken": _redacted(settings.circonus_api_token)},
            "Vault": {"Token": _redacted(settings.vault_token)},
            "Version": {"Version": __version__},
        },
    )
    if settings.serf_rpc:
        document["Addresses"]["SerfRPC"] = settings.serf_rpc
    return document | {"Consuls": [document["Consul"]], "Vaults": [document["Vault"]]}


def _over(template: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The template with the live values laid over it, section by section."""
    sections = {name: _over(template.get(name, {}), v) for name, v in live.items() if isinstance(v, dict)}
    return {**template, **live, **sections}


def _stats(agent: Agent) -> dict[str, dict[str, str]]:
    """Nomad's statistics: sections of strings, never numbers or booleans."""
    stats = agent.cluster.stats()._asdict()
    del stats["sequence"]  # Serf has none
    sections = {"runtime": _runtime()}
    if agent.cluster.local.name:
        sections["serf"] = {name: _text(value) for name, value in stats.items() if value is not None}
    if agent.settings.server_enabled:
        leader = _leader(agent)
        others = [m for m in agent.servers.peers(agent.settings.region) if m.name != agent.cluster.local.name]
        sections["nomad"] = {
            "server": "true",
            "leader": _text(leader is not None and leader.name == agent.cluster.local.name),
            "leader_addr": agent.servers.address(leader) if leader else "",
            "bootstrap": _text(agent.settings.bootstrap_expect == 1),
            "known_regions": str(len(agent.servers.regions())),
        }
        sections["raft"] = {"num_peers": str(len(others))}
    if agent.settings.client_enabled:
        sections["client"] = {
            "node_id": node_id(agent.cluster.config.name),
            "known_servers": ",".join(agent.servers.known()),
            "num_allocations": "0",
            "last_heartbeat": "0s",
            "heartbeat_ttl": "0s",
        }
    return sections


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leader(agent: Agent) -> Member | None:
    try:
        return agent.servers.leader(agent.settings.region)
    except HttpError:
        return None


def _runtime() -> dict[str, str]:
    stats = runtime_stats(tasks=len(anyio.get_running_tasks()))
    return {"kernel.name": stats.pop("os"), **stats}
