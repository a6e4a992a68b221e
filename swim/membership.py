"""The common interface of a member in this process: on trio (``Cluster``) or simulated (``SimNode``).

A program written against ``Membership`` runs on both, unchanged. Reading never waits. A command begins at
once, and its ``Ticket`` is done some time later. Two things differ, since one side waits and the other does
not:

- Events come by ``async for`` over ``Cluster.events()``, and to the function given to ``SimNode.subscribe``.
- The methods named after commands take the same arguments. On a ``Cluster`` they are awaited and give the
  outcome (``query`` is iterated); on a ``SimNode`` they return the ticket.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from swim import checks
from swim.addresses import Endpoint
from swim.commands import Command, Ticket
from swim.config import Config
from swim.events import Member, MemberStatus, Transition, UserEvent
from swim.keyrings import KeyStatus
from swim.metrics import Metrics
from swim.serf.coordinates import Coordinate
from swim.serf.stats import NodeStats

if TYPE_CHECKING:
    from swim.detection import Detection, SeedStatus

__all__ = ["Membership", "Reads", "Statuses", "View", "having"]

Statuses = MemberStatus | str | Iterable[MemberStatus | str] | None
"""One status or several; None for all."""


class View(Protocol):
    """The cluster as one member sees it, to be read: a node, or what an isolated node published."""

    @property
    def config(self) -> Config:
        """The settings it runs with."""

    @property
    def metrics(self) -> Metrics:
        """Live counters and gauges."""

    @property
    def status(self) -> str:
        """``running``; ``leaving`` and ``left`` after a leave."""

    @property
    def advertised(self) -> Endpoint:
        """The address and port that are sent to peers."""

    @property
    def local(self) -> Member:
        """This node's own entry."""

    @property
    def is_alone(self) -> bool:
        """True if no other member is alive."""

    def members(self) -> tuple[Member, ...]:
        """The listed members: an immutable snapshot."""

    def member(self, name: str) -> Member | None:
        """One member by name, or None."""

    def history(self, name: str) -> tuple[Transition, ...]:
        """The last transitions of a member, oldest first; () if it is unknown."""

    def user_events(self) -> tuple[UserEvent, ...]:
        """The user events that this node remembers, oldest first: those of the last 512 stamps, at most
        ``max_recent_event_bytes``. Whether they may be coalesced is not remembered; ``sequence`` is 0."""

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each of ``Config.seeds``."""

    def stats(self) -> NodeStats:
        """Counts of members, clocks and queues, and the health score."""

    def key_status(self) -> KeyStatus:
        """Fingerprints of this node's gossip keys, and who sends what they do not decrypt."""

    def coordinate(self, name: str | None = None) -> Coordinate | None:
        """The network coordinate of a member, or this node's own."""

    def detection(self, name: str) -> Detection | None:
        """What this node's failure detector knows of a member; None if it is unknown."""


class Membership(View, Protocol):
    """The cluster as one member sees it, and its commands."""

    @property
    def status(self) -> str:
        """``running``; ``leaving`` and ``left`` after a leave; ``stopped`` once its node has ended."""

    def members(self, *, status: Statuses = None) -> tuple[Member, ...]:
        """The listed members, or those of a status: an immutable snapshot."""

    def alive(self) -> tuple[Member, ...]:
        """The members that are alive, including suspect ones and this node."""

    def now(self) -> float:
        """Seconds on the clock of ``Transition.at`` and ``Query.deadline``."""

    def do(self, command: Command) -> Ticket:
        """Begins a command.

        Raises:
            LocalError: it is not possible now.
            ConfigError: naming what is too large once encoded.
        """


def having(members: tuple[Member, ...], status: Statuses) -> tuple[Member, ...]:
    """The members of a status, or of one of these.

    Raises:
        ConfigError: naming ``status``, if there is no such status.
    """
    if status is None:
        return members
    wanted = checks.statuses("status", status)
    return tuple(member for member in members if member.status in wanted)


class Reads(ABC):
    """The reading half of ``Membership``, of a view; the same for every front and for simulated nodes."""

    __slots__ = ()

    @abstractmethod
    def _read(self) -> View:
        """The view, if the caller may read it; otherwise ``LocalError``."""

    @property
    def advertised(self) -> Endpoint:
        """The address and port sent to peers; changes if this machine's address changes."""
        return self._read().advertised

    @property
    def local(self) -> Member:
        """This node's own entry."""
        return self._read().local

    @property
    def is_alone(self) -> bool:
        """True if no other member is alive."""
        return self._read().is_alone

    def members(self, *, status: Statuses = None) -> tuple[Member, ...]:
        """The listed members, an immutable snapshot: this node, failed and left ones included.

        Args:
            status: only members of this status, or of one of these.

        Raises:
            ConfigError: ``status`` names none.
        """
        return having(self._read().members(), status)

    def alive(self) -> tuple[Member, ...]:
        """The members that are alive, including suspect ones and this node."""
        return self.members(status=MemberStatus.ALIVE)

    def member(self, name: str) -> Member | None:
        """One member by name, or None."""
        return self._read().member(checks.text("name", name))

    def history(self, name: str) -> tuple[Transition, ...]:
        """The last ``history_size`` transitions of a member, oldest first; () if it is unknown."""
        return self._read().history(checks.text("name", name))

    def user_events(self) -> tuple[UserEvent, ...]:
        """The user events that this node remembers, oldest first: those of the last 512 stamps, at most
        ``max_recent_event_bytes``. Whether they may be coalesced is not remembered; ``sequence`` is 0."""
        return self._read().user_events()

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each of ``Config.seeds``: whether a live member is there, the last error."""
        return self._read().seeds()

    def stats(self) -> NodeStats:
        """Counts of members, clocks and queues, and the health score."""
        return self._read().stats()

    def key_status(self) -> KeyStatus:
        """Fingerprints of this node's gossip keys, and who sends what they do not decrypt."""
        return self._read().key_status()

    def detection(self, name: str) -> Detection | None:
        """What this node's failure detector knows of a member: since when it is in its state, who suspects it
        until when, the last ack, and the path of the last probe; None if the member is unknown.

        Of a node in a thread or process of its own the probes may be five seconds old.

        Raises:
            ConfigError: ``name`` is not text.
        """
        return self._read().detection(checks.text("name", name))

    def coordinate(self, name: str | None = None) -> Coordinate | None:
        """The network coordinate of a member, or this node's own: ``a.distance_to(b)`` estimates the
        round-trip time between the two in seconds, whether they ever talked or not.

        Args:
            name: of the member; None for this node.

        Returns:
            None if the member has not acked a probe of this node yet or sent no coordinate, and always with
            ``disable_coordinates`` and in a plain memberlist pool. Of a node in a thread or process of its
            own it may be five seconds old.

        Raises:
            ConfigError: ``name`` is not text.
        """
        return self._read().coordinate(None if name is None else checks.text("name", name))
