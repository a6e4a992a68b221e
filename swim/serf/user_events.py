"""User events: received once each, delivered to the application, passed on, and sent (Serf's UserEvent)."""

from __future__ import annotations

from collections.abc import Iterator

from swim import events
from swim.commands import SendUserEvent
from swim.config.limits import USER_EVENT_BYTES_MAX
from swim.core.engine import Engine
from swim.serf.lamport import LamportClock
from swim.serf.member_list import Roster
from swim.serf.messages import UserEvent, encode_serf
from swim.serf.queues import SerfQueues
from swim.serf.seen import WINDOW, RecentRing

__all__ = ["UserEvents"]


class UserEvents:
    """The event clock and the ring of recent events.

    Attributes:
        clock: stamps events.
    """

    def __init__(self, engine: Engine, roster: Roster, queues: SerfQueues) -> None:
        self._config = engine.context.config
        self._metrics = engine.context.metrics
        self._queues = queues
        self._roster = roster
        self._checked = 0
        self.clock: LamportClock = LamportClock()
        self._ring: RecentRing[tuple[str, bytes]] = RecentRing(
            self.clock,
            max_bytes=self._config.max_recent_event_bytes,
            weigh=lambda key: len(key[0]) + len(key[1]),
            dropped=self._metrics.dropped,
        )

    @property
    def admitted(self) -> int:
        """How many events were new so far."""
        return self._ring.admitted

    def receive(self, ltime: int, name: str, payload: bytes | None, coalesce: bool = False) -> bool:
        """Receives an event and delivers it to the application; True if it was new and recent."""
        body = payload or b""
        if len(name) + len(body) > USER_EVENT_BYTES_MAX:  # it would be in all of our push/pulls, too
            self._metrics.dropped("event-size")
            return False
        if not self._ring.admit(ltime, (name, body)):
            return False
        self._roster.hand_out(events.UserEvent(name, body, ltime, coalesce))
        return True

    def wants_push_pull(self) -> bool:
        """Whether half of the window has passed since this was last so: what was missed is soon too old."""
        if self.clock.time - self._checked < WINDOW // 2:
            return False
        self.caught_up()
        return True

    def caught_up(self) -> None:
        """A push/pull brought what was missed."""
        self._checked = self.clock.time

    def send(self, now: float, command: SendUserEvent) -> None:
        """Sends an event to all members, this node included.

        Raises:
            ConfigError: naming ``payload``: the event is larger than ``user_event_size_limit``.
            LocalError: too many wait to be sent.
        """
        message = UserEvent(self.clock.time, command.name, command.payload or None, command.coalesce)
        body = encode_serf(message)
        limit = self._config.user_event_size_limit
        self._queues.check_size("user event", body, limit, "user_event_size_limit")
        self._queues.event(now, body)
        self.receive(*message)

    def ignore_before(self, ltime: int) -> None:
        """Ignores events with earlier stamps (Serf's eventMinTime)."""
        if not self.clock.is_absurd(ltime):
            self._ring.ignore_before(ltime)

    def remembered(self) -> tuple[events.UserEvent, ...]:
        """The recent events once more, oldest first."""
        return tuple(events.UserEvent(*key, ltime) for ltime, keys in self._ring.recent() for key in keys)

    def recent(self) -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
        """Stamp and events of every slot inside the window, oldest first."""
        return self._ring.recent()
