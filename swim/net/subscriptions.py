"""Events for any number of readers, each with its own bounded buffer."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable
from typing import TypeAlias

import trio

from swim.errors import ConfigTypeError
from swim.events import Event, EventsLost, MemberEvent, Query, UserEvent

__all__ = ["ALL_KINDS", "EventKind", "Subscription", "Subscriptions", "event_classes"]

EventKind: TypeAlias = type[MemberEvent] | type[UserEvent] | type[Query]
ALL_KINDS: tuple[EventKind, ...] = (MemberEvent, UserEvent, Query)


class Subscription:
    """One reader's view of the events since it subscribed; an async iterator that ends with the cluster.

    A reader that is too slow receives ``EventsLost(count)`` in place of the events that its buffer could not
    hold. ``close()``, the end of an ``async with`` block around it, or dropping the object ends the
    subscription.
    """

    __slots__ = ("__weakref__", "_arrived", "_buffer", "_closed", "_kinds", "_lost", "_size")

    def __init__(self, size: int, kinds: tuple[EventKind, ...] = ALL_KINDS) -> None:
        self._kinds = kinds
        self._buffer: deque[Event] = deque()
        self._size = size
        self._lost = 0
        self._closed = False
        self._arrived = trio.Event()

    def __aiter__(self) -> Subscription:
        return self

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __anext__(self) -> Event:
        await trio.lowlevel.checkpoint()
        while not self._buffer:
            if self._lost:
                return self._take_loss()
            if self._closed:
                raise StopAsyncIteration
            await self._arrived.wait()
        event = self._buffer.popleft()
        if not self._buffer and not self._closed:
            self._arrived = trio.Event()
        return event

    def close(self) -> None:
        """Ends the subscription; buffered events can still be read."""
        self._closed = True
        self._arrived.set()

    def put(self, event: Event) -> None:
        """Buffers one event of the wanted kinds, or counts it as lost. Never waits."""
        if self._closed or not isinstance(event, self._kinds):
            return
        if len(self._buffer) >= self._size:
            self._lost += 1
            return
        if self._lost:
            self._buffer.append(self._take_loss())
        self._buffer.append(event)
        self._arrived.set()

    def _take_loss(self) -> EventsLost:
        lost, self._lost = self._lost, 0
        return EventsLost(lost)


def event_classes(kinds: object) -> tuple[EventKind, ...]:
    """One event class or several.

    Raises:
        ConfigTypeError: naming ``kinds``, if it is anything else.
    """
    wanted = tuple(kinds) if isinstance(kinds, Iterable) else (kinds,)
    for kind in wanted:
        if not (isinstance(kind, type) and issubclass(kind, ALL_KINDS)):
            raise ConfigTypeError("kinds", f"must be classes such as swim.MemberJoined, not {kind!r}")
    return wanted


class Subscriptions:
    """All readers of one cluster. A subscription without references is forgotten."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._readers: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._closed = False

    def open(self, kinds: tuple[EventKind, ...] = ALL_KINDS) -> Subscription:
        """A new subscription that begins with the next event of one of these kinds."""
        subscription = Subscription(self._size, kinds)
        if self._closed:
            subscription.close()
        self._readers.add(subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Sends one event to every reader."""
        for reader in self._readers:
            reader.put(event)

    def close(self) -> None:
        """Ends every subscription, including those opened later."""
        self._closed = True
        for reader in self._readers:
            reader.close()
