"""What an isolated node publishes: its view of the cluster, and a bounded mailbox of events per subscriber.

One thread posts, any thread reads. Values are immutable, and a lock is held only while references are copied,
so neither side waits for the other's work.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from swim.addresses import Endpoint
from swim.config import Config
from swim.detection import Detection, SeedStatus
from swim.events import Event, Member, MemberEvent, MemberReaped, Transition, UserEvent
from swim.keyrings import KeyStatus
from swim.metrics import Metrics
from swim.net.event_buffer import ALL_KINDS, EventBuffer, EventKind
from swim.serf.coordinates import Coordinate
from swim.serf.lamport import LamportClock
from swim.serf.seen import RecentRing
from swim.serf.stats import NodeStats

__all__ = ["Board", "Facts", "Mailbox", "State", "Update", "View"]


class Facts(NamedTuple):
    """What a node says about itself; a new one replaces it whenever something changed."""

    status: str
    advertised: Endpoint
    is_alone: bool
    seeds: tuple[SeedStatus, ...]
    stats: NodeStats
    keys: KeyStatus = KeyStatus()


class Update(NamedTuple):
    """What happened since the last update.

    Attributes:
        events: in order.
        histories: of each member that these events are about.
        facts: None if they are as before.
        coordinates: those that changed, by the name of the member.
        detections: of members that events are about, or that were probed.
    """

    events: Sequence[Event]
    histories: Mapping[str, tuple[Transition, ...]]
    facts: Facts | None
    coordinates: Mapping[str, Coordinate]
    detections: Mapping[str, Detection]


class State(NamedTuple):
    """All that is published, in place of ``lost`` events."""

    members: Sequence[Member]
    histories: Mapping[str, tuple[Transition, ...]]
    user_events: Sequence[UserEvent]
    facts: Facts
    coordinates: Mapping[str, Coordinate]
    detections: Mapping[str, Detection]
    lost: int


class View:
    """The published state of one node, for any thread. Reading never waits and never touches the node.

    Attributes:
        config: the node's settings.
        metrics: counters and gauges, which its thread changes: copy one before iterating over it.
        facts: the latest.
        now: seconds on the clock of ``Transition.at``.
    """

    def __init__(self, config: Config, metrics: Metrics, facts: Facts, *, clock: Callable[[], float]) -> None:
        self.config = config
        self.metrics = metrics
        self.facts: Facts = facts
        self.now = clock
        self._lock = Lock()
        self._members: dict[str, Member] = {}
        self._histories: dict[str, tuple[Transition, ...]] = {}
        self._listed: tuple[Member, ...] | None = None
        self._coordinates: dict[str, Coordinate] = {}
        self._detections: dict[str, Detection] = {}
        self._event_clock = LamportClock()
        self._recent: RecentRing[tuple[str, bytes]] = RecentRing(
            self._event_clock,
            max_bytes=config.max_recent_event_bytes,
            weigh=lambda key: len(key[0]) + len(key[1]),
        )

    @property
    def status(self) -> str:
        """``running``, ``leaving`` or ``left``."""
        return self.facts.status

    @property
    def advertised(self) -> Endpoint:
        """The address and port that are sent to peers."""
        return self.facts.advertised

    @property
    def is_alone(self) -> bool:
        """Whether no other member is alive."""
        return self.facts.is_alone

    @property
    def local(self) -> Member:
        """The node's own entry."""
        return self._members[self.config.name]

    def members(self) -> tuple[Member, ...]:
        """All listed members, the node itself included, in the order in which they were first seen."""
        listed = self._listed
        if listed is None:
            with self._lock:
                listed = self._listed = tuple(self._members.values())
        return listed

    def member(self, name: str) -> Member | None:
        """One listed member."""
        return self._members.get(name)

    def history(self, name: str) -> tuple[Transition, ...]:
        """The last transitions of a listed member, oldest first."""
        return self._histories.get(name, ())

    def key_status(self) -> KeyStatus:
        """Fingerprints of keys, and failures to decrypt."""
        return self.facts.keys

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each of ``Config.seeds``."""
        return self.facts.seeds

    def stats(self) -> NodeStats:
        """Counts of members, clocks and queues, and the health score.

        As of the last event or command, or at most five seconds old.
        """
        return self.facts.stats

    def coordinate(self, name: str | None = None) -> Coordinate | None:
        """A member's network coordinate, or the node's own; at most five seconds old."""
        return self._coordinates.get(self.config.name if name is None else name)

    def coordinates(self) -> Mapping[str, Coordinate]:
        """All network coordinates by name."""
        with self._lock:
            return dict(self._coordinates)

    def detection(self, name: str) -> Detection | None:
        """What the failure detector knows of a listed member; the probes are at most five seconds old."""
        return self._detections.get(name)

    def detections(self) -> Mapping[str, Detection]:
        """What the failure detector knows, by name."""
        with self._lock:
            return dict(self._detections)

    def user_events(self) -> tuple[UserEvent, ...]:
        """The user events that the node remembers, oldest first."""
        with self._lock:
            recent = list(self._recent.recent())
        return tuple(UserEvent(*key, ltime) for ltime, keys in recent for key in keys)

    def replace(self, state: State) -> None:
        """Takes a whole state; only the posting thread calls it."""
        with self._lock:
            self.facts = state.facts
            self._event_clock.witness(state.facts.stats.event_time - 1)
            self._members = {member.name: member for member in state.members}
            self._histories = dict(state.histories)
            self._coordinates = dict(state.coordinates)
            self._detections = dict(state.detections)
            for event in state.user_events:
                self._recent.admit(event.ltime, (event.name, event.payload))
            self._listed = None

    def apply(self, update: Update) -> None:
        """Takes what happened; only the posting thread calls it."""
        if update.facts is not None:
            self.facts = update.facts
            self._event_clock.witness(update.facts.stats.event_time - 1)
        if not update.events and not update.coordinates and not update.detections:
            return
        with self._lock:
            for event in update.events:
                if isinstance(event, MemberReaped):
                    self._members.pop(event.member.name, None)
                    self._histories.pop(event.member.name, None)
                    self._coordinates.pop(event.member.name, None)
                    self._detections.pop(event.member.name, None)
                elif isinstance(event, MemberEvent):
                    self._members[event.member.name] = event.member
                elif isinstance(event, UserEvent):
                    self._recent.admit(event.ltime, (event.name, event.payload))
            for name, history in update.histories.items():
                if name in self._members:
                    self._histories[name] = history
            for name, coordinate in update.coordinates.items():
                if name in self._members:
                    self._coordinates[name] = coordinate
            for name, detection in update.detections.items():
                if name in self._members:
                    self._detections[name] = detection
            if update.events:
                self._listed = None


class Mailbox:
    """The events of one subscriber that it has not taken yet; safe to use from any thread.

    What did not fit is replaced by ``EventsLost(count)``.

    Args:
        size: events that are kept.
        kinds: event classes that are kept.
        wake: called once per burst, by the posting thread: when events arrive in an empty mailbox, and when
            it closes. It must return at once, and should not keep the mailbox's owner alive.
    """

    __slots__ = ("__weakref__", "_buffer", "_lock", "_wake")

    def __init__(self, size: int, kinds: tuple[EventKind, ...], wake: Callable[[], None]) -> None:
        self._buffer = EventBuffer(size, kinds)
        self._lock = Lock()
        self._wake = wake

    @property
    def is_closed(self) -> bool:
        """Whether no more events come; those that are here can still be taken."""
        return self._buffer.is_closed

    def take(self) -> Event | None:
        """The next event, or None if there is none now."""
        with self._lock:
            return self._buffer.take()

    def put(self, events: Iterable[Event]) -> None:
        """Adds the events of the wanted kinds, or counts them as lost."""
        is_first = False
        with self._lock:
            for event in events:
                is_first |= self._buffer.put(event)
        if is_first:
            self._wake()

    def hand_over(self, kinds: tuple[EventKind, ...], wake: Callable[[], None]) -> bool:
        """Gives it to a subscriber that wants these kinds; False, and no change, if events were lost."""
        with self._lock:
            if not self._buffer.narrow(kinds):
                return False
            self._wake = wake
            return True

    def lose(self, count: int) -> None:
        """Counts events that were lost before they came here."""
        with self._lock:
            is_first = self._buffer.lose(count)
        if is_first:
            self._wake()

    def close(self) -> None:
        """Ends the subscription."""
        with self._lock:
            self._buffer.is_closed = True
        self._wake()


class Board:
    """A view, and the mailboxes of all subscribers. A mailbox without references is forgotten.

    Attributes:
        relay: also takes every update; None for none.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.relay: Callable[[Update], None] | None = None
        self._lock = Lock()
        self._first: Mailbox | None = None
        self._mailboxes: tuple[weakref.ref[Mailbox], ...] = ()
        self._is_closed = False

    def keep_first(self) -> None:
        """Keeps events from now on for the first mailbox that ``may_be_first``.

        The node runs beside the program, and may join a cluster before the program's next line subscribes.
        """
        self._first = self.open_mailbox()

    def open_mailbox(
        self,
        kinds: tuple[EventKind, ...] = ALL_KINDS,
        wake: Callable[[], None] = lambda: None,
        *,
        may_be_first: bool = False,
    ) -> Mailbox:
        """A mailbox that begins with the next event of one of these kinds.

        The first one that ``may_be_first`` also has what was kept for it, unless that no longer fits.
        Members read afterwards and folded with its events always equal members read later.
        """
        mailbox = Mailbox(self.view.config.event_buffer_size, kinds, wake)
        with self._lock:
            if may_be_first and self._first is not None:
                first, self._first = self._first, None
                mailbox = first if first.hand_over(kinds, wake) else mailbox
            refs = (ref for ref in self._mailboxes if ref() not in (None, mailbox))
            self._mailboxes = (*refs, weakref.ref(mailbox))
            is_closed = self._is_closed
        if is_closed:
            mailbox.close()
        return mailbox

    def post(self, update: Update) -> None:
        """Publishes what happened: first in the view, then to the subscribers."""
        self.view.apply(update)
        if update.events and (mailboxes := self._mailboxes):
            for ref in mailboxes:
                mailbox = ref()
                if mailbox is not None:
                    mailbox.put(update.events)
        if self.relay is not None:
            self.relay(update)

    def replace(self, state: State) -> None:
        """Publishes a whole state, in place of what happened meanwhile."""
        self.view.replace(state)
        for ref in self._mailboxes:
            mailbox = ref()
            if mailbox is not None:
                mailbox.lose(state.lost)

    def close(self) -> None:
        """Ends every subscription, including those opened later."""
        with self._lock:
            self._is_closed = True
        for ref in self._mailboxes:
            mailbox = ref()
            if mailbox is not None:
                mailbox.close()
