"""Which addresses are known to belong to a node, rather than to another service that a claim named."""

from __future__ import annotations

from collections.abc import Collection

from swim.addresses import Endpoint
from swim.core.table import TableBase

__all__ = ["Contacts"]

_SILENT_MAX = 4096


class Contacts:
    """Addresses that acked a ping or that an operator named, and those that were pinged without an ack.

    Any host that reaches this node can claim that a member is at any address. This node pings such an address
    once. It sends no streams (which carry names and metadata chosen by the claimant), relayed pings or
    answers there until an ack came back.

    Args:
        limit: addresses remembered; beyond it the oldest is forgotten, until it acks again.
    """

    __slots__ = ("_base", "_known", "_limit", "_silent")

    def __init__(self, limit: int) -> None:
        self._base: Collection[Endpoint] = ()
        self._limit = limit
        self._known: dict[Endpoint, None] = {}
        self._silent: dict[Endpoint, None] = {}

    def start_from(self, base: TableBase) -> None:
        """The members that this node starts with are contacts."""
        self._base = base.endpoints

    def is_known(self, endpoint: Endpoint) -> bool:
        """Whether ``endpoint`` acked a ping or was named by an operator, so that streams may go there."""
        return endpoint in self._known or endpoint in self._base

    def is_silent(self, endpoint: Endpoint) -> bool:
        """Whether ``endpoint`` was pinged and never acked."""
        return endpoint in self._silent

    def pinged(self, endpoint: Endpoint) -> None:
        """Records that ``endpoint`` is pinged."""
        if endpoint not in self._known and endpoint not in self._base and endpoint not in self._silent:
            if len(self._silent) >= _SILENT_MAX:
                del self._silent[next(iter(self._silent))]
            self._silent[endpoint] = None

    def learn(self, endpoint: Endpoint) -> None:
        """Records that ``endpoint`` acked a ping, or belongs to a seed or a join."""
        if endpoint not in self._known and endpoint not in self._base:
            self._silent.pop(endpoint, None)
            if len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
            self._known[endpoint] = None
