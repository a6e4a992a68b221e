"""How far members are, by their network coordinates; and which of them answer this agent, in which way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import anyio
from starlette.responses import Response, StreamingResponse

from agent_api.agent import Call
from agent_api.cluster import ClusterLike, RepliesLike
from agent_api.errors import HttpError
from agent_api.shapes import coordinate_shape, dumps, rtt_shape
from swim import LocalError, Member, MemberStatus
from swim.checks import parse_duration

__all__ = ["WAYS", "Reachability", "coordinate", "coordinates", "reachability", "rtt"]

WAYS = ("packet", "stream", "relay")
"""As ``cluster.ping`` names them."""
_BATCH = 8
"""Members pinged at a time."""
_BATCH_SECONDS = 0.1
"""Least time for so many: at most 240 pings a second, whatever the size of the cluster."""
_PING = "_serf_ping"
_HEARTBEAT_SECONDS = 5.0
"""An empty object is sent while acks are waited for."""
_PING_SECONDS_MAX = 15.0


class Reachability:
    """One line for each member that is alive, once its pings have ended, and a last one that sums them up.

    The query ``_serf_ping`` runs meanwhile, as in ``serf reachability``: every member that is alive acks it.
    Not a generator, since a generator would have to be closed when the reader disconnects.

    Args:
        cluster: the agent's.
        timeout: seconds for each ping; None for the cluster's default.
        names: only these members; none for all that are alive.
    """

    def __init__(
        self, cluster: ClusterLike, *, timeout: float | None = None, names: Sequence[str] = ()
    ) -> None:
        self._cluster = cluster
        self._timeout = timeout
        members = sorted(cluster.members(), key=lambda member: member.name)
        alive = [member for member in members if member.status is MemberStatus.ALIVE]
        self._total = len(members)
        self._left = deque(member for member in members if member.name in names) if names else deque(alive)
        self._alive = {member.name for member in alive if not names or member.name in names}
        self._query: RepliesLike | None = None
        with suppress(LocalError):  # a plain memberlist pool has no queries
            self._query = cluster.query(_PING, nodes=names, ack=True)
        self._acked: set[str] = set()
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The lines of the next few members, or the last line.

        Raises:
            StopAsyncIteration: that was the last.
        """
        if self._left:
            batch = [self._left.popleft() for _ in range(min(_BATCH, len(self._left)))]
            rows: dict[str, dict[str, Any]] = {}
            earliest = anyio.current_time() + _BATCH_SECONDS
            async with anyio.create_task_group() as group:
                for member in batch:
                    group.start_soon(self._row, member, rows)
            if self._left:
                await anyio.sleep_until(earliest)
            return b"".join(dumps(rows[member.name]) + b"\n" for member in batch)
        if self._is_over:
            raise StopAsyncIteration
        with anyio.move_on_after(_HEARTBEAT_SECONDS):
            await self._wait_for_acks()
            self._is_over = True
        return dumps(self._summary() if self._is_over else {}) + b"\n"

    async def _row(self, member: Member, rows: dict[str, dict[str, Any]]) -> None:
        row = rows[member.name] = {"name": member.name, "status": str(member.status), "errors": {}}
        if member.name == self._cluster.local.name:
            row |= dict.fromkeys(WAYS) | {"is_self": True}
            return
        row["is_self"] = False
        await self._ping(member.name, WAYS[0], row)  # its ack may allow a stream
        async with anyio.create_task_group() as group:
            for way in WAYS[1:]:
                group.start_soon(self._ping, member.name, way, row)

    async def _ping(self, name: str, way: str, row: dict[str, Any]) -> None:
        row[way] = None
        try:
            row[way] = await self._cluster.ping(name, via=way, timeout=self._timeout)
        except LocalError as refusal:
            row["errors"][way] = str(refusal)

    async def _wait_for_acks(self) -> None:
        """Until all members that are alive have acked, or the query has ended."""
        if self._query is not None:
            async for reply in self._query:
                self._acked.add(reply.source)
                if self._acked >= self._alive:
                    break
            await self._query.aclose()

    def _summary(self) -> dict[str, Any]:
        """What ``serf reachability`` reports; None for what queries find out, if there are none."""
        document: dict[str, Any] = {"total": self._total, "alive": len(self._alive)}
        if self._query is None:
            return document | dict.fromkeys(("acked", "missing", "unexpected"))
        missing, unexpected = self._alive - self._acked, self._acked - self._alive
        return document | {
            "acked": sorted(self._acked),
            "missing": sorted(missing),
            "unexpected": sorted(unexpected),
        }


async def coordinate(call: Call) -> Response:
    """The network coordinate of a member, or of the agent."""
    cluster = call.agent.cluster
    name = call.query.first("name") or cluster.config.name
    _require_member(call, name)
    return call.json({"name": name, "coordinate": coordinate_shape(cluster.coordinate(name))})


async def coordinates(call: Call) -> Response:
    """Every network coordinate that is known, by name; for a map."""
    cluster = call.agent.cluster
    names = sorted(member.name for member in cluster.members() if cluster.coordinate(member.name))

    def shape(name: str) -> dict[str, Any]:
        return {"name": name, "coordinate": coordinate_shape(cluster.coordinate(name))}

    return await call.json_list({}, "coordinates", names, shape)


async def rtt(call: Call) -> Response:
    """The estimated round-trip time between two members, or between one and the agent."""
    names = call.query.all("node")
    if not 1 <= len(names) <= 2:
        raise HttpError(400, "one or two nodes are needed")
    if len(names) == 1:
        names.append(call.agent.cluster.config.name)
    for name in names:
        _require_member(call, name)
    return call.json(rtt_shape(call.agent.cluster, *names))


async def reachability(call: Call) -> Response:
    """Which members answer, in which way, line by line."""
    names = call.query.all("node")
    for name in names:
        _require_member(call, name)
    text = call.query.first("timeout")
    try:
        timeout = None if text is None else parse_duration(text)
    except ValueError as wrong:
        raise HttpError(400, f"timeout: {wrong}") from None
    if timeout is not None and timeout > _PING_SECONDS_MAX:
        raise HttpError(400, f"timeout: must be at most {_PING_SECONDS_MAX:g}, not {timeout:g}")
    lines = Reachability(call.agent.cluster, timeout=timeout, names=names)
    return StreamingResponse(lines, media_type="application/json", headers={"Cache-Control": "no-cache"})


def _require_member(call: Call, name: str) -> None:
    if call.agent.cluster.member(name) is None:
        raise HttpError(404, f"no member named {name!r}")
