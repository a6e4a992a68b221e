"""What the API needs of a cluster: ``swim.Cluster`` has it, and so may another object, on any event loop."""

# ruff: noqa: ASYNC109  the signatures are those of swim.Cluster

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from swim import Event, ForceLeaveOutcome, JoinResult, Membership
from swim.addresses import Endpoint

__all__ = ["ClusterLike"]


class ClusterLike(Membership, Protocol):
    """``Membership``, and the other attributes and methods of ``swim.Cluster`` that the API uses."""

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""

    @property
    def started_at(self) -> float:
        """When it started, on the scale of ``now``."""

    def events(self) -> AsyncIterator[Event]:
        """Events from this moment on."""

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a host name; ``OSError`` if there is none."""

    async def join(self, addresses: Sequence[str], *, timeout: float | None = None) -> JoinResult:
        """Exchanges full state with every address."""

    async def leave(self) -> None:
        """Leaves gracefully."""

    async def force_leave(
        self, name: str, *, prune: bool = False, timeout: float | None = None
    ) -> ForceLeaveOutcome:
        """Declares a failed member to have left."""
