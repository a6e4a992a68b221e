"""Messages of applications: to one life of a member by streams, to all members in packets.

A message to one member takes two streams. The first is a ping that asks whether the member takes messages,
and whether it still has the life that the sender means. Programs other than swim answer it as any ping, and
nothing else was sent to them. The answer names that life: eight random bytes. The second stream brings the
message, with that name, so a member that restarts in between refuses it. The ack comes once the application's
events hold the message. A known life is not asked for again while the member's record stays the same.

In a plain memberlist pool every member takes memberlist's user messages. A program other than swim receives
the bytes as such, and has them once it closes the stream, as memberlist's ``SendReliable`` assumes.

An address that never acked a ping is pinged before the first stream, as everywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple
from zlib import crc32

from swim.addresses import Endpoint
from swim.commands import MESSAGE_BYTES_MAX
from swim.core.allowance import Allowance
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record, State
from swim.core.output import Finished, StreamEnd
from swim.core.pings import Outstanding, Pings
from swim.core.purposes import Asking, Delivering
from swim.core.streams import Streams
from swim.core.token_bucket import TokenBucket
from swim.errors import DeliveryError, LocalError, RemoteError
from swim.events import Member
from swim.text import brief, shown
from swim.wire.codec import encode
from swim.wire.messages import Ack, BroadcastHeader, Delivery, Inquiry, Message
from swim.wire.replay import SeenNonces
from swim.wire.steps import at_once
from swim.wire.user_messages import (
    ID_BYTES,
    LIFE_BYTES,
    AnswerKind,
    encode_answer,
    encode_broadcast,
    encode_delivery,
    encode_inquiry,
    read_answer,
)

__all__ = ["BYTES_PER_SECOND", "WAITING_MAX", "UserMessages"]

BYTES_PER_SECOND = 4 * 1024 * 1024
"""Messages taken from one host, in a second and at once; twice as many bytes from all hosts together."""
WAITING_MAX = 64
"""Broadcast messages that wait to be sent; Serf agents warn of 128 in one of their queues."""
_LIVES_MAX = 4096
"""Members whose life is remembered."""
_IDS_MAX = 8192
"""Messages remembered, so that a copy is dropped."""
_PINGS = 3
"""Pings to an address that never acked one, before a message to it is given up."""
_PING_SECONDS_MIN = 0.2
_OVER = {
    AnswerKind.RESTARTED: ("restarted", "the member has restarted since"),
    AnswerKind.LEFT: ("left", "the member has left"),
    AnswerKind.REFUSED: ("refused", "the member took too much from this host lately"),
}
_OTHER_PROGRAM = b""
"""Stands for the life of a member that is not swim's, in a plain memberlist pool."""


class _Knock(NamedTuple):
    """The purpose of a ping to the member of the message ``ticket``; the number of pings before it."""

    ticket: int
    before: int


class _Life(NamedTuple):
    """What a member answered: its life, asked for at ``incarnation`` or later while ``record`` was listed."""

    record: Record
    incarnation: int
    life: bytes


class _Sending(NamedTuple):
    """A message under way."""

    member: Member
    payload: bytes
    life: bytes = _OTHER_PROGRAM


