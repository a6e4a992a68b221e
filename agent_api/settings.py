"""Every setting of the HTTP layer in one frozen value, named as Nomad's agent configuration in snake_case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agent_api.access.control import AccessControl
from agent_api.client.target import Tls as ClientTls
from agent_api.limits import HttpLimits
from agent_api.tls import Tls
from swim import ConfigError, checks
from swim.addresses import split_host_port
from swim.listening import socket_path

__all__ = ["AgentSettings"]

_LOG_LEVELS = ("trace", "debug", "info", "warn", "error", "off")
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Settings of one agent's HTTP API. Gossip settings are in ``swim.Config``.

    Raises:
        ConfigError: naming the field, when a value or a combination is impossible.
    """

    http: str = "127.0.0.1:4646"
    """``HOST:PORT`` or ``[V6]:PORT`` to serve on, port 0 lets the system choose one; or ``unix:///PATH``."""
    http_socket_mode: int = 0o600
    """Permissions of a Unix socket; 0..0o777."""
    tls: Tls | None = None
    """HTTPS in place of HTTP, on TCP."""
    http_hosts: tuple[str, ...] = ()
    """Names, without port, that clients may use for this agent besides IP addresses, names without a dot, its
    own name and the host of ``http``; ``*`` allows any name. Pages under names listed here may also write."""
    limits: HttpLimits = field(default_factory=HttpLimits)
    """Limits for clients."""

    # -- identity
    region: str = "global"
    datacenter: str = "dc1"
    node_name: str = ""
    """``ServerName`` in answers; if empty, the gossip name without a ``.region`` suffix."""

    # -- roles
    server_enabled: bool = True
    """Serve gossip control: join and force-leave."""
    client_enabled: bool = True
    """Serve the server list."""
    rpc_port: int = 4647
    """Port of servers whose tags have no ``port``, and of addresses given without one; 1..65535."""
    bootstrap_expect: int = 0
    """Servers that the region should have; without a majority of them alive, no leader. 0 disables this."""
    advisory_leader: bool = True
    """Name the alive server with the smallest name as leader; if off, no leader, and health ignores it."""
    verify_servers: bool = False
    """Accept an address for the server list only if a TCP connection to it opens within 1 s."""
    disable_remote_exec: bool = False
    """Shown as ``Client.DisableRemoteExec``; ``swim agent`` then runs no event handler for user events and
    queries."""

    # -- shown by ``self``; applied by the program that starts the agent
    serf_rpc: str = ""
    """``HOST:PORT`` of Serf's RPC (``swim.ipc``); "" without."""
    leave_on_interrupt: bool = True
    leave_on_terminate: bool = True
    log_level: str = "info"
    """``trace``, ``debug``, ``info``, ``warn``, ``error`` or ``off``."""
    data_dir: str = ""
    start_join: tuple[str, ...] = ()
    retry_join: tuple[str, ...] = ()
    retry_interval: float = 30.0
    """Seconds; shown as a whole number."""
    retry_max_attempts: int = 0
    """0 is no limit."""

    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Where the fields of ``swim.Config`` came from, by name: a flag, a variable, a file's key."""

    # -- secrets: never in a repr, shown as ``<redacted>``
    consul_token: str = field(default="", repr=False)
    vault_token: str = field(default="", repr=False)
    circonus_api_token: str = field(default="", repr=False)
    replication_token: str = field(default="", repr=False)
    views_token: str = field(default="", repr=False)
    """Sent to the agents whose views ``/v1/swim/views`` collects; it needs ``node:read`` there, and no more.
    Members choose the port that they advertise, so any member can come to know it."""
    views_tls: ClientTls | None = None
    """For those of them that serve HTTPS: the roots of their certificates (None for the system's), perhaps a
    certificate of this agent, and a ``server_name`` if their addresses are not in their certificates."""

    # -- access
    access: AccessControl = field(default_factory=AccessControl, repr=False)
    """Tokens, and what a join without one gets; by default every client may do everything."""
    enable_debug: bool = False
    """Without access control, serve what shows this machine and process: ``host`` and ``pprof``."""
    prometheus_metrics: bool = False
    """Also serve the metrics in Prometheus's text format."""

    http_api_response_headers: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    """Set on every answer, errors included."""

    def __post_init__(self) -> None:
        for name in ("http_hosts", "start_join", "retry_join"):
            object.__setattr__(self, name, checks.texts(name, getattr(self, name)))
        headers = MappingProxyType(dict(self.http_api_response_headers))
        object.__setattr__(self, "http_api_response_headers", headers)
        if not socket_path("http", self.http):
            split_host_port("http", self.http)
        elif self.tls is not None:
            raise ConfigError("http", "a Unix socket is served without TLS; set one of both")
        _check_text(self)
        _check_numbers(self)
        _check_headers(headers)
        _check_hosts(self.http_hosts)
        if not (self.server_enabled or self.client_enabled):
            raise ConfigError("server_enabled", "or client_enabled must be true: at least one role is needed")

    def server_name(self, gossip_name: str) -> str:
        """Nomad's ``ServerName`` of the node whose gossip name is ``gossip_name``."""
        return self.node_name or gossip_name.removesuffix(f".{self.region}") or gossip_name


def _check_text(settings: AgentSettings) -> None:
    for name in ("region", "datacenter"):
        if not getattr(settings, name):
            raise ConfigError(name, "must not be empty")
    if not (settings.views_token.isascii() and settings.views_token.isprintable()):
        raise ConfigError("views_token", "must be printable ASCII")
    if settings.log_level.lower() not in _LOG_LEVELS:
        raise ConfigError("log_level", f"must be one of {', '.join(_LOG_LEVELS)}, not {settings.log_level!r}")


def _check_numbers(settings: AgentSettings) -> None:
    if not 1 <= settings.rpc_port <= 65535:
        raise ConfigError("rpc_port", f"must be 1 to 65535, not {settings.rpc_port!r}")
    if not 0 <= settings.http_socket_mode <= 0o777:
        raise ConfigError("http_socket_mode", "must be an octal number from 0 to 777")
    for name in ("bootstrap_expect", "retry_interval", "retry_max_attempts"):
        if getattr(settings, name) < 0:
            raise ConfigError(name, f"must be at least 0, not {getattr(settings, name)!r}")


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigError("http_api_response_headers", f"{name!r} is not a header name")
        if not value.isprintable() or not value.isascii():
            raise ConfigError("http_api_response_headers", f"the value of {name!r} must be printable ASCII")


def _check_hosts(hosts: tuple[str, ...]) -> None:
    for host in hosts:
        if host != "*" and not _HOST_NAME.fullmatch(host):
            raise ConfigError("http_hosts", f"{host!r} is not a host name; give it without scheme and port")
