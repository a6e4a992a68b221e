"""What the API needs of a cluster: ``swim.Cluster`` has it, and so may another object, on any event loop."""

# ruff: noqa: ASYNC109  the signatures are those of swim.Cluster

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from swim import Event, ForceLeaveOutcome, JoinResult, KeyringResult, Membership, QueryReply
from swim.addresses import Endpoint

__all__ = ["ClusterLike", "EventsLike", "RepliesLike"]


class EventsLike(Protocol):
    """A subscription."""

    def __aiter__(self) -> AsyncIterator[Event]: ...

    def close(self) -> None:
        """Ends it; buffered events can still be read."""


class RepliesLike(Protocol):
    """The replies to a query."""

    def __aiter__(self) -> AsyncIterator[QueryReply]: ...

    async def aclose(self) -> None:
        """Ends the query."""


class ClusterLike(Membership, Protocol):
    """``Membership``, and the other attributes and methods of ``swim.Cluster`` that the API uses."""

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""

    @property
    def started_at(self) -> float:
        """When it started, on the scale of ``now``."""

    def events(self) -> EventsLike:
        """Events from this moment on."""

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a host name; ``OSError`` if there is none."""

    async def join(self, addresses: Sequence[str], *, timeout: float | None = None) -> JoinResult:
        """Exchanges full state with every address."""

    async def ping(self, name: str, *, via: str = "packet", timeout: float | None = None) -> float | None:
        """The seconds until a member acks a ping; None if it does not."""

    async def leave(self) -> None:
        """Leaves gracefully."""

    async def force_leave(
        self, name: str, *, prune: bool = False, timeout: float | None = None
    ) -> ForceLeaveOutcome:
        """Declares a failed member to have left."""

    async def update_tags(self, changes: Mapping[str, str], *, remove: Iterable[str] = ()) -> None:
        """Changes this node's tags."""

    async def user_event(self, name: str, payload: bytes = b"", *, coalesce: bool = False) -> None:
        """Sends a user event to all members."""

    def query(
        self,
        name: str,
        payload: bytes = b"",
        *,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        ack: bool = False,
        relay_factor: int = 0,
        timeout: float | None = None,
        finish_early: bool = False,
    ) -> RepliesLike:
        """Asks members, and collects their replies."""

    async def install_key(self, key: bytes) -> KeyringResult:
        """Adds a gossip key to the keyring of every member."""

    async def use_key(self, key: bytes) -> KeyringResult:
        """Makes every member encrypt with a key."""

    async def remove_key(self, key: bytes) -> KeyringResult:
        """Removes a key from the keyring of every member."""

    async def list_keys(self) -> KeyringResult:
        """The keys of every member."""