class UserMessages:
    """Sends and receives applications' messages; the delegate hands them out."""

    def __init__(self, context: Context, streams: Streams, gossip: Gossip, pings: Pings) -> None:
        config = context.config
        self._context = context
        self._streams = streams
        self._gossip = gossip
        self._pings = pings
        pings.register(_Knock, self._answered, expired=self._silent)
        self._speaks_serf = config.delegate_version > 0
        self._most = max(1, config.max_streams // 2)
        self._sending: dict[int, _Sending] = {}
        self._lives: OrderedDict[str, _Life] = OrderedDict()
        self._life = b""
        self._seen = SeenNonces(_IDS_MAX)
        self._allowance = Allowance(BYTES_PER_SECOND)
        self._total = TokenBucket(per_second=2 * BYTES_PER_SECOND, burst=2 * BYTES_PER_SECOND)
        self._header: BroadcastHeader | None = None
        self._spreading: list[str] = []

    def sizes(self) -> tuple[tuple[str, int, int], ...]:
        """What it holds: a name, how much, and at most how much."""
        return (
            ("messages under way", len(self._sending), self._most),
            ("known lives", len(self._lives), _LIVES_MAX),
            ("known messages", len(self._seen), _IDS_MAX),
            ("own broadcasts", len(self._spreading), WAITING_MAX),
        )

    # -- sent to one member

    def send(self, now: float, ticket: int, member: Member, payload: bytes) -> None:
        """Begins to send a message to a listed member that is live; ``ticket`` finishes with the outcome.

        Raises:
            LocalError: too many are under way.
        """
        if len(self._sending) >= self._most:
            raise LocalError(f"{len(self._sending)} messages are under way already (half of max_streams)")
        self._sending[ticket] = _Sending(member, payload)
        self._proceed(now, ticket)

    def is_own_life(self, incarnation: int) -> bool:
        """Whether this node had that incarnation in this life."""
        return self._context.first_incarnation <= incarnation <= self._context.local.incarnation

    def _proceed(self, now: float, ticket: int) -> None:
        context, sending = self._context, self._sending[ticket]
        record = context.table.get(sending.member.name)
        if record is None or not record.is_live:
            self._fail(ticket, *self._gone(record))
        elif wrong := context.why_unreachable(record.endpoint[0]):
            self._fail(ticket, "unreachable", wrong)
        elif not context.may_dial(record.endpoint):
            self._ping(now, ticket, record, 0)
        else:
            known = self._lives.get(record.name)
            if known is None or known.record is not record or sending.member.incarnation < known.incarnation:
                self._ask(now, ticket, record)
            else:
                self._deliver(now, ticket, record, known.life)

    def _ping(self, now: float, ticket: int, record: Record, before: int) -> None:
        until = now + max(self._context.config.probe_timeout, _PING_SECONDS_MIN)
        ping = self._pings.ping(now, record.name, record.endpoint, _Knock(ticket, before), until=until)
        self._gossip.send_exactly(record.endpoint, [encode(ping)], record=record)

    def _answered(self, now: float, knock: _Knock, _ping: Outstanding, _ack: Ack) -> None:
        if knock.ticket in self._sending:
            self._proceed(now, knock.ticket)

    def _silent(self, now: float, knock: _Knock) -> None:
        if knock.ticket not in self._sending:
            return
        record = self._context.table.get(self._sending[knock.ticket].member.name)
        if record is None or not record.is_live or self._context.may_dial(record.endpoint):
            self._proceed(now, knock.ticket)
        elif knock.before + 1 < _PINGS:
            self._ping(now, knock.ticket, record, knock.before + 1)
        else:
            self._fail(knock.ticket, "unreachable", "its address has never acked a ping")

    def _ask(self, now: float, ticket: int, record: Record) -> None:
        context, member = self._context, self._sending[ticket].member
        seq_no = context.rng.below(0xFFFF_FFFF) + 1
        inquiry = Inquiry(seq_no, record.name, context.local.name, member.incarnation)
        self._dial(now, ticket, record, encode_inquiry(inquiry), Asking(ticket, seq_no))

    def _deliver(self, now: float, ticket: int, record: Record, life: bytes) -> None:
        sending = self._sending[ticket] = self._sending[ticket]._replace(life=life)
        id = self._context.rng.bytes(ID_BYTES)
        life = life or bytes(LIFE_BYTES)
        delivery = Delivery(self._context.local.name, record.name, life, id, sending.payload)
        data = encode_delivery(delivery, for_memberlist=not self._speaks_serf)
        self._dial(now, ticket, record, data, Delivering(ticket, _seq_no(id)))

    def _dial(
        self, now: float, ticket: int, record: Record, data: bytes, purpose: Asking | Delivering
    ) -> None:
        deadline = now + self._context.config.tcp_timeout
        if not self._streams.dial(now, record.endpoint, at_once(data), purpose, deadline):
            self._fail(ticket, "unreachable", "too many streams are open (max_streams)")

    def replied(self, now: float, purpose: Asking | Delivering, message: Message) -> None:
        """The reply to one of its streams."""
        ticket = purpose.ticket
        try:
            if not isinstance(message, Ack) or message.seq_no != purpose.seq_no:
                raise RemoteError("answer", "not to this question")
            answer = read_answer(message.payload)
        except RemoteError as error:
            self._context.metrics.dropped(error.reason)
            self.failed(purpose, None, f"unreadable reply ({error})")
            return
        wanted = AnswerKind.READY if isinstance(purpose, Asking) else AnswerKind.DELIVERED
        if answer is None and isinstance(purpose, Asking):
            if self._speaks_serf:
                self._fail(ticket, "unsupported", "the member runs another program, which takes no messages")
            else:
                self._agreed(now, ticket, _OTHER_PROGRAM)
        elif answer is not None and answer.kind in _OVER:
            self._fail(ticket, *_OVER[answer.kind])
        elif answer is None or answer.kind is not wanted:
            self.failed(purpose, None, "unexpected reply")
        elif answer.kind is AnswerKind.READY:
            self._agreed(now, ticket, answer.life)
        else:
            self._finish(ticket, None)

    def _agreed(self, now: float, ticket: int, life: bytes) -> None:
        """The member takes the message."""
        member = self._sending[ticket].member
        record = self._context.table.get(member.name)
        if record is None or not record.is_live:
            self._fail(ticket, *self._gone(record))
            return
        self._lives[record.name] = _Life(record, member.incarnation, life)
        self._lives.move_to_end(record.name)
        while len(self._lives) > _LIVES_MAX:
            self._lives.popitem(last=False)
        self._deliver(now, ticket, record, life)

    def failed(self, purpose: Asking | Delivering, end: StreamEnd | None, error: str) -> None:
        """One of its streams brought no reply."""
        ticket, is_asking = purpose.ticket, isinstance(purpose, Asking)
        sending = self._sending[ticket]
        record = self._context.table.get(sending.member.name)
        if not is_asking and sending.life == _OTHER_PROGRAM and end is StreamEnd.EOF:
            self._finish(ticket, None)  # memberlist says no more
        elif not is_asking and end not in (StreamEnd.REFUSED, StreamEnd.UNREACHABLE, StreamEnd.LOCAL):
            detail = f"no answer ({brief(error)}): its application may have it or not"
            self._fail(ticket, "no-answer", detail)
        elif record is None or not record.is_live:
            self._fail(ticket, *self._gone(record))
        else:
            self._fail(ticket, "unreachable", brief(error))

    def _gone(self, record: Record | None) -> tuple[str, str]:
        if record is None:
            return "unknown", "no member has this name"
        if record.state is State.LEFT:
            return "left", "the member has left"
        return "failed", "the member has failed"

    def _fail(self, ticket: int, reason: str, detail: str) -> None:
        name = shown(self._sending[ticket].member.name)
        self._finish(ticket, DeliveryError(name, reason, detail))

    def _finish(self, ticket: int, outcome: DeliveryError | None) -> None:
        del self._sending[ticket]
        self._context.metrics.count("swim.messages.sent" if outcome is None else "swim.messages.failed")
        self._context.output.finished.append(Finished(ticket, outcome))

    # -- received by streams

    def new_life(self) -> None:
        """This node came back after a leave: messages to the life before are not for it."""
        self._life = b""

    def inquired(self, inquiry: Inquiry) -> Ack:
        """Answers whether this node takes messages to the life that the sender means."""
        over = self._why_not(inquiry.node, inquiry.incarnation)
        if over is not None:
            return Ack(inquiry.seq_no, encode_answer(over))
        self._life = self._life or self._context.rng.bytes(LIFE_BYTES)
        return Ack(inquiry.seq_no, encode_answer(AnswerKind.READY, self._life))

    def delivered(self, now: float, delivery: Delivery, source: Endpoint) -> Ack:
        """Takes a message, if it is for this life; returns the answer."""
        seq_no = _seq_no(delivery.id)
        over = self._why_not(delivery.target, None)
        if over is None and delivery.life != self._life:
            over = AnswerKind.RESTARTED
        if over is None and not self.admits(now, source[0], len(delivery.body)):
            over = AnswerKind.REFUSED
        if over is not None:
            return Ack(seq_no, encode_answer(over))
        if self._seen.admit(delivery.id):
            self._context.delegate.message(delivery.source, delivery.body, is_broadcast=False)
        else:
            self._context.metrics.dropped("replayed")
        return Ack(seq_no, encode_answer(AnswerKind.DELIVERED))

    def _why_not(self, name: str, incarnation: int | None) -> AnswerKind | None:
        """Why a message is not for this node; None if it is.

        No peer knows of a run that has just started, so whatever they mean is an earlier one.
        """
        context = self._context
        if context.status != "running":
            return AnswerKind.LEFT
        is_other = incarnation is not None and (context.is_fresh or not self.is_own_life(incarnation))
        return AnswerKind.RESTARTED if is_other or name != context.local.name else None

    def admits(self, now: float, host: str, size: int) -> bool:
        """Whether ``size`` more bytes are taken from ``host``; counts them if so."""
        if size > MESSAGE_BYTES_MAX:
            self._context.metrics.dropped("message-size")
            return False
        if not self._allowance.has(now, host) or not self._total.spend(now, size):
            self._context.metrics.dropped("message-budget")
            return False
        self._allowance.spend(now, size, host)
        return True

    # -- to all members, in a plain memberlist pool

    def broadcast(self, now: float, payload: bytes) -> None:
        """Sends to all members as a user message of memberlist's, to this node too.

        Raises:
            LocalError: too many wait to be sent.
        """
        waiting = self._context.queue.waiting
        self._spreading = [name for name in self._spreading if name in waiting]
        if len(self._spreading) >= WAITING_MAX:
            raise LocalError(f"{WAITING_MAX} broadcasts wait to be sent already")
        id, local = self._context.rng.bytes(ID_BYTES), self._context.local.name
        self._seen.admit(id)
        if self._context.has_peers:
            self._spreading.append(self._spread(now, id, local, payload))
        self._context.delegate.message(local, payload, is_broadcast=True)

    def fits(self, payload: bytes) -> bool:
        """Whether such a broadcast fits a packet."""
        return self._gossip.fits(len(encode_broadcast(bytes(ID_BYTES), self._context.local.name, payload)))

    def announced(self, header: BroadcastHeader) -> None:
        """A user message follows that is a copy of a broadcast."""
        self._header = header

    def in_packet(self, now: float, body: bytes, source: Endpoint) -> None:
        """A user message in a packet: a copy of a broadcast, or the delegate's."""
        header, self._header = self._header, None
        if header is None or self._speaks_serf or header.checksum != crc32(body):
            self._context.delegate.user_message(now, body, source)
        elif header.id not in self._seen and self.admits(now, source[0], len(body)):
            self._seen.admit(header.id)
            self._spread(now, header.id, header.source, body, origin=self._context.endpoint_name(source))
            self._context.delegate.message(header.source, body, is_broadcast=True)

    def _spread(self, now: float, id: bytes, source: str, payload: bytes, *, origin: str = "") -> str:
        name = f"\0{id.hex()}"  # no member has this name
        message = encode_broadcast(id, source, payload)
        self._gossip.queue(now, self._context.queue, name, message, origin=origin)
        return name


def _seq_no(id: bytes) -> int:
    return int.from_bytes(id[:4], "big")
