"""Name conflicts: somebody claims a known name from another address (Serf's resolveNodeConflict).

About another's name there is only a log line. About the own name the cluster is asked who owns it. Where
Serf stops without a majority of its own, here it takes votes for the other address: nobody answering is no
reason to stop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from swim.core.engine import Engine
from swim.core.join import endpoint_text
from swim.core.member import Record, endpoint_of
from swim.serf.messages import ConflictResponse, encode_serf
from swim.serf.queries import Queries, is_vote_for
from swim.wire.messages import Alive

__all__ = ["Conflicts"]

logger = logging.getLogger("swim.serf")

_TOLD_SECONDS = 10.0


class Conflicts:
    """Logs conflicts and resolves those about the own name, one at a time.

    Args:
        engine: told to stop the node when the vote is lost.
        queries: asks the cluster.
        broadcast: spreads the question.
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
        self._told_at = float("-inf")

    def noticed(self, now: float, record: Record, claim: Alive) -> None:
        """Takes note of a claim to ``record``'s name; it comes again with every gossip and is told rarely."""
        other = endpoint_text(endpoint_of(claim.addr, claim.port))
        if record is self._engine.context.local and self._resolves:
            query = self._queries.ask_conflict(now, lambda at, answers: self._resolve(at, answers, other))
            if query is not None:
                logger.warning("name conflict: %r is claimed from %s, too; asking all", record.name, other)
                self._broadcast(now, encode_serf(query))
        elif now - self._told_at >= _TOLD_SECONDS:
            self._told_at = now
            known = endpoint_text(record.endpoint)
            logger.warning("name conflict: %r is known at %s and claimed from %s", record.name, known, other)

    def _resolve(self, now: float, answers: list[ConflictResponse], other: str) -> None:
        """Counts the votes."""
        local = self._engine.context.local
        ours = sum(is_vote_for(answer, local.addr, local.port) for answer in answers)
        theirs = sum(bool(answer.addr) for answer in answers) - ours
        if ours >= len(answers) // 2 + 1 or not theirs:
            logger.warning("name conflict with %s: staying (%d of %d votes)", other, ours, len(answers))
            return
        text = f"name {local.name!r} belongs to {other}: {ours} of {len(answers)} votes for this node"
        logger.error("name conflict lost, stopping: %s", text)
        self._engine.context.output.stop = text
