"""Several real nodes in one process: each with its own sockets, HTTP API, faults and lifetime.

Faults are applied in each node's own sends and receives, so that nothing here needs privileges. ``Crash``
cancels a node's scope: its sockets close without a word to the others, as when its process dies.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import trio

from agent_api import AgentSettings, serve
from sims.faults import Crash, CutPair, Heal, Leave, Pause, Restart, Resume, SetLink, Split
from sims.faults.fault import Fault
from swim.addresses import split_host_port
from swim.cli.common import unwrapped
from swim.config import Config
from swim.errors import ConfigError
from swim.events import Event, Member, MemberEvent, MemberStatus, Transition
from swim.net.cluster import Cluster
from swim.net.faults import LinkFaults
from swim.net.running import open_cluster
from swim.net.trace import ClusterTrace
from swim.version import __version__

__all__ = ["ClusterPlan", "LocalCluster", "LocalNode", "agree"]

_HOST = "127.0.0.1"
_LEAVE_SECONDS = 5.0
_CONVERGE_SECONDS = 15.0
_SEEDS = 3
_PROBE_ALIGNMENT = 0.25

NodeState = Literal["running", "paused", "killed", "left"]


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """What ``swim cluster`` runs.

    Attributes:
        nodes: how many, named ``node-1`` to ``node-N``.
        profile: memberlist's timers: ``lan``, ``wan`` or ``local``.
        bind_base: gossip port of node-1, the others follow; 0 picks free ports.
        http_base: HTTP port of node-1, the others follow; 0 picks free ports.
        label: label of every packet and stream, or "".
        keys: gossip keys; empty for no encryption.
        seed: run seed of the packet loss.
    """

    nodes: int
    profile: str
    bind_base: int
    http_base: int
    label: str
    keys: tuple[bytes, ...]
    seed: int

    def config(self, name: str, bind: str, known: Iterable[str]) -> Config:
        """Settings of one node, which joins the first few nodes whose gossip addresses are known."""
        return Config.profile(
            self.profile,
            name=name,
            bind=bind,
            seeds=tuple(itertools.islice(known, _SEEDS)),
            tags={"build": __version__},
            probe_alignment=_PROBE_ALIGNMENT,
            label=self.label,
            keys=self.keys,
        )


class LocalNode:
    """One node of the cluster, over all its restarts.

    Attributes:
        number: 1 to N.
        name: ``node-<number>``.
        state: of its process.
        faults: the switches of its network.
        cluster: its running membership, or None while it is killed or has left.
        bind: its gossip ``HOST:PORT``; with the real port once it has run.
        url: base URL of its HTTP API; likewise.
    """

    def __init__(self, number: int, plan: ClusterPlan) -> None:
        self.number = number
        self.name: str = f"node-{number}"
        self.state: NodeState = "killed"
        self.faults: LinkFaults = LinkFaults(seed=plan.seed + number)
        self.cluster: Cluster | None = None
        self.bind: str = f"{_HOST}:{plan.bind_base + number - 1 if plan.bind_base else 0}"
        self.url: str = f"http://{_HOST}:{plan.http_base + number - 1 if plan.http_base else 0}"
        self._scope = trio.CancelScope()
        self._stopped = trio.Event()

    def members(self) -> tuple[Member, ...]:
        """Its view of the cluster, by name; empty while it doesn't run."""
        if self.cluster is None:
            return ()
        return tuple(sorted(self.cluster.members(), key=lambda member: _by_number(member.name)))

    def history_of(self, event: Event) -> tuple[Transition, ...]:
        """Its history of the member that an event is about."""
        if self.cluster is None or not isinstance(event, MemberEvent):
            return ()
        return self.cluster.history(event.member.name)

    async def run(
        self,
        config: Config,
        report: Callable[[LocalNode, Event], None],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Runs the node until it is stopped; reports every event it sees.

        Raises:
            ConfigError: if a port is in use; names the flag that changes it.
        """
        self._scope, self._stopped = trio.CancelScope(), trio.Event()
        try:
            with self._scope, _naming_the_flag(self.name):
                async with (
                    open_cluster(config, faults=self.faults) as cluster,
                    trio.open_nursery() as nursery,
                ):
                    events = cluster.events()
                    self.bind = "{}:{}".format(*cluster.endpoint)
                    self.url = "http://{}:{}".format(*await nursery.start(serve, cluster, self._api()))
                    self.cluster, self.state = cluster, "running"
                    task_status.started()
                    async for event in events:
                        report(self, event)
        finally:
            self.cluster = None
            self._stopped.set()

    def _api(self) -> AgentSettings:
        return AgentSettings(node_name=self.name, http=self.url.removeprefix("http://"))

    async def stop(self, state: NodeState) -> None:
        """Stops it at once, without a leave; does nothing if it doesn't run."""
        if self.cluster is None:
            return
        self.state = state
        self.faults.resume()
        self._scope.cancel()
        await self._stopped.wait()

    async def leave(self) -> None:
        """Leaves gracefully, then stops; does nothing if it doesn't run."""
        if self.cluster is not None:
            self.faults.resume()
            await self.cluster.leave(timeout=_LEAVE_SECONDS)
            await self.stop("left")

    async def sees_alive(self, count: int) -> None:
        """Waits until its view has ``count`` alive members, or until it stops."""
        if self.cluster is not None:
            events = self.cluster.events()
            while self.alive() < count and await anext(events, None) is not None:
                pass

    def alive(self) -> int:
        """How many members it lists as alive."""
        return sum(member.status is MemberStatus.ALIVE for member in self.members())

    def pause(self) -> None:
        """Freezes a running node."""
        if self.state == "running":
            self.state = "paused"
            self.faults.pause()

    def resume(self) -> None:
        """Resumes a paused node."""
        if self.state == "paused":
            self.state = "running"
            self.faults.resume()


class LocalCluster:
    """The nodes and the network between them.

    Attributes:
        nodes: node-1 to node-N, whatever their state.
        trace: records what happens, if it is set before the cluster runs.
    """

    def __init__(self, plan: ClusterPlan, report: Callable[[LocalNode, Event], None]) -> None:
        self.nodes: tuple[LocalNode, ...] = tuple(
            LocalNode(number, plan) for number in range(1, plan.nodes + 1)
        )
        self.trace: ClusterTrace | None = None
        self._plan = plan
        self._report = report
        self._cuts: set[tuple[str, str]] = set()
        self._nursery: trio.Nursery | None = None

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

    async def apply(self, fault: Fault) -> None:
        """Lets a fault happen; returns before a leave or a restart has finished.

        Raises:
            ValueError: real nodes cannot do it; see ``parse_command``.
        """
        match fault:
            case Split(_, groups):
                self._note("cut", groups=[list(group) for group in groups])
                for one, other in itertools.combinations(groups, 2):
                    self._block(one, other)
            case CutPair(_, sources, targets):
                self._note("cut", groups=[list(sources), list(targets)])
                self._block(sources, targets)
            case SetLink(_, None, None, link):
                self._note("loss", fraction=link.loss)
                self._lose(link.loss)
            case Heal():
                self._note("heal")
                self._cuts.clear()
                self._cut()
                self._lose(0.0)
            case Crash() | Pause() | Resume() | Restart() | Leave():
                self._note(fault.kind, node=fault.node)
                await self._on_node(fault, next(node for node in self.nodes if node.name == fault.node))
            case _:
                raise ValueError(f"real nodes cannot do {fault}")

    async def _on_node(self, fault: Crash | Pause | Resume | Restart | Leave, node: LocalNode) -> None:
        assert self._nursery is not None
        match fault:
            case Crash():
                await node.stop("killed")
            case Pause():
                node.pause()
            case Resume():
                node.resume()
            case Restart():
                await node.stop("killed")
                self._nursery.start_soon(self._start, node)
            case Leave():
                self._nursery.start_soon(node.leave)

    def _lose(self, fraction: float) -> None:
        for node in self.nodes:
            # Each packet passes two switches: its sender's and its receiver's.
            node.faults.loss = 1 - math.sqrt(1 - fraction)

    def _block(self, names: Iterable[str], others: Iterable[str]) -> None:
        for one, other in itertools.product(names, others):
            self._cuts |= {(one, other), (other, one)}
        self._cut()

    async def _start(self, node: LocalNode) -> None:
        assert self._nursery is not None
        others = (other.bind for other in self.nodes if other is not node)
        known = (bind for bind in others if not bind.endswith(":0"))
        config = self._plan.config(node.name, node.bind, known)
        if self.trace is not None:
            node.faults.tap = self.trace.tap(node.name, config, node.faults)
        await self._nursery.start(node.run, config, self._tell)
        self._cut()

    def _tell(self, node: LocalNode, event: Event) -> None:
        if self.trace is not None:
            self.trace.event(node.name, event, node.history_of(event))
        self._report(node, event)

    def _note(self, kind: str, **detail: object) -> None:
        if self.trace is not None:
            self.trace.fault(kind, **detail)

    def _cut(self) -> None:
        """Sets the switches of every node as the cuts say."""
        for node in self.nodes:
            node.faults.unblock()
        for one, other in itertools.permutations(self.nodes, 2):
            if (one.name, other.name) in self._cuts:
                one.faults.block([split_host_port("bind", other.bind)])


def agree(nodes: Sequence[LocalNode]) -> bool:
    """True if all running nodes list the same names with the same status."""
    views = {
        tuple((member.name, member.status) for member in node.members())
        for node in nodes
        if node.state == "running"
    }
    return len(views) <= 1


def _by_number(name: str) -> tuple[int, str]:
    digits = name.rpartition("-")[2]
    return (int(digits) if digits.isdecimal() else 0, name)


@contextmanager
def _naming_the_flag(name: str) -> Iterator[None]:
    """Turns "port in use" into an error that names the node and the flag that changes the port."""
    try:
        with unwrapped():
            yield
    except ConfigError as error:
        if error.field not in ("bind", "http"):
            raise
        flag = f"--{error.field}-base"
        reason = error.reason.partition(";")[0]
        raise ConfigError(flag, f"{name}: {reason}; choose other ports with {flag}") from None
