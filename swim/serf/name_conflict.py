"""Name conflicts: a node claims a known name from another address (Serf's resolveNodeConflict).

A conflict about another member's name is only logged. If the name is this node's own, it asks the cluster who
owns it. Serf stops unless a majority votes for it. This node stops only if a majority votes for the other
address: no answer is no reason to stop.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from swim.addresses import Endpoint, join_host_port
from swim.core.engine import Engine
from swim.core.member import Record, endpoint_of, same_address
from swim.errors import RemoteError
from swim.serf.internal_queries import CONFLICT_QUERY
from swim.serf.messages import ConflictResponse, QueryResponse, decode_conflict_response
from swim.serf.queries import Queries
from swim.serf.replies import ACK_FLAG
from swim.text import shown
from swim.wire.messages import Alive

__all__ = ["Conflicts"]

logger: logging.Logger = logging.getLogger("swim.serf")

_MOVE_SECONDS = 60.0
"""Peers accept a new address within this time; a name that two nodes use stays contested."""
_REPEAT_SECONDS = 600.0
_REMEMBERED = 64


class _Rivalry(NamedTuple):
    """A name claimed from two addresses: when first and last, and when that was logged."""

    first: float
    last: float
    reported: float


class Conflicts:
    """Logs conflicts and resolves those about this node's own name, one at a time.

    Args:
        engine: stops the node when the vote is lost.
        queries: sends the query and takes the votes.
        resolves: whether to ask at all.
    """

    def __init__(self, engine: Engine, queries: Queries, *, resolves: bool) -> None:
        self._engine = engine
        self._queries = queries
        self._resolves = resolves
        self._votes: list[ConflictResponse] | None = None
        self._rivals: dict[str, _Rivalry] = {}

    def noticed(self, now: float, record: Record, claim: Alive) -> None:
        """Records a claim to ``record``'s name, which is repeated by every gossip round.

        A conflict about another member is logged once two addresses claim the name for longer than a move
        takes.
        """
        other = join_host_port(*endpoint_of(claim.addr, claim.port))
        if record is self._engine.context.local and self._resolves:
            if self._votes is None:
                self._ask(now, record.name, other)
        elif self._persists(now, record.name):
            known = join_host_port(*record.endpoint)
            logger.warning("name conflict: %s is at %s and at %s", shown(record.name), known, other)

    def _persists(self, now: float, name: str) -> bool:
        """Whether a conflict about ``name`` has lasted, and was not logged recently."""
        rivalry = self._rivals.pop(name, None)
        if rivalry is None or now - rivalry.last > _MOVE_SECONDS:
            rivalry = _Rivalry(now, now, float("-inf"))
        lasting = now - rivalry.first >= _MOVE_SECONDS and now - rivalry.reported >= _REPEAT_SECONDS
        self._rivals[name] = _Rivalry(rivalry.first, now, now if lasting else rivalry.reported)
        if len(self._rivals) > _REMEMBERED:
            del self._rivals[next(iter(self._rivals))]
        return lasting

    def _ask(self, now: float, name: str, other: str) -> None:
        """Asks all members who owns this node's name, for the default time of a query."""
        logger.warning("name conflict: %s is also claimed from %s; asking all members", shown(name), other)
        votes: list[ConflictResponse] = []
        self._votes = votes

        def ended(_at: float) -> None:
            self._votes = None
            self._resolve(votes, other)

        payload = name.encode("utf-8", "surrogateescape")
        self._queries.ask(now, CONFLICT_QUERY, payload, take=self._vote, ended=ended)

    def _vote(self, response: QueryResponse, source: Endpoint | None) -> None:
        """Takes the vote of a live member that sent it from its own address.

        Raises:
            RemoteError: ``vote-of-non-member`` from other senders.
        """
        voter = self._engine.context.table.get(response.node)
        if voter is None or not voter.is_live or not voter.verified or source != voter.endpoint:
            raise RemoteError("vote-of-non-member")
        if self._votes is not None and not response.flags & ACK_FLAG:
            self._votes.append(decode_conflict_response(response.payload))

    def _resolve(self, votes: list[ConflictResponse], other: str) -> None:
        """Counts the votes."""
        local = self._engine.context.local
        ours = sum(_is_for(vote, local.addr, local.port) for vote in votes)
        theirs = sum(bool(vote.addr) for vote in votes) - ours
        if ours >= len(votes) // 2 + 1 or not theirs:
            logger.warning("name conflict with %s: staying (%d of %d votes)", other, ours, len(votes))
            return
        text = f"name {shown(local.name)} belongs to {other}: {ours} of {len(votes)} votes for this node"
        logger.error("name conflict lost, stopping: %s", text)
        self._engine.context.output.stop = text


def _is_for(vote: ConflictResponse, addr: bytes, port: int) -> bool:
    """Whether a vote places the name at this address."""
    return vote.port == port and bool(vote.addr) and same_address(vote.addr, addr)
