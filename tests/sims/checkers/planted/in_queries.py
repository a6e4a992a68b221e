"""Planted in how queries spread, are answered and end."""

from __future__ import annotations

from typing import Any

import pytest

from sims.checkers import QueriesAreKept, QueriesReachAll
from swim.serf.queries import Queries
from swim.serf.query_filters import QueryFilters
from swim.serf.replies import ReplyChannel, ReplyChannels
from swim.serf.seen import RecentRing
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug


@bug("Replies that come by relays count again.", scripts.QUERIES, QueriesAreKept)
def counts_relayed_replies_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        ReplyChannel, "receive", lambda self, response, source: self._take(response, source) or None
    )


@bug("Every node answers, asked or not.", scripts.QUERIES, QueriesAreKept)
def answers_for_others(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(QueryFilters, "match", lambda self, *query: True)


@bug("A query that may finish early ends with the first reply.", scripts.QUERIES, QueriesAreKept)
def finishes_at_once(patch: pytest.MonkeyPatch) -> None:
    def end(self: Any, now: float, channel: Any) -> None:
        if channel.awaited is not None and any(channel._seen):
            self.end(now, channel)

    patch.setattr(ReplyChannels, "end_if_complete", end)


@bug("The application receives a query with every copy of it.", scripts.QUERIES, QueriesAreKept)
def hands_out_every_copy_of_a_query(patch: pytest.MonkeyPatch) -> None:
    receive = Queries.receive

    def repeat(self: Any, now: float, query: Any, source: Any) -> bool:
        if receive(self, now, query, source):
            return True
        self._hand_out(now, query, source)
        return False

    patch.setattr(Queries, "receive", repeat)


@bug("Of two queries with one stamp only the first is taken.", scripts.QUERIES, QueriesReachAll)
def takes_one_query_of_a_stamp(patch: pytest.MonkeyPatch) -> None:
    admit = RecentRing.admit

    def first(self: Any, ltime: int, key: Any) -> bool:
        return (isinstance(key, tuple) or ltime not in self._slots) and admit(self, ltime, key)

    patch.setattr(RecentRing, "admit", first)
