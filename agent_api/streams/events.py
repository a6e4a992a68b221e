"""The events of a cluster as lines of JSON: ours, with or without the members first, and Nomad's frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from agent_api.cluster import ClusterLike, EventsLike
from agent_api.shapes import dumps, event_shape, in_portions, member_shape
from agent_api.streams.lines import Feed
from swim import Event, EventsLost, Member

__all__ = ["EventSource", "WatchSource", "heartbeat", "wall_clock"]


def wall_clock() -> str:
    """The time of day in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def heartbeat() -> bytes:
    """A heartbeat of ``/v1/swim/watch``."""
    return _line({"event": "Heartbeat", "time": wall_clock()})


def _line(document: dict[str, Any]) -> bytes:
    return dumps(document) + b"\n"


class EventSource:
    """Every event from now on, each with the time at which it was seen here; gaps are counted.

    Args:
        cluster: whose events.
        is_wanted: which ones; the others are passed over.
    """

    def __init__(self, cluster: ClusterLike, is_wanted: Callable[[Event], bool] = lambda _: True) -> None:
        self._cluster = cluster
        self._is_wanted = is_wanted

    async def __call__(self, feed: Feed) -> None:
        """Puts lines into the feed until the cluster has ended."""
        events, members = self._subscribe()
        while True:
            next_: list[tuple[EventsLike, tuple[Member, ...]]] = []

            def subscribe_again(events: EventsLike = events, next_: list[Any] = next_) -> None:
                if not next_:
                    next_.append(self._subscribe())
                    events.close()

            feed.on_caught_up = subscribe_again
            with closing(events):
                await self._begin(feed, members)
                await self._pass_on(events, feed)
            if feed.lost:
                feed.end_gap(_line({"event": "EventsLost", "time": wall_clock(), "count": feed.lost}))
            if not next_:
                return
            events, members = next_[0]

    def _subscribe(self) -> tuple[EventsLike, tuple[Member, ...]]:
        """The events from this moment on, and the members at this moment."""
        return self._cluster.events(), self._cluster.members()

    async def _begin(self, feed: Feed, members: Sequence[Member]) -> None:
        """Nothing comes before the events."""

    async def _pass_on(self, events: EventsLike, feed: Feed) -> None:
        async for event in events:
            if isinstance(event, EventsLost):
                feed.lose(event.count)
            elif self._is_wanted(event):
                shape = event_shape(event)
                feed.put(_line({"event": shape.pop("event"), "time": wall_clock(), **shape}))


class WatchSource(EventSource):
    """The members first, then every event after that; the members once more after every gap.

    Between the two nothing is missed and nothing comes twice: the subscription begins at the very moment at
    which the members are read.
    """

    async def _begin(self, feed: Feed, members: Sequence[Member]) -> None:
        head = {"event": "Snapshot", "time": wall_clock(), "name": self._cluster.config.name}
        by_name = sorted(members, key=lambda member: member.name)
        feed.insert(await in_portions(head, "members", by_name, member_shape) + b"\n")
