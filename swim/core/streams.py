"""Streams, one exchange each: which end dialled, what for, and its parser. The driver moves the bytes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from swim.addresses import Endpoint, join_host_port
from swim.core.context import Context, logger
from swim.core.output import Close, Dial, Send, StreamEnd
from swim.core.purposes import PUSH_PULLS, Joining, Purpose
from swim.core.slots import gives_way
from swim.core.timers import TimerKind
from swim.core.token_bucket import TokenBucket
from swim.errors import RemoteError
from swim.text import shown
from swim.wire.codec import encode
from swim.wire.messages import ErrorReply, Message
from swim.wire.steps import Pause, Steps
from swim.wire.stream import StreamParser

__all__ = ["Reply", "Streams"]


Reply = Callable[[bytes], Steps[None]]
"""Sends an answer on the stream whose request is being handled."""

_REPORT_INTERVAL = 10.0
_WHY_REFUSED = {
    "label": "it has another label",
    "decrypt": "it is encrypted with a key that is not installed on this node",
    "plaintext": "it is not encrypted, and this node reads only encrypted streams",
    "version": "it uses an encryption version that this node does not read",
}
_WHY_UNREADABLE = {
    "decrypt": "the peer encrypts with a key that is not installed on this node",
    "plaintext": "the peer does not encrypt, and this node reads only encrypted streams",
    "version": "the peer uses an encryption version that this node does not read",
    "unknown-type": "the peer does not speak memberlist's protocol",
}
_COMPRESSED_PER_SECOND = 1024 * 1024
"""Bytes of whole states compressed per second, a tenth of a processor; beyond that, uncompressed."""
_COMPRESSED_AT_ONCE = 8 * 1024 * 1024
_PAUSE = 0.001
"""Seconds between two steps of long work; a step takes a few times as long."""


class _Exchange:
    """One stream: its peer, and the work it causes.

    Attributes:
        opened_at: when it was dialled or accepted, seconds.
        purpose: why it was dialled; None for an inbound one.
        memory: bytes it kept when last measured.
        waits: its work continues at a later turn.
        ended: how the driver reported the stream's end, while there is still work on what arrived.
    """

    __slots__ = ("ended", "endpoint", "memory", "opened_at", "parser", "purpose", "waits", "work")

    def __init__(
        self, parser: StreamParser, endpoint: Endpoint, purpose: Purpose | None, opened_at: float
    ) -> None:
        self.opened_at = opened_at
        self.parser = parser
        self.endpoint = endpoint
        self.purpose = purpose
        self.memory = 0
        self.waits = False
        self.ended: tuple[StreamEnd, str] | None = None
        self.work: Steps[None]


class Streams:
    """All open exchanges of one node; at most ``max_streams`` each way.

    The bytes of a stream are handled in steps of a few milliseconds. The first step runs when bytes arrive.
    Longer work continues by a timer, one step at a time, taking turns between the sending hosts, so that
    packets are answered in between. Work on bytes that arrived continues after the stream ended.

    Attributes:
        now: time of the step under way.
        on_request: handles an inbound message, in steps, and may send a reply; the engine sets it.
        on_reply: takes the reply to a stream that was dialled, in steps.
        on_failure: called with the reason why a dialled stream brought no reply.
    """

    on_request: Callable[[Message, Endpoint, Reply], Steps[None]]
    on_reply: Callable[[Purpose, Message, Endpoint], Steps[None]]
    on_failure: Callable[[float, Purpose, StreamEnd | None, str], None]

    def __init__(self, context: Context) -> None:
        self._context = context
        self._inbound: dict[int, _Exchange] = {}
        self._outbound: dict[int, _Exchange] = {}
        self._memory = 0
        self._last_id = 0
        self._turns: dict[str, deque[int]] = {}
        self._armed: float | None = None
        self.now: float = float("-inf")
        self._report_from = float("-inf")
        self._unreported = 0
        self._compression = TokenBucket(per_second=_COMPRESSED_PER_SECOND, burst=_COMPRESSED_AT_ONCE)
        self._next_turn = context.timers.kind(TimerKind.STREAM_TURN, self._turn, lambda at: at == self._armed)

    @property
    def count(self) -> tuple[int, int]:
        """Open streams that peers dialled, and that this node dialled."""
        return len(self._inbound), len(self._outbound)

    def dial(
        self,
        now: float,
        endpoint: Endpoint,
        message: Steps[bytes],
        purpose: Purpose,
        deadline: float,
        connect_by: float = math.inf,
    ) -> bool:
        """Opens a stream and sends ``message`` once it is made; see ``Dial`` for the two moments.

        Returns:
            False if too many are open already, or ``endpoint`` never acked a ping.
        """
        context = self._context
        if isinstance(purpose, Joining):
            context.contacts.learn(endpoint)  # an operator named it
        elif not context.may_dial(endpoint):
            # It may be another service, and the claimant would choose what is written to it.
            context.metrics.count("swim.dials-withheld")
            return False
        if len(self._outbound) >= context.config.max_streams:
            context.metrics.dropped("outbound-streams")
            return False
        stream_id = self._next_id()
        exchange = _Exchange(StreamParser(context.streams, acceptor=False), endpoint, purpose, now)
        exchange.work = self._ask(
            stream_id, exchange.parser, endpoint, message, purpose, deadline, connect_by
        )
        self._outbound[stream_id] = exchange
        self._step(now, stream_id, exchange)
        return True

    def accept(self, now: float, source: Endpoint) -> int | None:
        """Takes an inbound stream; None refuses it."""
        context = self._context
        if not context.allows(source[0]):
            context.metrics.dropped("cidr")
            return None
        if len(self._inbound) >= context.config.max_streams:
            context.metrics.dropped("inbound-streams")
            if not self._make_room(now, source):
                return None
        context.metrics.count("memberlist.tcp.accept")
        stream_id = self._next_id()
        exchange = _Exchange(StreamParser(context.streams, acceptor=True), source, None, now)
        exchange.work = self._serve(stream_id, exchange.parser, source)
        self._inbound[stream_id] = exchange
        return stream_id

    def receive(self, now: float, stream_id: int, data: bytes) -> None:
        """Feeds bytes of a stream; an unknown id is one already forgotten."""
        exchange = self._exchange(stream_id)
        if exchange is None:
            return
        self.now = now
        exchange.parser.push(data)
        if exchange.waits:
            self._account(exchange)
        else:
            self._step(now, stream_id, exchange)
        self._bound_memory(now)

    def ended(self, now: float, stream_id: int, end: StreamEnd, detail: str) -> None:
        """The driver reports that a stream is gone."""
        exchange = self._exchange(stream_id)
        if exchange is None:
            return
        self.now = now
        exchange.ended = end, detail
        if not exchange.waits:
            self._lost(now, stream_id, exchange)

    # -- work; each of these runs one stream to its end

    def _ask(
        self,
        stream_id: int,
        parser: StreamParser,
        endpoint: Endpoint,
        message: Steps[bytes],
        purpose: Purpose,
        deadline: float,
        connect_by: float,
    ) -> Steps[None]:
        context = self._context
        request = yield from message
        data = yield from context.streams.seal_steps(
            request, label_header=True, may_compress=self._may_compress
        )
        context.metrics.count("memberlist.tcp.connect")
        context.metrics.count("memberlist.tcp.sent", len(data))
        context.output.streams.append(Dial(stream_id, endpoint, data, deadline, connect_by))
        try:
            reply = yield from parser.steps
        except RemoteError as error:
            context.metrics.dropped(error.reason)
            context.decrypt_failures.dropped(self.now, error.reason, endpoint[0], is_stream=True)
            self._close(stream_id)
            why = _WHY_UNREADABLE.get(error.reason, f"unreadable reply ({error})")
            self.on_failure(self.now, purpose, None, why)
            return
        self._close(stream_id, forget=False)
        context.paths.stream_worked(endpoint)
        if isinstance(reply, ErrorReply):
            self.on_failure(self.now, purpose, None, f"remote error: {reply.error}")
        else:
            yield from self.on_reply(purpose, reply, endpoint)

    def _serve(self, stream_id: int, parser: StreamParser, source: Endpoint) -> Steps[None]:
        context = self._context
        is_answered = False

        def reply(message: bytes) -> Steps[None]:
            nonlocal is_answered
            is_answered = True
            data = yield from context.streams.seal_steps(
                message, label_header=False, label=parser.label, may_compress=self._may_compress
            )
            context.metrics.count("memberlist.tcp.sent", len(data))
            context.output.streams.append(Send(stream_id, data, self.now + context.config.tcp_timeout))

        try:
            message = yield from parser.steps
            yield from self.on_request(message, source, reply)
        except RemoteError as error:
            context.metrics.dropped(error.reason)
            context.decrypt_failures.dropped(self.now, error.reason, source[0], is_stream=True)
            self._report_refused(source, error)
            if parser.error_reply:
                yield from reply(encode(ErrorReply(str(error))))
        if not is_answered:
            self._close(stream_id)

    # -- turns

    def _step(self, now: float, stream_id: int, exchange: _Exchange) -> None:
        """Runs the work of one stream until it pauses."""
        self.now = now
        try:
            pause = next(exchange.work)
            if pause is Pause.BYTES and exchange.parser.is_oversized:
                exchange.work.throw(exchange.parser.oversized())
        except StopIteration:
            self._forget(stream_id)
            return
        self._account(exchange)
        if pause is Pause.TURN:
            exchange.waits = True
            self._turns.setdefault(exchange.endpoint[0], deque()).append(stream_id)
            self._arm(now)
        elif exchange.ended is not None:
            self._lost(now, stream_id, exchange)

    def _turn(self, now: float, _deadline: float) -> None:
        """One more step for the host whose turn it is."""
        self._armed = None
        while self._turns:
            host, waiting = next(iter(self._turns.items()))
            del self._turns[host]
            stream_id = waiting.popleft()
            if waiting:
                self._turns[host] = waiting
            exchange = self._exchange(stream_id)
            if exchange is not None:
                exchange.waits = False
                self._step(now, stream_id, exchange)
                self._bound_memory(now)
                break
        if self._turns:
            self._arm(now)

    def _arm(self, now: float) -> None:
        if self._armed is None:
            self._armed = now + _PAUSE
            self._context.timers.at(self._armed, self._next_turn, self._armed)

    def _may_compress(self, size: int) -> bool:
        return self._compression.spend(self.now, size)

    # -- limits and the end

    def _make_room(self, now: float, source: Endpoint) -> bool:
        taken = {number: (one.endpoint[0], one.opened_at) for number, one in self._inbound.items()}
        stream_id = gives_way(taken, source[0], now)
        if stream_id is not None:
            self._close(stream_id)
        return stream_id is not None

    def _lost(self, now: float, stream_id: int, exchange: _Exchange) -> None:
        """A stream ended before its message was whole."""
        assert exchange.ended is not None
        end, detail = exchange.ended
        self._forget(stream_id)
        if exchange.purpose is not None:
            detail = detail or (self._why_closed() if end is StreamEnd.EOF else end.value)
            self._context.paths.stream_failed(exchange.endpoint, end, detail)
            self.on_failure(now, exchange.purpose, end, detail)
        elif end is not StreamEnd.EOF:
            self._context.metrics.dropped("stream-" + end.name.lower())

    def _why_closed(self) -> str:
        """Likely reasons for a peer to close without an answer; memberlist does not say more."""
        label = self._context.config.label
        ours = f"its label may not be {shown(label)}" if label else "it may have a label, this node has none"
        return f"closed by the peer without an answer: {ours}, or it does not admit this node's address"

    def _report_refused(self, source: Endpoint, error: RemoteError) -> None:
        """Logs why a peer's stream is refused; what only a broken or hostile peer sends is only counted."""
        logger.debug("stream from %s dropped: %s", join_host_port(*source), error)
        why = _WHY_REFUSED.get(error.reason)
        if why is None:
            return
        if self.now < self._report_from:
            self._unreported += 1
            return
        others = f" ({self._unreported} more since the last report)" if self._unreported else ""
        logger.warning("stream from %s refused: %s%s", join_host_port(*source), why, others)
        self._report_from = self.now + _REPORT_INTERVAL
        self._unreported = 0

    def _bound_memory(self, now: float) -> None:
        """Closes the stream that keeps the most memory if all of them together keep too much."""
        while self._memory > self._context.config.max_inbound_bytes:
            open_ids = (*self._inbound, *self._outbound)
            stream_id = max(open_ids, key=lambda one: self._exchange(one).memory)  # type: ignore[union-attr]
            exchange = self._exchange(stream_id)
            self._context.metrics.dropped("inbound-bytes")
            self._close(stream_id)
            if exchange is not None and exchange.purpose is not None:
                self.on_failure(now, exchange.purpose, None, "the reply takes too much memory")

    def _account(self, exchange: _Exchange) -> None:
        memory = exchange.parser.memory
        self._memory += memory - exchange.memory
        exchange.memory = memory

    def _close(self, stream_id: int, *, forget: bool = True) -> None:
        exchange = self._exchange(stream_id)
        if exchange is not None and exchange.ended is None:
            self._context.output.streams.append(Close(stream_id))
        if forget:
            self._forget(stream_id)

    def _forget(self, stream_id: int) -> None:
        exchange = self._inbound.pop(stream_id, None) or self._outbound.pop(stream_id, None)
        if exchange is not None:
            self._memory -= exchange.memory
            if isinstance(exchange.purpose, PUSH_PULLS):
                self._context.metrics.took(self.now, "memberlist.pushPullNode", exchange.opened_at)

    def _exchange(self, stream_id: int) -> _Exchange | None:
        return self._inbound.get(stream_id) or self._outbound.get(stream_id)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id
