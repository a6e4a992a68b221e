"""Since when a world is calm, without faults or commands: liveness is checked only after that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sims.theory.bounds import worst_latency

if TYPE_CHECKING:
    from sims.world import World

__all__ = ["Calm"]

_LOOK_SECONDS = 1.0
_HARMLESS = ("skipped",)


class Calm:
    """Observes faults, and checks the network and the hosts once per virtual second.

    Attributes:
        since: virtual time of the last fault or command, including the end of a block or pause.
        rough_since: the same, only for what may lose or delay messages: all but commands (add, leave, ...).
        latency: slowest packet of any link, seconds.
    """

    _GENTLE = ("add", "leave", "ended", "restart", "set-names")

    def __init__(self) -> None:
        self.since = 0.0
        self.rough_since = float("-inf")
        self.latency = 0.0
        self._look_at = 0.0

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """Records a fault or a command."""
        if kind in _HARMLESS:
            return
        seconds = detail.get("seconds") if kind == "block" else None
        until = world.now + (float(seconds) if isinstance(seconds, int | float) else 0.0)
        self.since = max(self.since, until)
        if kind not in self._GENTLE:
            self.rough_since = max(self.rough_since, until)
        self._look_at = 0.0

    def look(self, world: World) -> None:
        """Checks whether the network does anything but delay, and whether any host is slowed down."""
        if world.now < self._look_at:
            return
        self._look_at = world.now + _LOOK_SECONDS
        network = world.network
        links = network.links
        self.latency = max(worst_latency(link.latency) for link in links)
        hosts = world.nodes.values()
        slowed = any(node.reader or node.processor or node.blocked_until > world.now for node in hosts)
        if network.cuts or network.nats or slowed or not all(link.is_plain for link in links):
            self.since = self.rough_since = world.now
