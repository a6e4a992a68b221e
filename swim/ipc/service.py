"""What all connections of one server share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swim import Cluster, Metrics
from swim.ipc.commands import ClusterCommands
from swim.ipc.settings import IpcSettings

__all__ = ["Service"]


@dataclass(frozen=True, slots=True)
class Service:
    """A cluster and how it is served.

    Attributes:
        cluster: the cluster.
        settings: limits and the key.
        commands: those that need no connection.
        recent_log: what was logged at a level and above, the oldest record first.
        on_leave: called once a client's ``leave`` is done and answered.
    """

    cluster: Cluster
    settings: IpcSettings
    commands: ClusterCommands
    recent_log: Callable[[int], Sequence[logging.LogRecord]]
    on_leave: Callable[[], None]

    @property
    def metrics(self) -> Metrics:
        """The counters of the cluster."""
        return self.cluster.metrics
