"""What streams carry: answers peers' requests; routes replies and failures to the parts that dialled."""

from __future__ import annotations

from swim.addresses import Endpoint
from swim.core.asked_pings import AskedPings
from swim.core.context import Context, logger
from swim.core.join import Joins
from swim.core.leave import Leaving
from swim.core.output import Finished, StreamEnd
from swim.core.prober import Prober
from swim.core.purposes import (
    Answering,
    Asking,
    Checking,
    Delivering,
    Departing,
    Fallback,
    Joining,
    Periodic,
    Pinging,
    Purpose,
    Reconnecting,
)
from swim.core.push_pull import PushPulls
from swim.core.reconnect import Reconnects
from swim.core.refusals import Refusals
from swim.core.streams import Reply, Streams
from swim.core.user_messages import UserMessages
from swim.errors import DeliveryError
from swim.text import brief, shown
from swim.wire.codec import encode
from swim.wire.messages import Ack, Delivery, ErrorReply, Inquiry, Message, Ping, PushPull, User
from swim.wire.steps import Steps

__all__ = ["Exchanges"]


class Exchanges:
    """Handles every message on a stream, for one node."""

    def __init__(
        self,
        context: Context,
        streams: Streams,
        *,
        push_pulls: PushPulls,
        prober: Prober,
        refusals: Refusals,
        joins: Joins,
        rejoining: Reconnects,
        departure: Leaving,
        messages: UserMessages,
        asked_pings: AskedPings,
    ) -> None:
        self._context = context
        self._streams = streams
        self._push_pulls = push_pulls
        self._prober = prober
        self._refusals = refusals
        self._joins = joins
        self._rejoining = rejoining
        self._departure = departure
        self._messages = messages
        self._asked_pings = asked_pings
        streams.on_request = self._answer
        streams.on_reply = self._take_reply
        streams.on_failure = self._take_failure

    def _answer(self, message: Message, source: Endpoint, reply: Reply) -> Steps[None]:
        context = self._context
        self._refusals.called(source[0], message.source_node if isinstance(message, Ping) else "")
        match message:
            case Ping() if message.node in ("", context.local.name):
                yield from reply(encode(Ack(message.seq_no)))
            case Ping():
                context.metrics.dropped("ping-for-another")
            case PushPull():
                objection = yield from self._push_pulls.objection(message, source, dialled=False)
                if objection:
                    yield from reply(encode(ErrorReply(objection)))
                    return
                yield from reply((yield from self._push_pulls.reply(message, source)))
                context.metrics.count("swim.push-pull.answered")
                if not message.records and not message.user_state:
                    return  # an observer: there is nothing to merge, and it is no peer that knows of this run
                was_alone = not context.has_peers
                yield from self._push_pulls.merge(message, source, dialled=False)
                context.is_fresh = False
                if was_alone:
                    context.delegate.announce_join(self._streams.now)  # a founder: it has no seed to dial
            case User():
                context.elements.left = context.config.max_packet_elements
                context.delegate.user_message(self._streams.now, message.body, None)
            case Inquiry():
                yield from reply(encode(self._messages.inquired(message)))
            case Delivery():
                yield from reply(encode(self._messages.delivered(self._streams.now, message, source)))
            case _:
                context.metrics.dropped("unknown-type")

    def _take_reply(self, purpose: Purpose, message: Message, endpoint: Endpoint) -> Steps[None]:
        now = self._streams.now
        match purpose, message:
            case Fallback(seq_no), Ack() if message.seq_no == seq_no:
                self._prober.fallback_done(now, seq_no, None, "")
            case Fallback(seq_no), _:
                self._prober.fallback_done(now, seq_no, None, "wrong answer")
            case Checking(name), _:
                self._refusals.dialled(now, name, None)
            case ((Asking() | Delivering()), _):
                self._messages.replied(now, purpose, message)
            case Pinging(), _:
                self._asked_pings.replied(now, purpose, message)
            case _, PushPull():
                objection = yield from self._push_pulls.objection(message, endpoint, dialled=True)
                if objection:
                    self._take_failure(now, purpose, None, objection)
                    return
                was_alone = not self._context.has_peers
                replay = purpose.replay if isinstance(purpose, Joining) else self._context.wants_past
                yield from self._push_pulls.merge(message, endpoint, dialled=True, replay=replay)
                self._context.is_fresh = False
                self._context.metrics.count("swim.push-pull.dialled")
                self._synced(self._streams.now, purpose, was_alone)
            case _:
                self._take_failure(now, purpose, None, "unexpected reply")

    def _synced(self, now: float, purpose: Purpose, was_alone: bool) -> None:
        match purpose:
            case Joining():
                self._joins.settled(now, purpose, "")
            case Departing():
                self._departure.synced()
            case Reconnecting():
                self._rejoining.ended(now, purpose, "")
                if was_alone:
                    self._context.delegate.announce_join(now)

    def _take_failure(self, now: float, purpose: Purpose, end: StreamEnd | None, error: str) -> None:
        match purpose:
            case Fallback(seq_no):
                self._prober.fallback_done(now, seq_no, end, error)
            case Checking(name):
                self._refusals.dialled(now, name, end)
            case Joining():
                self._joins.settled(now, purpose, error)
            case Asking() | Delivering():
                self._messages.failed(purpose, end, error)
            case Answering():
                self._answer_ended(purpose, end, error)
            case Pinging():
                self._asked_pings.failed(purpose)
            case Periodic() | Reconnecting() | Departing():
                if isinstance(purpose, Reconnecting):
                    self._rejoining.ended(now, purpose, error)
                self._context.metrics.count("swim.push-pull.failed")
                logger.debug("push/pull failed: %s", error)

    def _answer_ended(self, purpose: Answering, end: StreamEnd | None, error: str) -> None:
        """The asker closes the stream once it has read the answer, and says no more."""
        failure = None
        if end is not StreamEnd.EOF:
            self._context.metrics.dropped("answer-stream")
            was_sent = end not in (StreamEnd.REFUSED, StreamEnd.UNREACHABLE, StreamEnd.LOCAL)
            reason = "no-answer" if was_sent else "unreachable"
            failure = DeliveryError(shown(purpose.member), reason, brief(error))
        if purpose.ticket is not None:
            self._context.output.finished.append(Finished(purpose.ticket, failure))
