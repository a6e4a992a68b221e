"""Several real nodes in one process, and the faults that happen to them.

Faults are applied in each node's own sends and receives, so that nothing here needs privileges. ``Crash``
cancels a node's scope: its sockets close without a word to the others, as when its process dies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from sims.faults import Add, Crash, CutPair, Heal, Leave, Pause, Restart, Resume, SetLink, Split
from sims.faults.fault import Fault
from swim.cli.cluster.links import Links, delay_of
from swim.cli.cluster.node import ClusterPlan, LocalNode
from swim.errors import ConfigError, LocalError
from swim.events import Event
from swim.net.trace import ClusterTrace

__all__ = ["LocalCluster", "Observer"]

_CONVERGE_SECONDS = 15.0
_HOST_FAULTS = Crash | Pause | Resume | Restart | Leave


class Observer(Protocol):
    """Watches a cluster. Its calls return at once."""

    def event(self, node: LocalNode, event: Event) -> None:
        """A node reported an event to its application."""

    def node(self, node: LocalNode) -> None:
        """A node is new, or its process changed its state, or it has just got its addresses."""

    def links(self) -> None:
        """The network changed."""


class LocalCluster:
    """The nodes and the network between them.

    Attributes:
        nodes: node-1 to node-N, whatever their state.
        links: the network between them.
        plan: what it is.
        trace: records what happens; None if nothing does.
        observers: others that watch, in the order in which they are called.
    """

    def __init__(self, plan: ClusterPlan, *observers: Observer) -> None:
        self.links: Links = Links()
        self.trace: ClusterTrace | None = None
        self.observers: list[Observer] = list(observers)
        self.plan: ClusterPlan = plan
        self.nodes: list[LocalNode] = []
        self._records_packets = True
        self._nursery: trio.Nursery | None = None
        for number in range(1, plan.nodes + 1):
            self._create(number)

    def trace_to(
        self, write: Callable[[str], object], write_packet: Callable[[str], object] | None = None
    ) -> None:
        """Records what happens; call it before the cluster runs. See ``ClusterTrace``."""
        self.trace = ClusterTrace(
            write,
            lambda: {node.name: node.bind for node in self.nodes},
            seed=self.plan.seed,
            made=self.plan.made,
            write_packet=write_packet,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs all nodes until cancelled; reports started once all agree (or after 15 s, if they don't).

        Raises:
            ConfigError: if a port is in use; names the flag that changes it.
        """
        async with trio.open_nursery() as self._nursery:
            for node in self.nodes:
                self._note("add", node=node.name)
                await self._start(node)
            first = self.nodes[0].bind
            async with trio.open_nursery() as joining:
                for node in self.nodes[1:]:
                    if node.cluster is not None:
                        joining.start_soon(node.cluster.join, [first])
            with trio.move_on_after(_CONVERGE_SECONDS):
                for node in self.nodes:
                    await node.sees_alive(len(self.nodes))
            task_status.started()
            await trio.sleep_forever()

    def complete(self) -> bool:
        """True if every node sees every node alive."""
        return all(node.alive() == len(self.nodes) for node in self.nodes)

    def record_packets(self, wanted: bool) -> None:
        """Whether the trace has packets and streams too, from now on; at first it has."""
        self._records_packets = wanted
        for node in self.nodes:
            self._tap(node)

    async def apply(self, fault: Fault) -> None:
        """Lets a fault happen; returns before a leave has finished.

        Raises:
            ConfigError: a port is in use; names the flag that changes it.
            LocalError: there is no such node.
            ValueError: real nodes cannot do it; see ``parse_command``.
        """
        match fault:
            case Split(_, groups):
                self._note("cut", groups=[list(group) for group in groups])
            case CutPair(_, sources, targets, one_way=False):
                self._note("cut", groups=[list(sources), list(targets)])
            case CutPair(_, sources, targets):
                self._note("cut", sources=list(sources), targets=list(targets), one_way=True)
            case SetLink(_, None, None, link):
                self._note("loss", fraction=link.loss, delay=delay_of(link))
            case Heal():
                self._note("heal")
            case Add():
                self._note("add", node=fault.node)
                await self._add()
            case Crash() | Pause() | Resume() | Restart() | Leave():
                self._note(fault.kind, node=fault.node)
                await self._on_node(fault, self._named(fault.node))
            case _:
                raise ValueError(f"real nodes cannot do {fault}")
        if isinstance(fault, Split | CutPair | SetLink | Heal):
            self.links.change(fault, self.nodes)
            for observer in self.observers:
                observer.links()

    async def _on_node(self, fault: _HOST_FAULTS, node: LocalNode) -> None:
        assert self._nursery is not None
        match fault:
            case Crash():
                async with node.changing:
                    await node.stop("killed")
            case Pause():
                node.pause()
            case Resume():
                node.resume()
            case Restart():
                async with node.changing:
                    await node.stop("killed")
                    await self._start(node)
            case Leave():
                self._nursery.start_soon(node.leave)

    async def _add(self) -> None:
        node = self._create(len(self.nodes) + 1)
        try:
            async with node.changing:
                await self._start(node)
        except ConfigError:
            self.nodes.remove(node)
            raise

    def _named(self, name: str) -> LocalNode:
        for node in self.nodes:
            if node.name == name:
                return node
        raise LocalError(f"no node {name!r}: it could not be added")

    def _create(self, number: int) -> LocalNode:
        node = LocalNode(number, self.plan)
        node.changed = self._changed
        self.nodes.append(node)
        return node

    async def _start(self, node: LocalNode) -> None:
        assert self._nursery is not None
        others = (other.bind for other in self.nodes if other is not node)
        known = (bind for bind in others if not bind.endswith(":0"))
        config = self.plan.config(node.name, node.bind, known)
        rings = [each.faults.keyring for each in (node, *self.nodes)]
        if keyring := next(filter(None, rings), None):  # its own outlives it, as a keyring file would
            config = config.with_changes(keys=keyring.keys)
        node.config = config
        self._tap(node)
        await self._nursery.start(node.run, config, self._tell)
        self.links.apply(self.nodes)

    def _tap(self, node: LocalNode) -> None:
        trace, config = self.trace, node.config
        if trace is None or config is None or not self._records_packets:
            node.faults.tap = None
        else:
            node.faults.tap = trace.tap(node.name, config, node.faults)

    def _tell(self, node: LocalNode, event: Event) -> None:
        if self.trace is not None:
            self.trace.event(node.name, event, node.history_of(event))
        for observer in self.observers:
            observer.event(node, event)

    def _changed(self, node: LocalNode) -> None:
        for observer in self.observers:
            observer.node(node)

    def _note(self, kind: str, **detail: object) -> None:
        if self.trace is not None:
            self.trace.fault(kind, **detail)
