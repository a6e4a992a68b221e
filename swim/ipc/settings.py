"""Every setting of the IPC server in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from swim import checks
from swim.addresses import split_host_port

__all__ = ["IpcSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IpcSettings:
    """Where the IPC server listens, who may use it, and its limits.

    Connections closed and records left out are counted under ``swim.dropped.ipc-*``.

    Raises:
        ConfigError: naming the field that is wrong.
    """

    rpc: str = "127.0.0.1:7373"
    """``HOST:PORT``, Serf's ``rpc_addr``; port 0 picks a free one."""
    rpc_auth: str = field(default="", repr=False)
    """Clients must send this key, Serf's ``rpc_auth``; "" lets all in. It travels in clear text."""
    coalesce: bool = True
    """Streams show a burst of member events, or of user events that may be coalesced, once it is over, as
    those of Serf's agent do (``swim.policies.Coalescer``); if off, each event at once."""
    max_conns: int = 128
    """Connections in total. At the limit, the oldest one is closed that waits for a request, or for the rest
    of one, and has no stream, monitor or query; if there is none, the new one. Never more than an eighth of
    the descriptors that the process may open."""
    max_conns_per_client: int = 64
    """Connections of one client address, by the same rule; 0 is no limit."""
    max_request_bytes: int = 64 * 1024
    """Bytes of a header or of a body; beyond it the connection is closed."""
    max_request_items: int = 4096
    """Items of one list or map in a request; beyond it the connection is closed."""
    max_streams: int = 32
    """Streams and queries of one connection at once; beyond it an error."""
    max_pending_queries: int = 512
    """Queries shown to one connection that it may still answer; the oldest are forgotten first."""
    handshake_timeout: float = 10.0
    """Seconds from a connection's start to the end of its handshake."""
    request_timeout: float = 10.0
    """Seconds from the first byte of a request to its last."""
    send_timeout: float = 60.0
    """Seconds in which a client must take one answer or record; until then records wait, and those beyond
    ``event_buffer_size`` are lost to it."""

    def __post_init__(self) -> None:
        split_host_port("rpc", checks.text("rpc", self.rpc))
        checks.text("rpc_auth", self.rpc_auth)
        checks.flag("coalesce", self.coalesce)
        for name in ("max_conns", "max_streams", "max_pending_queries", "max_request_items"):
            checks.whole_number(name, getattr(self, name), at_least=1)
        checks.whole_number("max_conns_per_client", self.max_conns_per_client)
        checks.whole_number("max_request_bytes", self.max_request_bytes, at_least=1024)
        for name in ("handshake_timeout", "request_timeout", "send_timeout"):
            checks.number(name, getattr(self, name), at_least=0.001)
