"""Read-only views of a node's internal state, for checkers of simulations, tests, and debugging.

Nothing is copied: a view costs nothing until it is read, and always shows the current state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from swim.addresses import Endpoint
from swim.core.asked_pings import ASKED_MAX
from swim.core.broadcast import RETIRED_MAX, Broadcast
from swim.core.context import NodeStatus
from swim.core.engine import Engine
from swim.core.member import Record
from swim.core.pings import Outstanding
from swim.core.reconnect import PAST_MAX
from swim.core.suspicion import Suspicion
from swim.core.table import Tombstone
from swim.core.verify import ACCUSED_MAX, HELD_MAX, Accused, Held
from swim.serf.delegate import SerfDelegate
from swim.serf.member_list import Entry
from swim.serf.queries import RECEIVED_MAX
from swim.serf.replies import CHANNELS_MAX

__all__ = ["CoreInspection", "Inspection", "Queue", "Records", "Roster", "Size"]

_INTERNAL_CHANNELS = 1
"""The query about a name conflict needs a channel, however many the application has."""
_TIMERS_PER_MEMBER = 8
_TIMERS_MIN = 4096


class Records(Protocol):
    """The core's member table."""

    @property
    def local(self) -> Record:
        """The node's own record."""

    @property
    def changes(self) -> int:
        """Grows with every change of a record."""

    @property
    def live(self) -> int:
        """Members alive or suspect, self included."""

    @property
    def unverified(self) -> int:
        """Members of any state that were never seen first-hand."""

    @property
    def tombstones(self) -> Mapping[str, Tombstone]:
        """What is remembered of reaped members."""

    def __len__(self) -> int:
        """All members that are not reaped."""

    def __iter__(self) -> Iterator[Record]:
        """All records, by name."""

    def get(self, name: str) -> Record | None:
        """The record of ``name``."""

    def at(self, endpoint: Endpoint) -> Record | None:
        """The member at ``endpoint``."""


class Roster(Protocol):
    """The members as the application sees them."""

    def __len__(self) -> int:
        """All listed members."""

    def __iter__(self) -> Iterator[Entry]:
        """All entries."""

    def get(self, name: str) -> Entry | None:
        """The entry of ``name``."""


class Queue(Protocol):
    """A broadcast queue."""

    @property
    def waiting(self) -> Mapping[str, Broadcast]:
        """Entries that are still to be sent, by name."""

    @property
    def retired(self) -> Mapping[str, Broadcast]:
        """Entries that reached the transmit limit recently, by name."""

    @property
    def queued(self) -> int:
        """How many broadcasts were ever queued."""

    @property
    def limit(self) -> int:
        """How often each is sent."""

    @property
    def max_depth(self) -> int:
        """How many may wait."""

    def __len__(self) -> int:
        """How many wait."""


class Size(NamedTuple):
    """The size of one structure in a node, and its limit."""

    what: str
    size: int
    limit: int


