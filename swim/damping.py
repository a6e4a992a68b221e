"""Damping of events: a member that flaps is reported once it has settled; the protocol is not touched."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import get_args

from swim import checks
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
    MemberStatus,
    MemberSuspected,
    MemberUpdated,
)

__all__ = ["Damper"]

_is_event = checks.instance("an event of a subscription", *get_args(Event))
_GONE: dict[MemberStatus, type[MemberEvent]] = {
    MemberStatus.LEAVING: MemberLeaving,
    MemberStatus.LEFT: MemberLeft,
    MemberStatus.FAILED: MemberFailed,
}


class _Flapping:
    """A member with recent changes of its state.

    Attributes:
        times: when its state last changed, oldest first.
        at: when its newest event came.
        is_held: its events are held back.
        reported: the member as it was last reported; None if it never was.
        newest: the newest event held back.
        count: events held back.
        restarted: one of them was a restart.
    """

    __slots__ = ("at", "count", "is_held", "newest", "reported", "restarted", "times")

    def __init__(self) -> None:
        self.times: tuple[float, ...] = ()
        self.at = 0.0
        self.is_held = False
        self.reported: Member | None = None
        self.newest: MemberEvent | None = None
        self.count = 0
        self.restarted = False


class Damper:
    """Passes events on, except those of a member that flaps; what became of it is reported once it settled.

    A member flaps if it restarted or changed its state (alive, suspect, leaving, left, failed) ``flaps``
    times within ``within`` seconds. A crash and a return are three changes. From then on its events are held
    back, until none has come for ``settle`` seconds. Then one event leads from what was last reported to what
    it is now; none, if that is the same. A reap is reported at once. Other events pass.

    Folding the events that it returns gives ``members()`` as soon as no member is held back. After an
    ``EventsLost`` it starts anew, as its reader does from ``members()``.

    Args:
        flaps: changes, at least 2.
        within: seconds.
        settle: seconds; a member that changes more often than that is held back for as long as it does.

    Raises:
        ConfigError: naming the argument that is wrong.
    """

    def __init__(self, *, flaps: int = 4, within: float = 60.0, settle: float = 30.0) -> None:
        self._flaps = checks.whole_number("flaps", flaps, at_least=2)
        self._within = checks.number("within", within)
        self._settle = checks.number("settle", settle)
        self._recent: dict[str, _Flapping] = {}
        self._held: dict[str, _Flapping] = {}

    @property
    def deadline(self) -> float:
        """When to call ``feed`` if no event comes before, on the clock of ``now``; ``inf`` if never."""
        return next((one.at + self._settle for one in self._held.values()), inf)

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the members whose events are held back."""
        return tuple(self._held)

    def feed(self, now: float, event: Event | None = None) -> tuple[Event, ...]:
        """The events to report now.

        Args:
            now: seconds, such as ``cluster.now()``; never less than before.
            event: the next event of a subscription to all member events; None if ``deadline`` has come.

        Raises:
            ConfigError: naming the argument that is wrong.
        """
        checks.number("now", now, at_least=-inf)
        settled = self._settled(now)
        match event:
            case None:
                return settled
            case MemberEvent():
                return (*settled, *self._take(now, event))
            case EventsLost():
                self._recent.clear()
                self._held.clear()
        _is_event("event", event)
        return (*settled, event)

    def _settled(self, now: float) -> tuple[Event, ...]:
        """Lets go of what has been quiet; both tables are in the order of their members' newest events."""
        found: list[Event] = []
        while self.deadline <= now:
            one = self._held.pop(next(iter(self._held)))
            found += _summary(one)
        while self._recent and next(iter(self._recent.values())).at + self._within < now:
            del self._recent[next(iter(self._recent))]
        return tuple(found)

    def _take(self, now: float, event: MemberEvent) -> tuple[Event, ...]:
        name, member, before = event.member.name, event.member, event.previous
        held = self._held.pop(name, None)
        one = held or self._recent.pop(name, None) or _Flapping()
        if isinstance(event, MemberReaped):
            return (replace(event, previous=one.reported),) if held else (event,)
        is_restart = isinstance(event, MemberRestarted)
        if is_restart or before is None or before.state != member.state:
            one.times = (*(at for at in one.times if at > now - self._within), now)[-self._flaps :]
        one.at = now
        if not one.is_held and len(one.times) < self._flaps:
            self._recent[name] = one
            return (event,)
        if not one.is_held:
            one.is_held, one.reported = True, before
        one.newest, one.count, one.restarted = event, one.count + 1, one.restarted or is_restart
        self._held[name] = one
        return ()


def _summary(one: _Flapping) -> tuple[MemberEvent, ...]:
    """One event for all that were held back."""
    assert one.newest is not None
    member, before = one.newest.member, one.reported
    if member == before:
        return ()
    if one.count == 1:
        return (one.newest,)
    detail = ", ".join(filter(None, [one.newest.reason.detail, f"settled after {one.count} events"]))
    reason = replace(one.newest.reason, detail=detail)
    kind = MemberRestarted if one.restarted and member.state == "alive" else _kind(before, member)
    return (kind(member, before, reason, one.newest.sequence),)


def _kind(before: Member | None, member: Member) -> type[MemberEvent]:
    if member.status in _GONE:
        return _GONE[member.status]
    if before is None or before.status in (MemberStatus.LEFT, MemberStatus.FAILED):
        return MemberJoined
    if member.is_suspect:
        return MemberSuspected
    return MemberRefuted if member.incarnation > before.incarnation else MemberUpdated
