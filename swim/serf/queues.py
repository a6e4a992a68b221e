"""What the Serf layer spreads: one queue each for intents, queries and user events."""

from __future__ import annotations

from typing import NoReturn

from swim.addresses import Endpoint
from swim.core.broadcast import BroadcastQueue
from swim.core.engine import Engine
from swim.core.member import Record
from swim.errors import ConfigError, LocalError
from swim.serf.messages import JoinIntent, LeaveIntent, Query, SerfMessage, UserEvent, encode_serf

__all__ = ["EVENTS_WAITING_MAX", "SerfQueues"]

EVENTS_WAITING_MAX = 256
"""User events in the queue beyond which this node sends no more of its own: half of Serf's window.

A peer takes an event only while fewer than 512 newer stamps have reached it. So what waits longer behind
others would be lost.
"""

_USER_TYPE_BYTES = 1
"""memberlist's type byte before each Serf message."""


class SerfQueues:
    """The broadcasts of one node.

    Attributes:
        intents: about members; the newest one of each.
        queries: in the order in which they came.
        events: likewise.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._name = engine.context.config.name
        self.intents: BroadcastQueue = engine.context.new_queue()
        self.queries: BroadcastQueue = engine.context.new_queue()
        self.events: BroadcastQueue = engine.context.new_queue()
        self._all = (self.intents, self.queries, self.events)
        self._numbered = 0

    def pass_on(self, now: float, message: SerfMessage, body: bytes, source: Endpoint | None) -> None:
        """Queues a peer's message unchanged, including unknown fields; ``source`` sent it, if known."""
        origin = self._engine.context.endpoint_name(source) if source is not None else ""
        match message:
            case JoinIntent() | LeaveIntent():
                self._queue(now, self.intents, body, name=message.node, origin=origin)
            case UserEvent():
                self._queue(now, self.events, body, origin=origin)
            case Query():
                self._queue(now, self.queries, body, origin=origin)

    def intent(self, now: float, intent: JoinIntent | LeaveIntent, *, ticket: int | None = None) -> None:
        """Queues an intent of this node; ``ticket`` is finished when it was sent often enough.

        This node's own join is kept while it has no peer: its first peer may arrive by a packet.
        """
        is_kept = isinstance(intent, JoinIntent) and intent.node == self._name
        self._queue(now, self.intents, encode_serf(intent), name=intent.node, ticket=ticket, is_kept=is_kept)

    def check_size(self, what: str, body: bytes, limit: int, setting: str) -> None:
        """Refuses an application's message that is too large.

        Raises:
            ConfigError: naming ``payload``, with the actual and the allowed size.
        """
        if len(body) > limit:
            self.refuse(what, body, limit, setting)
        if not self._engine.gossip.fits(len(body) + _USER_TYPE_BYTES):
            raise ConfigError(
                "payload", f"the {what} takes {len(body)} bytes encoded and fits no packet (udp_buffer_size)"
            )

    @staticmethod
    def refuse(what: str, body: bytes, limit: int, setting: str) -> NoReturn:
        """Refuses an application's message that is larger than a limit; raises as ``check_size``."""
        raise ConfigError(
            "payload", f"the {what} takes {len(body)} bytes encoded, more than {setting} ({limit}) allows"
        )

    def event(self, now: float, body: bytes) -> None:
        """Queues a user event of this node.

        Raises:
            LocalError: more are sent than gossip spreads: ``EVENTS_WAITING_MAX``.
        """
        context, waiting = self._engine.context, len(self.events)
        if waiting >= min(EVENTS_WAITING_MAX, context.config.max_queue_depth):
            context.metrics.dropped("user-events-waiting")
            raise LocalError(f"{waiting} user events wait to be sent already: more than gossip spreads")
        self._queue(now, self.events, body)

    def query(self, now: float, body: bytes) -> None:
        """Queues a query of this node."""
        self._queue(now, self.queries, body)

    def take(self, now: float, room: int, overhead: int, *, most: int, target: Record | None) -> list[bytes]:
        """Intents first, then queries, then events, each in the space that is left."""
        name = target.name if target is not None else ""
        bodies: list[bytes] = []
        for queue in self._all:
            taken = queue.take(now, room, overhead, most=most - len(bodies), exclude=name)
            room -= sum(map(len, taken)) + overhead * len(taken)
            bodies += taken
        for body in bodies:
            self._engine.context.metrics.sample(now, "serf.msgs.sent", len(body))
        return bodies

    def resize(self, now: float, n: int) -> None:
        """Adapts the transmit limits to a cluster of ``n``."""
        for queue in self._all:
            queue.resize(now, n)

    def _queue(
        self,
        now: float,
        queue: BroadcastQueue,
        body: bytes,
        *,
        name: str = "",
        origin: str = "",
        ticket: int | None = None,
        is_kept: bool = False,
    ) -> None:
        """Queues a broadcast: one intent per node, every other message under its own number."""
        if is_kept or self._engine.context.has_peers:
            self._numbered += 1
            self._engine.gossip.queue(
                now,
                queue,
                name or f"#{self._numbered}",
                body,
                origin=origin,
                ticket=ticket,
                overhead=_USER_TYPE_BYTES,
                is_quick=queue is not self.intents,
            )
