"""The events of a cluster as lines of JSON, with or without the members first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from agent_api.cluster import EventsLike
from agent_api.own.shapes import Observer
from agent_api.shapes import dumps, in_portions
from agent_api.streams.lines import Feed
from agent_api.telemetry.readings import plain_gauges
from swim import (
    Event,
    EventsLost,
    Member,
    MemberAccused,
    MemberEvent,
    MemberFailed,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    NodeStats,
)

__all__ = ["WATCH_LEVELS", "EventSource", "WatchSource"]

WATCH_LEVELS = ("members", "suspicions", "events", "metrics")
"""Parts of ``/v1/swim/watch``: members that change, suspicions from their begin to their end, what
applications send, and counters in the heartbeats."""
_SUSPICIONS_ONLY = (MemberSuspected, MemberAccused)
_SUSPICIONS = (*_SUSPICIONS_ONLY, MemberRefuted, MemberFailed, MemberLeft)


def _line(document: dict[str, Any]) -> bytes:
    return dumps(document) + b"\n"


def _is_any(_: Event) -> bool:
    return True


class _Subscribed(NamedTuple):
    """The events from one moment on, and what they add to: the members, and the last event before it."""

    events: EventsLike
    sequence: int
    members: Sequence[Member]


class EventSource:
    """Every event from now on, each with the time at which it was seen here; gaps are counted.

    Args:
        observer: of the cluster whose events these are.
        is_wanted: which ones; the others are passed over.
    """

    def __init__(self, observer: Observer, is_wanted: Callable[[Event], bool] = _is_any) -> None:
        self._observer = observer
        self._is_wanted = is_wanted

    async def __call__(self, feed: Feed) -> None:
        """Puts lines into the feed until the cluster has ended."""
        subscribed = self._subscribe()
        while True:
            next_: list[_Subscribed] = []

            def subscribe_again(events: EventsLike = subscribed.events, next_: list[Any] = next_) -> None:
                if not next_:
                    next_.append(self._subscribe())
                    events.close()

            feed.on_caught_up = subscribe_again
            with closing(subscribed.events):
                await self._begin(feed, subscribed)
                await self._pass_on(subscribed.events, feed)
            if feed.lost:
                at = self._observer.clock.now()
                feed.end_gap(_line({"event": "EventsLost", "at": at, "count": feed.lost}))
            if not next_:
                return
            subscribed = next_[0]

    def _subscribe(self) -> _Subscribed:
        """The events from this moment on. In this order, for a cluster that runs in another thread."""
        cluster = self._observer.cluster
        return _Subscribed(cluster.events(), cluster.stats().sequence, cluster.members())

    async def _begin(self, feed: Feed, subscribed: _Subscribed) -> None:
        """Nothing comes before the events."""

    async def _pass_on(self, events: EventsLike, feed: Feed) -> None:
        async for event in events:
            if isinstance(event, EventsLost):
                feed.lose(event.count)
            elif self._is_wanted(event):
                feed.put(_line(self._observer.event(event)))


class WatchSource(EventSource):
    """The members first, then every event after that; the members once more after every gap.

    Between the two nothing is missed and nothing comes twice: the subscription begins at the very moment at
    which the members are read.

    Args:
        observer: of the cluster.
        levels: which of ``WATCH_LEVELS`` are wanted.
        readiness: how far the agent has come.
    """

    def __init__(
        self,
        observer: Observer,
        levels: Collection[str] = WATCH_LEVELS,
        readiness: Callable[[], str] = lambda: "joined",
    ) -> None:
        super().__init__(observer, self._is_of_level)
        self._levels = frozenset(levels)
        self._readiness = readiness

    def heartbeat(self) -> bytes:
        """How the agent is, and the suspicions that run."""
        observer, stats = self._observer, self._observer.cluster.stats()
        head = {"event": "Heartbeat", "at": observer.clock.now(), "sequence": stats.sequence}
        shape = {**head, **self._state(stats)}
        if "suspicions" in self._levels:
            shape["suspicions"] = observer.suspicions()
        return _line(shape)

    async def snapshot(self, sequence: int, members: Sequence[Member]) -> bytes:
        """How the agent is, and these members, as they were after the event ``sequence``."""
        observer = self._observer
        cluster = observer.cluster
        head = {"event": "Snapshot", "at": observer.clock.now(), "sequence": sequence}
        snapshot = {"name": cluster.config.name, **self._state(cluster.stats())}
        by_name = sorted(members, key=lambda member: member.name)
        body = await in_portions(snapshot, "members", by_name, observer.member)
        return dumps(head)[:-1] + b',"snapshot":' + body + b"}\n"

    async def _begin(self, feed: Feed, subscribed: _Subscribed) -> None:
        feed.insert(await self.snapshot(subscribed.sequence, subscribed.members))

    def _state(self, stats: NodeStats) -> dict[str, Any]:
        cluster = self._observer.cluster
        shape: dict[str, Any] = {
            "status": cluster.status,
            "readiness": self._readiness(),
            "health_score": stats.health_score,
        }
        if "metrics" in self._levels:
            shape["counters"] = dict(cluster.metrics.counters)
            shape["gauges"] = plain_gauges(cluster, stats)
        return shape

    def _is_of_level(self, event: Event) -> bool:
        if not isinstance(event, MemberEvent):
            return "events" in self._levels
        if "suspicions" in self._levels and isinstance(event, _SUSPICIONS):
            return True
        return "members" in self._levels and not isinstance(event, _SUSPICIONS_ONLY)
