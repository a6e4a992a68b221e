"""The bounded buffer of events behind every subscription."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TypeAlias

from swim.errors import ConfigTypeError
from swim.events import Event, EventsLost, MemberEvent, Query, UserEvent, UserMessage

__all__ = ["ALL_KINDS", "MESSAGES_MAX_BYTES", "EventBuffer", "EventKind", "event_classes"]

EventKind: TypeAlias = type[MemberEvent] | type[UserEvent] | type[Query] | type[UserMessage]
ALL_KINDS: tuple[EventKind, ...] = (MemberEvent, UserEvent, Query, UserMessage)
MESSAGES_MAX_BYTES = 8 * 1024 * 1024
"""Payloads of messages in one buffer; more count as lost."""


class EventBuffer:
    """Events of the wanted kinds, in order; those that did not fit are replaced by ``EventsLost(count)``.

    Attributes:
        is_closed: whether no more events are taken in.
    """

    __slots__ = ("_bytes", "_events", "_kinds", "_lost", "_size", "is_closed")

    def __init__(self, size: int, kinds: tuple[EventKind, ...] = ALL_KINDS) -> None:
        self.is_closed: bool = False
        self._events: deque[Event] = deque()
        self._kinds = kinds
        self._size = size
        self._bytes = 0
        self._lost = 0

    def __bool__(self) -> bool:
        return bool(self._events or self._lost)

    def put(self, event: Event) -> bool:
        """Adds one event of the wanted kinds, or counts it as lost; True if the buffer was empty."""
        if self.is_closed or not isinstance(event, self._kinds):
            return False
        size = _size(event)
        if len(self._events) >= self._size or (size and self._bytes + size > MESSAGES_MAX_BYTES):
            self._lost += 1
            return False
        is_first = not self
        if self._lost:
            self._events.append(self._take_loss())
        self._events.append(event)
        self._bytes += size
        return is_first

    def narrow(self, kinds: tuple[EventKind, ...]) -> bool:
        """Keeps only events of these kinds, now and later; False, and no change, if some were lost."""
        if self._lost:
            return False
        self._kinds = kinds
        self._events = deque(event for event in self._events if isinstance(event, kinds))
        self._bytes = sum(map(_size, self._events))
        return True

    def lose(self, count: int) -> bool:
        """Counts events as lost; True if there was nothing to take before."""
        if self.is_closed or not count:
            return False
        is_first = not self
        self._lost += count
        return is_first

    def take(self) -> Event | None:
        """The next event, or None if there is none now."""
        if self._events:
            event = self._events.popleft()
            self._bytes -= _size(event)
            return event
        return self._take_loss() if self._lost else None

    def _take_loss(self) -> EventsLost:
        lost, self._lost = self._lost, 0
        return EventsLost(lost)


def _size(event: Event) -> int:
    return len(event.payload) if isinstance(event, UserMessage) else 0


def event_classes(kinds: object) -> tuple[EventKind, ...]:
    """One event class or several.

    Raises:
        ConfigTypeError: naming ``kinds``, if it is anything else.
    """
    wanted = tuple(kinds) if isinstance(kinds, Iterable) and not isinstance(kinds, str) else (kinds,)
    for kind in wanted:
        if not (isinstance(kind, type) and issubclass(kind, ALL_KINDS)):
            raise ConfigTypeError("kinds", f"must be classes such as swim.MemberJoined, not {kind!r}")
    return wanted
