"""Name conflicts: a node claims a known name from another address (Serf's resolveNodeConflict).

A conflict about another member's name is only logged. If the name is this node's own, it asks the cluster who
owns it. Serf stops unless a majority votes for it. This node stops only if a majority votes for the other
address: no answer is no reason to stop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from swim.addresses import join_host_port
from swim.core.engine import Engine
from swim.core.member import Record, endpoint_of
from swim.serf.messages import ConflictResponse, encode_serf
from swim.serf.queries import Queries, is_vote_for
from swim.text import shown
from swim.wire.messages import Alive

__all__ = ["Conflicts"]

logger = logging.getLogger("swim.serf")

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
        queries: builds the query and collects the votes.
        broadcast: spreads the query.
        resolves: whether to ask at all.
    """

    def __init__(
        self,
        engine: Engine,
        queries: Queries,
        broadcast: Callable[[float, bytes], None],
        *,
        resolves: bool,
    ) -> None:
        self._engine = engine
        self._queries = queries
        self._broadcast = broadcast
        self._resolves = resolves
        self._rivals: dict[str, _Rivalry] = {}

    def noticed(self, now: float, record: Record, claim: Alive) -> None:
        """Records a claim to ``record``'s name, which is repeated by every gossip round.

        A conflict about another member is logged once two addresses claim the name for longer than a move
        takes.
        """
        other = join_host_port(*endpoint_of(claim.addr, claim.port))
        if record is self._engine.context.local and self._resolves:
            query = self._queries.ask_conflict(now, lambda at, answers: self._resolve(at, answers, other))
            if query is not None:
                logger.warning(
                    "name conflict: %s is also claimed from %s; asking all members", shown(record.name), other
                )
                self._broadcast(now, encode_serf(query))
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

    def _resolve(self, now: float, answers: list[ConflictResponse], other: str) -> None:
        """Counts the votes."""
        local = self._engine.context.local
        ours = sum(is_vote_for(answer, local.addr, local.port) for answer in answers)
        theirs = sum(bool(answer.addr) for answer in answers) - ours
        if ours >= len(answers) // 2 + 1 or not theirs:
            logger.warning("name conflict with %s: staying (%d of %d votes)", other, ours, len(answers))
            return
        text = f"name {shown(local.name)} belongs to {other}: {ours} of {len(answers)} votes for this node"
        logger.error("name conflict lost, stopping: %s", text)
        self._engine.context.output.stop = text
