"""Events for any number of readers, each with its own bounded buffer."""

from __future__ import annotations

import weakref

import trio

from swim.events import Event
from swim.net.event_buffer import ALL_KINDS, EventBuffer, EventKind

__all__ = ["Subscription", "Subscriptions"]


class Subscription:
    """One reader's view of the events since it subscribed; an async iterator that ends with the cluster.

    A reader that is too slow receives ``EventsLost(count)`` in place of the events that its buffer could not
    hold. ``close()``, the end of an ``async with`` block around it, or dropping the object ends the
    subscription.
    """

    __slots__ = ("__weakref__", "_arrived", "_buffer")

    def __init__(self, size: int, kinds: tuple[EventKind, ...] = ALL_KINDS) -> None:
        self._buffer = EventBuffer(size, kinds)
        self._arrived = trio.Event()

    def __aiter__(self) -> Subscription:
        return self

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __anext__(self) -> Event:
        await trio.lowlevel.checkpoint()
        while (event := self._buffer.take()) is None:
            if self._buffer.is_closed:
                raise StopAsyncIteration
            await self._arrived.wait()
        if not self._buffer and not self._buffer.is_closed:
            self._arrived = trio.Event()
        return event

    def close(self) -> None:
        """Ends the subscription; buffered events can still be read."""
        self._buffer.is_closed = True
        self._arrived.set()

    def put(self, event: Event) -> None:
        """Buffers one event of the wanted kinds, or counts it as lost. Never waits."""
        if self._buffer.put(event):
            self._arrived.set()


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
