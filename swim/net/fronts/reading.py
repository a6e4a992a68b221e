"""Reading a cluster, the same on every front: immutable snapshots, without waiting."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, NoReturn, cast

from swim.addresses import Endpoint
from swim.config import Config
from swim.errors import LocalError
from swim.membership import Reads, View
from swim.metrics import Metrics
from swim.net.fronts.forks import Origin

__all__ = ["Reading", "Status"]

Status = Literal["running", "leaving", "left", "stopped"]


class Reading(Reads):
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

    def _read(self) -> View:
        self._check_reader()
        return self._view

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
