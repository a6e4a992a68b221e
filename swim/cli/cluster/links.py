"""The network between the nodes of ``swim cluster``: cuts, loss and delay, applied at each node."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sims.faults import CutPair, Heal, SetLink, Split
from sims.world.latency import Constant
from sims.world.network import Link
from swim.addresses import split_host_port
from swim.cli.cluster.node import LocalNode

__all__ = ["Links", "delay_of"]


def delay_of(link: Link) -> float:
    """The seconds that a link adds to every packet; 0 for the default latency, that of this machine."""
    return link.latency.seconds if isinstance(link.latency, Constant) else 0.0


class Links:
    """What the network does.

    Attributes:
        cuts: pairs of names; nothing passes from the first to the second.
        link: loss and latency between any two nodes.
    """

    def __init__(self) -> None:
        self.cuts: set[tuple[str, str]] = set()
        self.link: Link = Link()

    def change(self, fault: Split | CutPair | SetLink | Heal, nodes: Sequence[LocalNode]) -> None:
        """Lets a fault happen at all nodes."""
        match fault:
            case Split(_, groups):
                for one, other in itertools.combinations(groups, 2):
                    self._cut(one, other, one_way=False)
            case CutPair(_, sources, targets):
                self._cut(sources, targets, one_way=fault.one_way)
            case SetLink(_, _, _, link):
                self.link = link
            case Heal():
                self.cuts.clear()
                self.link = Link()
        self.apply(nodes)

    def apply(self, nodes: Sequence[LocalNode]) -> None:
        """Sets the switches of every node."""
        # Each packet passes two switches: its sender's and its receiver's.
        loss = 1 - math.sqrt(1 - self.link.loss)
        endpoints = {node.name: split_host_port("bind", node.bind) for node in nodes}
        for node in nodes:
            node.faults.loss = loss
            node.set_delay(delay_of(self.link))
            node.faults.unblock()
            node.faults.block(
                (endpoints[target] for source, target in self.cuts if source == node.name), inbound=False
            )
            node.faults.block(
                (endpoints[source] for source, target in self.cuts if target == node.name), outbound=False
            )

    def shape(self) -> dict[str, Any]:
        """As JSON: the cuts by name, the loss from 0 to 1, the delay in seconds."""
        return {"cuts": sorted(self.cuts), "loss": self.link.loss, "delay": delay_of(self.link)}

    def _cut(self, sources: Iterable[str], targets: Iterable[str], *, one_way: bool) -> None:
        for source, target in itertools.product(sources, targets):
            if source != target:
                self.cuts |= {(source, target)} if one_way else {(source, target), (target, source)}
