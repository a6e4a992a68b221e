"""``/v1/agent/self``: Nomad's configuration and statistics documents.

Features that this agent doesn't have (jobs, Consul, Vault ...) appear with inert defaults, because clients
decode all fields. Durations are nanoseconds where Nomad sends a number. Secrets are shown as ``<redacted>``,
gossip keys not at all.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import uuid
from collections.abc import Mapping
from typing import Any

import anyio

from agent_api.agent import Agent, Call
from agent_api.errors import HttpError
from agent_api.settings import AgentSettings
from agent_api.shapes import nomad_member
from swim import Member, __version__
from swim.addresses import join_host_port, split_host_port

__all__ = ["self_document"]

_SECOND = 1_000_000_000
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
_LEVEL_NAMES = {logging.DEBUG: "DEBUG", logging.INFO: "INFO", logging.WARNING: "WARN", logging.ERROR: "ERROR"}
_SECRET_WORDS = ("token", "secret", "auth", "key", "cookie")


def self_document(call: Call) -> dict[str, Any]:
    """The whole answer: ``config``, ``member`` and ``stats``."""
    return {
        "config": _config(call),
        "member": nomad_member(call.agent.cluster.local),
        "stats": _stats(call.agent),
    }


def _log_level(settings: AgentSettings) -> str:
    """The current level, which a running agent can change; else the configured one."""
    number = logging.getLogger("swim").level
    return _LEVEL_NAMES.get(number) or settings.log_level.upper()


def _redacted(secret: str) -> str:
    return "<redacted>" if secret else ""


def _redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: _redacted(value) if any(word in name.lower() for word in _SECRET_WORDS) else value
        for name, value in headers.items()
    }


def _config(call: Call) -> dict[str, Any]:
    cluster, settings = call.agent.cluster, call.agent.settings
    http = call.http_endpoint or split_host_port("http", settings.http)
    serf_host, serf_port = cluster.endpoint
    rpc = call.agent.servers.address(cluster.local)
    rpc_host, _, rpc_port = rpc.rpartition(":")
    consul, vault = _consul(settings), _vault(settings)
    return {
        "ACL": {"Enabled": False, "ReplicationToken": _redacted(settings.replication_token)},
        "Addresses": {"HTTP": http[0], "RPC": rpc_host.strip("[]"), "Serf": serf_host},
        "AdvertiseAddrs": {
            "HTTP": join_host_port(*http),
            "RPC": rpc,
            "Serf": join_host_port(*cluster.advertised),
        },
        "BindAddr": serf_host,
        "Client": _client(settings),
        "Consul": consul,
        "Consuls": [consul],
        "DataDir": settings.data_dir,
        "Datacenter": settings.datacenter,
        "DevMode": False,
        "DisableAnonymousSignature": True,
        "DisableUpdateCheck": True,
        "EnableDebug": False,
        "EnableSyslog": False,
        "Files": None,
        "HTTPAPIResponseHeaders": _redacted_headers(settings.http_api_response_headers),
        "LeaveOnInt": settings.leave_on_interrupt,
        "LeaveOnTerm": settings.leave_on_terminate,
        "Limits": {
            "HTTPMaxConnsPerClient": settings.limits.max_conns_per_client,
            "HTTPSHandshakeTimeout": "5s",
            "RPCMaxConnsPerClient": 0,
        },
        "LogLevel": _log_level(settings),
        "NodeName": settings.server_name(cluster.config.name),
        "Ports": {"HTTP": http[1], "RPC": int(rpc_port), "Serf": serf_port},
        "Region": settings.region,
        "Revision": "",
        "Server": _server(settings),
        "SyslogFacility": "LOCAL0",
        "TLSConfig": {
            "CAFile": "",
            "CertFile": "",
            "EnableHTTP": False,
            "EnableRPC": False,
            "KeyFile": "",
            "VerifyServerHostname": False,
        },
        "Telemetry": _telemetry(settings),
        "UI": {"Enabled": False, "ShowCLIHints": False},
        "Vault": vault,
        "Vaults": [vault],
        "Version": {
            "BuildDate": "0001-01-01T00:00:00Z",
            "Revision": "",
            "Version": __version__,
            "VersionMetadata": "",
            "VersionPrerelease": "",
        },
        "VersionPrerelease": "",
    }


def _client(settings: AgentSettings) -> dict[str, Any]:
    return {
        "AllocDir": "",
        "ChrootEnv": {},
        "ClientMaxPort": 14512,
        "ClientMinPort": 14000,
        "DisableRemoteExec": settings.disable_remote_exec,
        "Enabled": settings.client_enabled,
        "GCDiskUsageThreshold": 80,
        "GCInodeUsageThreshold": 70,
        "GCInterval": 600 * _SECOND,
        "MaxKillTimeout": "30s",
        "Meta": {},
        "NetworkInterface": "",
        "NetworkSpeed": 0,
        "NodeClass": "",
        "Options": {},
        "Reserved": {
            "CPU": 0,
            "DiskMB": 0,
            "MemoryMB": 0,
            "ParsedReservedPorts": None,
            "ReservedPorts": "",
        },
        "Servers": None,
        "StateDir": "",
    }


def _server(settings: AgentSettings) -> dict[str, Any]:
    return {
        "BootstrapExpect": settings.bootstrap_expect,
        "DataDir": "",
        "Enabled": settings.server_enabled,
        "EnabledSchedulers": None,
        "HeartbeatGrace": "",
        "NodeGCThreshold": "",
        "NumSchedulers": 0,
        "ProtocolVersion": 0,
        "RejoinAfterLeave": False,
        "RetryInterval": f"{settings.retry_interval:g}s",
        "RetryJoin": list(settings.retry_join),
        "RetryMaxAttempts": settings.retry_max_attempts,
        "StartJoin": list(settings.start_join),
    }


def _consul(settings: AgentSettings) -> dict[str, Any]:
    return {
        "Addr": "",
        "Auth": "",
        "AutoAdvertise": False,
        "CAFile": "",
        "CertFile": "",
        "ChecksUseAdvertise": False,
        "ClientAutoJoin": False,
        "ClientServiceName": "",
        "EnableSSL": False,
        "KeyFile": "",
        "ServerAutoJoin": False,
        "ServerServiceName": "",
        "Timeout": 5 * _SECOND,
        "Token": _redacted(settings.consul_token),
        "VerifySSL": False,
    }


def _vault(settings: AgentSettings) -> dict[str, Any]:
    return {
        "Addr": "",
        "AllowUnauthenticated": False,
        "ConnectionRetryIntv": 30 * _SECOND,
        "Enabled": None,
        "Role": "",
        "TLSCaFile": "",
        "TLSCaPath": "",
        "TLSCertFile": "",
        "TLSKeyFile": "",
        "TLSServerName": "",
        "TLSSkipVerify": None,
        "TaskTokenTTL": "",
        "Token": _redacted(settings.vault_token),
    }


def _telemetry(settings: AgentSettings) -> dict[str, Any]:
    return {
        "CirconusAPIApp": "",
        "CirconusAPIToken": _redacted(settings.circonus_api_token),
        "CirconusAPIURL": "",
        "CirconusBrokerID": "",
        "CirconusBrokerSelectTag": "",
        "CirconusCheckDisplayName": "",
        "CirconusCheckForceMetricActivation": "",
        "CirconusCheckID": "",
        "CirconusCheckInstanceID": "",
        "CirconusCheckSearchTag": "",
        "CirconusCheckSubmissionURL": "",
        "CirconusCheckTags": "",
        "CirconusSubmissionInterval": "",
        "CollectionInterval": "1s",
        "DataDogAddr": "",
        "DataDogTags": [],
        "DisableHostname": False,
        "PublishAllocationMetrics": False,
        "PublishNodeMetrics": False,
        "StatsdAddr": "",
        "StatsiteAddr": "",
        "UseNodeName": False,
    }


def _stats(agent: Agent) -> dict[str, dict[str, str]]:
    """Nomad's statistics: sections of strings, never numbers or booleans."""
    stats = agent.cluster.stats()._asdict()
    sections = {
        "serf": {name: _text(value) for name, value in stats.items()},
        "runtime": _runtime(),
    }
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
            "node_id": str(uuid.uuid5(uuid.NAMESPACE_OID, agent.cluster.config.name)),
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
    machine = platform.machine().lower()
    tasks = len(anyio.get_running_tasks())
    return {
        "kernel.name": platform.system().lower(),
        "arch": _ARCHITECTURES.get(machine, machine),
        "version": f"python{platform.python_version()}",
        "max_procs": str(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "goroutines": str(tasks + threading.active_count()),
        "cpu_count": str(os.cpu_count()),
    }
