"""The interface that the API needs of a cluster: ``swim.Cluster``, or another object on any event loop."""

# ruff: noqa: ASYNC109  the signatures are those of swim.Cluster

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from swim import (
    Config,
    Event,
    ForceLeaveOutcome,
    JoinResult,
    Member,
    Metrics,
    NodeStats,
    SeedStatus,
    Transition,
)
from swim.addresses import Endpoint

__all__ = ["ClusterLike"]


class ClusterLike(Protocol):
    """Attributes and methods of ``swim.Cluster`` that the API uses, as they are documented there."""

    @property
    def config(self) -> Config:
        """The settings it runs with."""

    @property
    def metrics(self) -> Metrics:
        """Live counters and gauges."""

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""

    @property
    def advertised(self) -> Endpoint:
        """The address and port sent to peers."""

    @property
    def started_at(self) -> float:
        """When it started, on the scale of ``now``."""

    @property
    def status(self) -> str:
        """``running``, ``leaving``, ``left`` or ``stopped``."""

    @property
    def local(self) -> Member:
        """This node's own entry."""

    @property
    def is_alone(self) -> bool:
        """Whether no other member is alive."""

    def now(self) -> float:
        """Seconds on a monotonic clock."""

    def members(self) -> tuple[Member, ...]:
        """The listed members."""

    def member(self, name: str) -> Member | None:
        """One member by name."""

    def history(self, name: str) -> tuple[Transition, ...]:
        """The last transitions of a member, oldest first."""

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each seed."""

    def stats(self) -> NodeStats:
        """Counts of members, clocks and queues."""

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
        """Declares that a failed member has left."""
