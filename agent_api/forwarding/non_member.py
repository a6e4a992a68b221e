"""What a client has in place of a cluster: its own name, its counters, and no members."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from time import monotonic

import anyio

from swim import Config, Member, MemberStatus, Metrics, NodeStats, VersionTriple
from swim.addresses import Endpoint
from swim.keyrings import KeyStatus

__all__ = ["NonMember"]

_NO_VERSION = VersionTriple(0, 0, 0)


class NonMember:
    """The part of ``ClusterLike`` that an agent needs for what it answers itself.

    Args:
        name: of the agent.
    """

    def __init__(self, name: str) -> None:
        self.config: Config = Config(name=name)
        self.metrics: Metrics = Metrics()
        self.status: str = "running"
        self.endpoint: Endpoint = ("", 0)
        self.advertised: Endpoint = ("", 0)
        self.is_alone: bool = True
        self.started_at: float = monotonic()
        self.local: Member = Member("", "", 0, {}, MemberStatus.LEFT, False, 0, _NO_VERSION, _NO_VERSION)

    def now(self) -> float:
        """Seconds, on the scale of ``started_at``."""
        return monotonic()

    def members(self) -> tuple[Member, ...]:
        """None."""
        return ()

    def seeds(self) -> tuple[()]:
        """None."""
        return ()

    def stats(self) -> NodeStats:
        """All zero."""
        return NodeStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, False)

    def key_status(self) -> KeyStatus:
        """No key."""
        return KeyStatus()

    async def leave(self) -> None:
        """Nothing to leave."""

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a host name; ``OSError`` if there is none."""
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(str(address[0]), int(address[1])) for *_, address in found]
