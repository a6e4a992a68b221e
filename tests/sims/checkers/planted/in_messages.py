"""Planted in how messages are sent, received and confirmed."""

from __future__ import annotations

from typing import Any

import pytest

from sims.checkers import BroadcastsReachAll, MessagesAreKept
from swim.core.output import StreamEnd
from swim.core.purposes import Delivering
from swim.core.user_messages import UserMessages
from swim.serf.queries import Queries
from swim.wire.messages import Ack, Delivery
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug


@bug("A message is taken by whatever life its receiver has.", scripts.MESSAGES, MessagesAreKept)
def takes_messages_to_any_life(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(UserMessages, "_why_not", lambda self, name, incarnation: None)
    delivered = UserMessages.delivered

    def take(self: Any, now: float, delivery: Delivery, source: Any) -> Ack:
        self._life = delivery.life
        return delivered(self, now, delivery, source)

    patch.setattr(UserMessages, "delivered", take)


@bug("A stream that breaks counts as a delivery.", scripts.MESSAGES, MessagesAreKept)
def believes_in_broken_streams(patch: pytest.MonkeyPatch) -> None:
    failed = UserMessages.failed

    def believe(self: Any, purpose: Any, end: StreamEnd | None, error: str) -> None:
        if isinstance(purpose, Delivering):
            self._finish(purpose.ticket, None)
        else:
            failed(self, purpose, end, error)

    patch.setattr(UserMessages, "failed", believe)


@bug("A message without an answer is sent again.", scripts.MESSAGES, MessagesAreKept)
def sends_again(patch: pytest.MonkeyPatch) -> None:
    failed = UserMessages.failed
    again: set[int] = set()

    def resend(self: Any, purpose: Any, end: StreamEnd | None, error: str) -> None:
        if isinstance(purpose, Delivering) and end is StreamEnd.RESET and purpose.ticket not in again:
            again.add(purpose.ticket)
            sending = self._sending[purpose.ticket]
            record = self._context.table.get(sending.member.name)
            self._deliver(self._streams.now, purpose.ticket, record, sending.life)
        else:
            failed(self, purpose, end, error)

    patch.setattr(UserMessages, "failed", resend)


@bug("The application receives a broadcast with every copy of it.", scripts.MESSAGES, MessagesAreKept)
def hands_out_every_copy_of_a_broadcast(patch: pytest.MonkeyPatch) -> None:
    receive = Queries.receive

    def repeat(self: Any, now: float, query: Any, source: Any) -> bool:
        if receive(self, now, query, source):
            return True
        self.hand_out_message(query.source_node, query.payload or b"")
        return False

    patch.setattr(Queries, "receive", repeat)


@bug("Broadcasts are not passed on.", scripts.MESSAGES, BroadcastsReachAll)
def keeps_broadcasts(patch: pytest.MonkeyPatch) -> None:
    take = Queries._take_message

    def keep(self: Any, now: float, query: Any, source: Any) -> bool:
        take(self, now, query, source)
        return False

    patch.setattr(Queries, "_take_message", keep)
    patch.setattr("swim.serf.queues.SerfQueues.query", lambda self, now, body: None)