class CoreInspection:
    """The core of one node.

    Attributes:
        table: every known member.
        suspicions: the running ones, by the suspect's name.
        held: alive claims that wait for their subject to ack a ping, by its name.
        accused: accusations that wait for the accused to refute them, by its name.
        pings: pings that wait for an ack, by sequence number.
        broadcasts: what the core still has to send.
    """

    __slots__ = ("_engine", "accused", "broadcasts", "held", "pings", "suspicions", "table")

    def __init__(self, engine: Engine) -> None:
        context = engine.context
        self._engine = engine
        self.table: Records = context.table
        self.suspicions: Mapping[str, Suspicion] = MappingProxyType(engine.claims.suspicions)
        self.held: Mapping[str, Held] = MappingProxyType(engine.verify.held)
        self.accused: Mapping[str, Accused] = MappingProxyType(engine.verify.accused)
        self.pings: Mapping[int, Outstanding] = engine.pings.outstanding
        self.broadcasts: Queue = context.queue

    @property
    def status(self) -> NodeStatus:
        """``idle``, ``running``, ``leaving`` or ``left``."""
        return self._engine.context.status

    @property
    def health_score(self) -> int:
        """Lifeguard's local health score: 0 is healthy."""
        return self._engine.context.awareness.score

    @property
    def has_peers(self) -> bool:
        """Whether any other member is alive or suspect."""
        return self._engine.context.has_peers

    @property
    def relayed_pings(self) -> int:
        """Pings relayed for others that wait for an ack."""
        return self._engine.responder.relayed

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The gossip keys, primary first, in the form in which keys may be shown."""
        return self._engine.context.keyring.fingerprints

    def is_newcomer(self, now: float) -> bool:
        """Whether it found its first peer just now, and accepts second-hand claims without checks."""
        return self._engine.context.is_newcomer(now)

    def open(self, data: bytes) -> list[bytes]:
        """The messages of a packet as this node reads it, each with its type byte.

        Raises:
            RemoteError: it cannot be read with this node's label, keys and limits.
        """
        return self._engine.context.packets.open(data)

    def sizes(self) -> Iterator[Size]:
        """Everything in the core that has a limit."""
        engine, config = self._engine, self._engine.context.config
        yield Size("members", len(self.table), config.max_members)
        yield Size("tombstones", len(self.table.tombstones), config.max_tombstones)
        yield Size("endpoints", engine.context.table.endpoints, 2 * config.max_members)
        yield from _queue_sizes("broadcasts", self.broadcasts)
        for what, streams in zip(("inbound streams", "outbound streams"), engine.streams.count, strict=True):
            yield Size(what, streams, config.max_streams)
        yield Size("asked pings", engine.asked_pings.under_way, ASKED_MAX)
        yield Size("held claims", len(self.held), HELD_MAX)
        yield Size("held accusations", len(self.accused), ACCUSED_MAX)
        yield Size("relayed pings", self.relayed_pings, config.max_relayed_pings)
        for what, size, most in engine.messages.sizes():
            yield Size(what, size, most)
        yield Size("past members", engine.rejoining.remembered, PAST_MAX)


class Inspection(CoreInspection):
    """One node, its Serf layer included.

    Attributes:
        roster: the members as the application sees them.
        intents: intents that are still to be sent.
        events: user events that are still to be sent.
        queries: queries that are still to be sent.
        speaks_serf: False in a plain memberlist pool.
    """

    __slots__ = ("_layer", "events", "intents", "queries", "roster", "speaks_serf")

    def __init__(self, engine: Engine, layer: SerfDelegate) -> None:
        super().__init__(engine)
        self._layer = layer
        self.roster: Roster = layer.roster
        self.intents: Queue = layer.queues.intents
        self.events: Queue = layer.queues.events
        self.queries: Queue = layer.queues.queries
        self.speaks_serf: bool = layer.speaks_serf

    def sizes(self) -> Iterator[Size]:
        """Everything that has a limit."""
        config = self._engine.context.config
        yield from super().sizes()
        yield Size("roster", len(self.roster), config.max_members)
        for what, queue in (("intents", self.intents), ("events", self.events), ("queries", self.queries)):
            yield from _queue_sizes(what, queue)
        yield Size("kept intents", self._layer.kept_intents, config.max_intents)
        if self._layer.coordinates is not None:
            yield Size("coordinates", len(self._layer.coordinates.peers), config.max_members)
        yield Size("last probes", len(self._engine.context.probed), config.max_members)
        yield Size("round trips", len(self._engine.context.round_trips), config.max_members)
        yield Size("reply channels", len(self._layer.queries.channels), CHANNELS_MAX + _INTERNAL_CHANNELS)
        yield Size("received queries", self._layer.queries.received, RECEIVED_MAX)
        most = max(_TIMERS_MIN, _TIMERS_PER_MEMBER * (len(self.table) + len(self.roster)))
        yield Size("timers", len(self._engine.context.timers), most)


def _queue_sizes(what: str, queue: Queue) -> Iterator[Size]:
    yield Size(what, len(queue), queue.max_depth)
    yield Size(f"retired {what}", len(queue.retired), RETIRED_MAX)
