"""Reading a cluster, the same on every front: immutable snapshots, without waiting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NoReturn, Protocol, cast

from swim import checks
from swim.addresses import Endpoint
from swim.config import Config
from swim.errors import LocalError
from swim.events import Member, MemberStatus, SeedStatus, Transition, UserEvent
from swim.membership import Statuses, having
from swim.metrics import Metrics
from swim.net.fronts.forks import Origin
from swim.node import NodeStats

__all__ = ["Reading", "Status", "View"]

Status = Literal["running", "leaving", "left", "stopped"]


class View(Protocol):
    """Where a front reads: a node, or what an isolated node published."""

    @property
    def config(self) -> Config:
        """The settings it runs with."""

    @property
    def metrics(self) -> Metrics:
        """Counters and gauges."""

    @property
    def status(self) -> str:
        """``running``, ``leaving`` or ``left``."""

    @property
    def advertised(self) -> Endpoint:
        """The address and port that are sent to peers."""

    @property
    def local(self) -> Member:
        """The node's own entry."""

    @property
    def is_alone(self) -> bool:
        """Whether no other member is alive."""

    def members(self) -> tuple[Member, ...]:
        """All listed members."""

    def member(self, name: str) -> Member | None:
        """One listed member."""

    def history(self, name: str) -> tuple[Transition, ...]:
        """A member's last transitions, oldest first."""

    def user_events(self) -> tuple[UserEvent, ...]:
        """The user events that are remembered, oldest first."""

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each seed."""

    def stats(self) -> NodeStats:
        """Counts, clocks and queue lengths."""


class Reading(ABC):
    """A running member, to be read. All of this stays readable after the end.

    Every method raises ``LocalError`` in a process that was forked from the one that opened the cluster.

    Attributes:
        config: the settings it runs with.
        metrics: live counters and gauges.
        endpoint: the bound address and port.
        started_at: when it started, on the scale of ``now()``.
    """

    def __init__(self, view: View, *, endpoint: Endpoint) -> None:
        self.config: Config = view.config
        self.metrics: Metrics = view.metrics
        self.endpoint: Endpoint = endpoint
        self._origin = Origin()
        self._view = view
        self.started_at: float = self.now()

    def __reduce__(self) -> NoReturn:
        raise LocalError("a cluster cannot be pickled or copied: call open_cluster in the other process")

    @property
    def status(self) -> Status:
        """``running``; ``leaving`` and ``left`` after ``leave``; ``stopped`` once the block was left."""
        self._origin.require()
        return "stopped" if self._is_stopped else cast(Status, self._view.status)

    @property
    def advertised(self) -> Endpoint:
        """The address and port sent to peers; changes if this machine's address changes."""
        self._origin.require()
        return self._view.advertised

    @property
    def local(self) -> Member:
        """This node's own entry."""
        self._origin.require()
        return self._view.local

    @property
    def is_alone(self) -> bool:
        """True if no other member is alive."""
        self._origin.require()
        return self._view.is_alone

    def members(self, *, status: Statuses = None) -> tuple[Member, ...]:
        """The listed members, an immutable snapshot: this node, failed and left ones included.

        Args:
            status: only members of this status, or of one of these.

        Raises:
            ConfigError: ``status`` names none.
        """
        self._check_reader()
        return having(self._view.members(), status)

    def alive(self) -> tuple[Member, ...]:
        """The members that are alive, including suspect ones and this node."""
        return self.members(status=MemberStatus.ALIVE)

    def member(self, name: str) -> Member | None:
        """One member by name, or None."""
        self._check_reader()
        return self._view.member(checks.text("name", name))

    def history(self, name: str) -> tuple[Transition, ...]:
        """The last ``history_size`` transitions of a member, oldest first; () if it is unknown."""
        self._check_reader()
        return self._view.history(checks.text("name", name))

    def user_events(self) -> tuple[UserEvent, ...]:
        """The user events that this node remembers, oldest first: those of the last 512 stamps, at most
        ``max_recent_event_bytes``. Whether they may be coalesced is not remembered; ``sequence`` is 0."""
        self._check_reader()
        return self._view.user_events()

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each of ``Config.seeds``: whether a live member is there, the last error."""
        self._check_reader()
        return self._view.seeds()

    def stats(self) -> NodeStats:
        """Counts of members, clocks and queues, and the health score."""
        self._check_reader()
        return self._view.stats()

    @abstractmethod
    def now(self) -> float:
        """Seconds on the clock of ``Transition.at`` and ``started_at``: monotonic, arbitrary zero."""

    @property
    @abstractmethod
    def _is_stopped(self) -> bool:
        """Whether the block was left, or the node ended by itself."""

    def _check_reader(self) -> None:
        """Raises if this process or thread may not read."""
        self._origin.require()
