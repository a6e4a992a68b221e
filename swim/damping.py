"""Damping of events: a member that flaps is reported once it has settled; the protocol is not touched."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from swim import checks
from swim.coalescing import Held, is_event
from swim.events import Event, EventsLost, MemberEvent, MemberReaped, MemberRestarted

__all__ = ["Damper"]


class _Flapping:
    """A member with recent changes of its state.

    Attributes:
        times: when its state last changed, oldest first.
        at: when its newest event came.
        held: its events that are held back.
    """

    __slots__ = ("at", "held", "times")

    def __init__(self) -> None:
        self.times: tuple[float, ...] = ()
        self.at = 0.0
        self.held: Held | None = None


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
        is_event("event", event)
        return (*settled, event)

    def _settled(self, now: float) -> tuple[Event, ...]:
        """Lets go of what has been quiet; both tables are in the order of their members' newest events."""
        found: list[Event] = []
        while self.deadline <= now:
            held = self._held.pop(next(iter(self._held))).held
            found += held.summary() if held is not None else ()
        while self._recent and next(iter(self._recent.values())).at + self._within < now:
            del self._recent[next(iter(self._recent))]
        return tuple(found)

    def _take(self, now: float, event: MemberEvent) -> tuple[Event, ...]:
        name, member, before = event.member.name, event.member, event.previous
        one = self._held.pop(name, None) or self._recent.pop(name, None) or _Flapping()
        if isinstance(event, MemberReaped):
            return (event,) if one.held is None else (replace(event, previous=one.held.reported),)
        if isinstance(event, MemberRestarted) or before is None or before.state != member.state:
            one.times = (*(at for at in one.times if at > now - self._within), now)[-self._flaps :]
        one.at = now
        if one.held is not None:
            one.held.add(event)
        elif len(one.times) < self._flaps:
            self._recent[name] = one
            return (event,)
        else:
            one.held = Held(before, event)
        self._held[name] = one
        return ()
