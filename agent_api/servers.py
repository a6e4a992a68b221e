"""Which members are servers, which of them leads, and the list of servers that an operator may pin.

Every member of the gossip pool is a server, as in Nomad, whose clients don't gossip. There is no consensus:
the leader is only advisory, the alive server of a region with the smallest name.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from agent_api.cluster import ClusterLike
from agent_api.errors import HttpError, multi_error
from agent_api.settings import AgentSettings
from swim import ConfigError, Member, MemberStatus
from swim.addresses import Endpoint, join_host_port, split_host_port

__all__ = ["Servers", "parse_port"]

_RESOLVE_SECONDS = 3.0
_PING_SECONDS = 1.0


def parse_port(text: str) -> int | None:
    """``text`` as a port number 1..65535, else None."""
    decimal = text.isascii() and text.isdigit() and len(text) <= 5
    return int(text) if decimal and 0 < int(text) <= 65535 else None


class Servers:
    """The servers that one agent knows: from gossip, or pinned by an operator until the next restart."""

    __slots__ = ("_cluster", "_pinned", "_settings")

    def __init__(self, cluster: ClusterLike, settings: AgentSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._pinned: tuple[str, ...] = ()

    def known(self) -> list[str]:
        """``IP:PORT`` of each known server, sorted as text: the pinned ones, else those alive in gossip."""
        return sorted(set(self._pinned) or {self.address(member) for member in self._alive()})

    def regions(self) -> list[str]:
        """Regions with at least one alive server, sorted."""
        return sorted({self._region(member) for member in self._alive()})

    def peers(self, region: str) -> list[Member]:
        """The servers of ``region`` that have not left."""
        return [member for member in self._members(region) if member.status is not MemberStatus.LEFT]

    def leader(self, region: str) -> Member | None:
        """The advisory leader of ``region``; None if it has servers but no leader.

        Raises:
            HttpError: 500 ``No path to region``, if it has no alive server.
        """
        peers = self.peers(region)
        alive = [member for member in peers if member.status is MemberStatus.ALIVE]
        if not alive:
            raise HttpError(500, "No path to region")
        quorum = self._settings.bootstrap_expect // 2 + 1 if self._settings.bootstrap_expect else 0
        if not self._settings.advisory_leader or len(alive) < quorum:
            return None
        return min(alive, key=lambda member: member.name)

    def address(self, member: Member) -> str:
        """The RPC address of a server from its tags ``rpc_addr`` and ``port``, else the default."""
        host = member.tags.get("rpc_addr") or member.address
        return join_host_port(host, parse_port(member.tags.get("port", "")) or self._settings.rpc_port)

    async def pin(self, addresses: Sequence[str]) -> None:
        """Replaces the list by those of ``addresses`` that resolve (and answer, with ``verify_servers``).

        Raises:
            HttpError: 400 listing what is wrong with each, if none is left; the list stays as it was.
        """
        good: set[str] = set()
        bad: dict[str, str] = {}
        async with anyio.create_task_group() as tasks:
            for address in dict.fromkeys(addresses):
                tasks.start_soon(self._try_one, address, good, bad)
        if not good:
            raise HttpError(400, multi_error([bad[address] for address in dict.fromkeys(addresses)]))
        self._pinned = tuple(good)

    async def _try_one(self, address: str, good: set[str], bad: dict[str, str]) -> None:
        try:
            endpoint = await self._resolve(address)
        except (OSError, ConfigError) as error:
            bad[address] = f"failed to resolve {address}: {_why(error)}"
            return
        text = join_host_port(*endpoint)
        try:
            if self._settings.verify_servers:
                with anyio.fail_after(_PING_SECONDS):
                    await (await anyio.connect_tcp(*endpoint)).aclose()
        except OSError as error:
            bad[address] = f"Server at address {text} failed ping: {_why(error)}"
        else:
            good.add(text)

    async def _resolve(self, address: str) -> Endpoint:
        """The first address of ``HOST[:PORT]`` or ``[V6]:PORT``; ``TimeoutError`` after 3 s."""
        host, port = split_host_port("address", address, self._settings.rpc_port)
        if not port:
            raise ConfigError("address", f"port 0 in {address!r} is no port to reach")
        with anyio.fail_after(_RESOLVE_SECONDS):
            return (await self._cluster.resolve(host, port))[0]

    def _alive(self) -> list[Member]:
        return [member for member in self._members() if member.status is MemberStatus.ALIVE]

    def _members(self, region: str | None = None) -> list[Member]:
        return [
            member
            for member in self._cluster.members()
            if self._is_server(member) and region in (None, self._region(member))
        ]

    def _region(self, member: Member) -> str:
        return member.tags.get("region") or self._settings.region

    def _is_server(self, member: Member) -> bool:
        if member.name == self._cluster.local.name and not self._settings.server_enabled:
            return False
        port = member.tags.get("port")
        return not port or parse_port(port) is not None


def _why(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return error.reason
    return "timed out" if isinstance(error, TimeoutError) else str(error)
