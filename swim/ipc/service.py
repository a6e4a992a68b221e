"""What all connections of one server share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from swim import Cluster, Metrics
from swim.ipc.commands import ClusterCommands
from swim.ipc.settings import IpcSettings

__all__ = ["LogSource", "Service"]


class _Unread(Protocol):
    @property
    def lost(self) -> int:
        """How many records came and went unread."""

    @property
    def records(self) -> Sequence[logging.LogRecord]:
        """Those that came after them."""


class _Reader(Protocol):
    def read(self) -> _Unread:
        """Everything since the last time."""


class LogSource(Protocol):
    """Recent records of the log, as ``swim.log.LogRing`` keeps them."""

    def reader(self, level: int) -> _Reader:
        """Begins to read with the oldest record; less serious ones are passed over."""


@dataclass(frozen=True, slots=True)
class Service:
    """A cluster and how it is served.

    Attributes:
        cluster: the cluster.
        settings: limits and the key.
        commands: those that need no connection.
        log: for ``monitor``; None has no records.
        on_leave: called once a client's ``leave`` is done and answered.
    """

    cluster: Cluster
    settings: IpcSettings
    commands: ClusterCommands
    log: LogSource | None
    on_leave: Callable[[], None]

    @property
    def metrics(self) -> Metrics:
        """The counters of the cluster."""
        return self.cluster.metrics
