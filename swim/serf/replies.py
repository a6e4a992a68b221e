"""Channels for the replies to queries of this node: any number, until a deadline or an early end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from swim.addresses import Endpoint
from swim.core.context import Context
from swim.core.timers import TimerKind
from swim.errors import RemoteError
from swim.serf.messages import QueryResponse

__all__ = ["ACK_FLAG", "CHANNELS_MAX", "REPLY_BYTES_MAX", "ReplyChannel", "ReplyChannels"]

ACK_FLAG = 1
"""Flag of a response: it acks that the query was received, and is not an answer."""
_PACKET_BYTES_MAX = 0xFFFF
_ENDED_MAX = 64
"""Ended queries remembered, so that their late replies do not count as unexpected."""
REPLY_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of all answers to one query."""
CHANNELS_MAX = 1024
"""Queries of the application that wait for replies at a time."""

Take = Callable[[QueryResponse, Endpoint | None], None]


class ReplyChannel:
    """The replies to one query.

    Args:
        key: stamp and id of the query.
        most: acks taken, and answers: the members known when the query was sent (as in Serf).
        take: called with each reply, and where it came from: one ack and one answer of each member. It may
            raise ``RemoteError``, which counts the reply and lets the member reply again.
        ended: called with the time at the deadline, or at the early end.

    Attributes:
        awaited: who has yet to reply, as name and kind (``ACK_FLAG`` or 0); None to wait until the deadline.
    """

    __slots__ = ("_bytes", "_most", "_seen", "_take", "awaited", "ended", "key")

    def __init__(self, key: tuple[int, int], most: int, take: Take, ended: Callable[[float], None]) -> None:
        self.key: tuple[int, int] = key
        self.ended: Callable[[float], None] = ended
        self.awaited: set[tuple[str, int]] | None = None
        self._bytes = 0
        self._most = most
        self._take = take
        self._seen: tuple[set[str], set[str]] = (set(), set())  # who answered, who acked

    def receive(self, response: QueryResponse, source: Endpoint | None) -> None:
        """Receives a reply; a second one of the same member and kind, which relays cause, is ignored.

        Raises:
            RemoteError: ``response-overflow``: more members replied than there were, or more bytes than
                ``REPLY_BYTES_MAX``.
        """
        kind = response.flags & ACK_FLAG
        seen = self._seen[kind]
        if response.node in seen:
            return
        size = len(response.payload or b"")
        if len(seen) >= self._most or self._bytes + size > REPLY_BYTES_MAX:
            raise RemoteError("response-overflow")
        self._take(response, source)
        seen.add(response.node)
        self._bytes += size
        if self.awaited is not None:
            self.awaited.discard((response.node, kind))


class ReplyChannels:
    """The channels that are open, by the stamp and id of their queries."""

    def __init__(self, context: Context) -> None:
        self._timers = context.timers
        self._metrics = context.metrics
        self._largest = max(context.config.query_response_stream_limit, _PACKET_BYTES_MAX)
        self._ended: deque[tuple[int, int]] = deque(maxlen=_ENDED_MAX)
        self._open: dict[tuple[int, int], ReplyChannel] = {}
        self._end = context.timers.kind(TimerKind.QUERY_END, self.end, self._is_open)

    def __contains__(self, key: tuple[int, int]) -> bool:
        return key in self._open

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Whether as many are open as applications may have."""
        return len(self._open) >= CHANNELS_MAX

    def open(self, channel: ReplyChannel, deadline: float) -> None:
        """Opens a channel until ``deadline``, absolute seconds."""
        self._open[channel.key] = channel
        self._timers.at(deadline, self._end, channel)

    def receive(self, now: float, response: QueryResponse, source: Endpoint | None) -> None:
        """Passes a reply to its channel, which may end with it; one that arrives after the end is counted.

        Raises:
            RemoteError: ``unexpected-response`` if there was none; ``response-size`` for one that is larger
                than ``query_response_stream_limit``; or what the channel raises.
        """
        if len(response.payload or b"") > self._largest:
            raise RemoteError("response-size")
        key = (response.ltime, response.id)
        channel = self._open.get(key)
        if channel is not None:
            channel.receive(response, source)
            self.end_if_complete(now, channel)
        elif key in self._ended:
            self._metrics.count("swim.late-responses")
        else:
            raise RemoteError("unexpected-response")

    def end_if_complete(self, now: float, channel: ReplyChannel) -> None:
        """Closes a channel to which nothing more is expected."""
        if channel.awaited is not None and not channel.awaited:
            self.end(now, channel)

    def end(self, now: float, channel: ReplyChannel) -> None:
        """Closes a channel, if it is open still."""
        if self._is_open(channel):
            del self._open[channel.key]
            self._ended.append(channel.key)
            channel.ended(now)

    def _is_open(self, channel: ReplyChannel) -> bool:
        return self._open.get(channel.key) is channel
