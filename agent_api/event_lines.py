"""``/v1/swim/events``: a subscription as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self

import anyio

from agent_api.shapes import dumps, event_shape
from swim import Event

__all__ = ["EventLines"]

_HEARTBEAT_SECONDS = 30.0


class EventLines:
    """One JSON object per line; an empty line at once, so that the head is sent, and as a heartbeat.

    Not a generator, since a generator would have to be closed when the reader disconnects.
    """

    __slots__ = ("_began", "_events")

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events
        self._began = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next line.

        Raises:
            StopAsyncIteration: the subscription has ended.
        """
        line: dict[str, Any] = {}
        if self._began:
            with anyio.move_on_after(_HEARTBEAT_SECONDS):
                line = event_shape(await anext(self._events))
        self._began = True
        return dumps(line) + b"\n"
