"""Streams, one exchange each: who dialled, what for, and its parser. The driver moves the bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swim.addresses import Endpoint
from swim.core.context import Context, logger
from swim.core.output import Close, Dial, Send, StreamEnd
from swim.errors import RemoteError
from swim.wire.codec import encode
from swim.wire.messages import ErrorReply, Message
from swim.wire.stream import StreamParser

__all__ = ["Departing", "Fallback", "Joining", "Periodic", "Purpose", "Reconnecting", "Streams"]


class Fallback(NamedTuple):
    """A stream ping of the probe round ``seq_no``."""

    seq_no: int


class Joining(NamedTuple):
    """A push/pull of the join command ``ticket``; ``slot`` numbers its endpoints."""

    ticket: int
    slot: int


class Reconnecting(NamedTuple):
    """A push/pull with a seed or a past member that is not alive."""

    address: str


class Periodic(NamedTuple):
    """A push/pull with a random live member."""


class Departing(NamedTuple):
    """The push/pull by which a leave is made sure of."""


Purpose = Fallback | Joining | Reconnecting | Periodic | Departing


class _Exchange:
    __slots__ = ("endpoint", "parser", "purpose", "received")

    def __init__(self, parser: StreamParser, endpoint: Endpoint, purpose: Purpose | None) -> None:
        self.parser = parser
        self.endpoint = endpoint
        self.purpose = purpose
        self.received = 0


class Streams:
    """All open exchanges of one node; at most ``max_streams`` each way.

    Attributes:
        on_request: answers an inbound message with a reply, or None to close; the engine sets it.
        on_reply: takes the reply to a stream that was dialled.
        on_failure: learns why a dialled stream brought no reply.
    """

    on_request: Callable[[float, Message, Endpoint], bytes | None]
    on_reply: Callable[[float, Purpose, Message, Endpoint], None]
    on_failure: Callable[[float, Purpose, StreamEnd | None, str], None]

    def __init__(self, context: Context) -> None:
        self._context = context
        self._inbound: dict[int, _Exchange] = {}
        self._outbound: dict[int, _Exchange] = {}
        self._inbound_bytes = 0
        self._last_id = 0

    def dial(self, endpoint: Endpoint, message: bytes, purpose: Purpose, deadline: float) -> bool:
        """Opens a stream and sends ``message``; False if too many are open already."""
        context = self._context
        if len(self._outbound) >= context.config.max_streams:
            context.metrics.dropped("outbound-streams")
            return False
        stream_id = self._next_id()
        parser = StreamParser(context.streams, acceptor=False)
        self._outbound[stream_id] = _Exchange(parser, endpoint, purpose)
        data = context.streams.seal(message, label_header=True)
        context.metrics.count("memberlist.tcp.connect")
        context.metrics.count("memberlist.tcp.sent", len(data))
        context.output.streams.append(Dial(stream_id, endpoint, data, deadline))
        return True

    def accept(self, source: Endpoint) -> int | None:
        """Takes an inbound stream; None refuses it."""
        context = self._context
        if not context.allows(source[0]):
            context.metrics.dropped("cidr")
            return None
        if len(self._inbound) >= context.config.max_streams:
            context.metrics.dropped("inbound-streams")
            return None
        context.metrics.count("memberlist.tcp.accept")
        stream_id = self._next_id()
        self._inbound[stream_id] = _Exchange(StreamParser(context.streams, acceptor=True), source, None)
        return stream_id

    def receive(self, now: float, stream_id: int, data: bytes) -> None:
        """Feeds bytes of a stream; unknown ids are those already forgotten."""
        if stream_id in self._outbound:
            self._receive_reply(now, stream_id, data)
        elif stream_id in self._inbound:
            self._receive_request(now, stream_id, data)

    def ended(self, now: float, stream_id: int, end: StreamEnd, detail: str) -> None:
        """The driver's word that a stream is gone."""
        exchange = self._outbound.pop(stream_id, None)
        if exchange is not None and exchange.purpose is not None:
            self.on_failure(now, exchange.purpose, end, detail or end.value)
        elif self._forget_inbound(stream_id) and end is not StreamEnd.EOF:
            self._context.metrics.dropped("stream-" + end.name.lower())

    def _receive_reply(self, now: float, stream_id: int, data: bytes) -> None:
        exchange = self._outbound[stream_id]
        purpose = exchange.purpose
        assert purpose is not None
        try:
            message = exchange.parser.feed(data)
        except RemoteError as error:
            self._context.metrics.dropped(error.reason)
            self._close(stream_id)
            self.on_failure(now, purpose, None, f"unreadable reply ({error})")
            return
        if message is None:
            return
        self._close(stream_id)
        if isinstance(message, ErrorReply):
            self.on_failure(now, purpose, None, f"remote error: {message.error}")
        else:
            self.on_reply(now, purpose, message, exchange.endpoint)

    def _receive_request(self, now: float, stream_id: int, data: bytes) -> None:
        context = self._context
        exchange = self._inbound[stream_id]
        exchange.received += len(data)
        self._inbound_bytes += len(data)
        try:
            message = exchange.parser.feed(data)
            if message is None:
                self._bound_inbound()
                return
            reply = self.on_request(now, message, exchange.endpoint)
        except RemoteError as error:
            context.metrics.dropped(error.reason)
            logger.debug("stream from %s:%d dropped: %s", *exchange.endpoint, error)
            reply = encode(ErrorReply(str(error))) if exchange.parser.error_reply else None
        if reply is None:
            self._close(stream_id)
            return
        self._forget_inbound(stream_id)
        sealed = context.streams.seal(reply, label_header=False)
        context.metrics.count("memberlist.tcp.sent", len(sealed))
        context.output.streams.append(Send(stream_id, sealed, now + context.config.tcp_timeout))

    def _bound_inbound(self) -> None:
        """Closes the largest unfinished inbound stream if all of them together hold too much."""
        if self._inbound_bytes > self._context.config.max_inbound_bytes:
            self._context.metrics.dropped("inbound-bytes")
            self._close(max(self._inbound, key=lambda stream_id: self._inbound[stream_id].received))

    def _forget_inbound(self, stream_id: int) -> bool:
        exchange = self._inbound.pop(stream_id, None)
        if exchange is None:
            return False
        self._inbound_bytes -= exchange.received
        return True

    def _close(self, stream_id: int) -> None:
        self._outbound.pop(stream_id, None)
        self._forget_inbound(stream_id)
        self._context.output.streams.append(Close(stream_id))

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id
