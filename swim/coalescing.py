"""Coalesced events: a burst is reported once it is over, as what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import get_args

from swim import checks
from swim.errors import ConfigError
from swim.events import (
    Event,
    EventsLost,
    Member,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeaving,
    MemberLeft,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberState,
    MemberStatus,
    MemberSuspected,
    MemberUpdated,
    UserEvent,
)

__all__ = ["HELD_MAX", "Coalescer", "Held"]

HELD_MAX = 4096
"""Events that a ``Coalescer`` holds back; the burst is reported early when there are as many."""

is_event = checks.instance("an event of a subscription", *get_args(Event))
_GONE: dict[MemberStatus, type[MemberEvent]] = {
    MemberStatus.LEAVING: MemberLeaving,
    MemberStatus.LEFT: MemberLeft,
    MemberStatus.FAILED: MemberFailed,
}


class Held:
    """Events of one member that are held back, to be reported as one.

    Args:
        reported: the member as it was last reported; None if it never was.
        newest: the first event held back.

    Attributes:
        reported: see above.
    """

    __slots__ = ("_count", "_newest", "_restarted", "reported")

    def __init__(self, reported: Member | None, newest: MemberEvent) -> None:
        self.reported: Member | None = reported
        self._newest = newest
        self._count = 0
        self._restarted = False
        self.add(newest)

    def add(self, event: MemberEvent) -> None:
        """Holds back the next event."""
        self._newest = event
        self._count += 1
        self._restarted = self._restarted or isinstance(event, MemberRestarted)

    def summary(self) -> tuple[MemberEvent, ...]:
        """One event for all of them, from what was last reported to what is now; none if that is the same."""
        newest, before = self._newest, self.reported
        member = newest.member
        if isinstance(newest, MemberReaped):
            return () if before is None else (replace(newest, previous=before),)
        is_restart = self._restarted and member.state is MemberState.ALIVE
        if member == before and not is_restart:
            return ()
        if self._count == 1:
            return (newest,)
        detail = ", ".join(filter(None, [newest.reason.detail, f"settled after {self._count} events"]))
        kind = MemberRestarted if is_restart and before is not None else _kind(before, member)
        return (kind(member, before, replace(newest.reason, detail=detail), newest.sequence),)


def _kind(before: Member | None, member: Member) -> type[MemberEvent]:
    if member.status in _GONE:
        return _GONE[member.status]
    if before is None or before.status in (MemberStatus.LEFT, MemberStatus.FAILED):
        return MemberJoined
    if member.is_suspect:
        return MemberSuspected
    return MemberRefuted if member.incarnation > before.incarnation else MemberUpdated


class _Window:
    """When a burst is over: at the latest ``period`` after its first event, or once it is quiet."""

    __slots__ = ("_first", "_last", "_period", "_quiescence")

    def __init__(self, period: float, quiescence: float) -> None:
        self._period = period
        self._quiescence = quiescence
        self._first = self._last = inf

    @property
    def end(self) -> float:
        return min(self._first + self._period, self._last + self._quiescence)

    def extend(self, now: float) -> None:
        self._first = min(self._first, now)
        self._last = now

    def close(self) -> None:
        self._first = self._last = inf


class Coalescer:
    """Holds back the events of a burst, and reports them once it is over: Serf's coalescing.

    A burst begins with its first event and ends ``period`` seconds later, or as soon as none has come for
    ``quiescence`` seconds. Bursts of member events and of user events have nothing to do with each other.

    - Member events: one event for each member, from what was last reported to what it is now; none, if that
      is the same. So folding gives ``members()`` at the end of each burst.
    - User events sent with ``coalesce=True``: those with the highest stamp of each name; the others are
      dropped.

    All other events pass at once. After an ``EventsLost`` it starts anew, as its reader does from
    ``members()``; the user events held back come before it.

    Serf reports an update once more after each later burst, and forgets a join that an update follows
    within a burst. Here each change is reported once.

    Args:
        kinds: events that are held back: ``MemberEvent``, ``UserEvent`` or both.
        period: seconds; the default is that of Serf's agent.
        quiescence: seconds, likewise.

    Raises:
        ConfigError: naming the argument that is wrong.
    """

    def __init__(
        self,
        kinds: type[MemberEvent] | type[UserEvent] | Iterable[type[MemberEvent] | type[UserEvent]] = (
            MemberEvent,
            UserEvent,
        ),
        *,
        period: float = 3.0,
        quiescence: float = 1.0,
    ) -> None:
        wanted = tuple(kinds) if isinstance(kinds, Iterable) else (kinds,)
        if not wanted or not all(kind in (MemberEvent, UserEvent) for kind in wanted):
            raise ConfigError("kinds", f"must be swim.MemberEvent, swim.UserEvent or both, not {kinds!r}")
        self._holds_members = MemberEvent in wanted
        self._holds_user_events = UserEvent in wanted
        period = checks.number("period", period)
        quiescence = checks.number("quiescence", quiescence)
        self._members = _Window(period, quiescence)
        self._user_events = _Window(period, quiescence)
        self._held: dict[str, Held] = {}
        self._newest: dict[str, list[UserEvent]] = {}
        self._count = 0

    @property
    def deadline(self) -> float:
        """When to call ``feed`` if no event comes before, on the clock of ``now``; ``inf`` if never."""
        return min(self._members.end, self._user_events.end)

    @property
    def held(self) -> int:
        """How many members and user events are to be reported at the end of a burst."""
        return len(self._held) + self._count

    def feed(self, now: float, event: Event | None = None) -> tuple[Event, ...]:
        """The events to report now.

        Args:
            now: seconds, such as ``cluster.now()``; never less than before.
            event: the next event of a subscription; None if ``deadline`` has come.

        Raises:
            ConfigError: naming the argument that is wrong.
        """
        checks.number("now", now, at_least=-inf)
        over = self._over(now)
        match event:
            case None:
                return over
            case MemberEvent() if self._holds_members:
                self._hold_member(now, event)
                return (*over, *self._report_members()) if len(self._held) >= HELD_MAX else over
            case UserEvent(coalesce=True) if self._holds_user_events:
                self._hold_user_event(now, event)
                return (*over, *self._report_user_events()) if self._count >= HELD_MAX else over
            case EventsLost():
                self._held.clear()
                self._members.close()
                return (*over, *self._report_user_events(), event)
        is_event("event", event)
        return (*over, event)

    def _over(self, now: float) -> tuple[Event, ...]:
        """Reports the bursts that are over, the one that ended first before the other."""
        bursts: list[tuple[_Window, Callable[[], Sequence[Event]]]] = [
            (self._members, self._report_members),
            (self._user_events, self._report_user_events),
        ]
        found: list[Event] = []
        for window, report in sorted(bursts, key=lambda burst: burst[0].end):
            if window.end <= now:
                found += report()
        return tuple(found)

    def _hold_member(self, now: float, event: MemberEvent) -> None:
        self._members.extend(now)
        name = event.member.name
        if (held := self._held.pop(name, None)) is not None:
            held.add(event)
        else:
            held = Held(event.previous, event)
        self._held[name] = held

    def _hold_user_event(self, now: float, event: UserEvent) -> None:
        self._user_events.extend(now)
        newest = self._newest.get(event.name, [])
        if newest and event.ltime < newest[0].ltime:
            return
        if newest and event.ltime == newest[0].ltime:
            newest.append(event)
        else:
            self._newest.pop(event.name, None)
            self._newest[event.name] = [event]
            self._count -= len(newest)
        self._count += 1

    def _report_members(self) -> list[MemberEvent]:
        """In the order of each member's newest event."""
        found = [event for held in self._held.values() for event in held.summary()]
        self._held.clear()
        self._members.close()
        return found

    def _report_user_events(self) -> list[UserEvent]:
        found = [event for newest in self._newest.values() for event in newest]
        self._newest.clear()
        self._count = 0
        self._user_events.close()
        return found
