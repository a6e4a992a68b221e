"""One real node of ``swim cluster`` over all its restarts: its settings, process state and faults."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import trio

from agent_api import AgentSettings, serve
from swim.cli.cluster.delay import DelayedTransport
from swim.cli.common import unwrapped
from swim.config import Config
from swim.errors import ConfigError, LocalError
from swim.events import Event, Member, MemberEvent, MemberStatus, Transition
from swim.net.cluster import Cluster
from swim.net.faults import LinkFaults
from swim.net.running import open_cluster
from swim.version import __version__

__all__ = ["ClusterPlan", "LocalNode", "NodeState", "agree"]

_HOST = "127.0.0.1"
_LEAVE_SECONDS = 5.0
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

    @property
    def made(self) -> dict[str, Any]:
        """How the cluster is started, for the header of a trace."""
        return {"nodes": self.nodes, "profile": self.profile}

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
        changed: called after each change of the state.
        faults: the switches of its network.
        changing: held while it is killed or restarted.
        config: its settings, once it was started.
        cluster: its running membership, or None while it is killed or has left.
        bind: its gossip ``HOST:PORT``; with the real port once it has run.
        url: base URL of its HTTP API; likewise.
    """

    def __init__(self, number: int, plan: ClusterPlan) -> None:
        self.number = number
        self.name: str = f"node-{number}"
        self.state: NodeState = "killed"
        self.changed: Callable[[LocalNode], None] = _ignore
        self.faults: LinkFaults = LinkFaults(seed=plan.seed + number)
        self.changing: trio.Lock = trio.Lock()
        self.config: Config | None = None
        self.cluster: Cluster | None = None
        self.bind: str = f"{_HOST}:{plan.bind_base + number - 1 if plan.bind_base else 0}"
        self.url: str = f"http://{_HOST}:{plan.http_base + number - 1 if plan.http_base else 0}"
        self._transport: DelayedTransport | None = None
        self._delay = 0.0
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
                transport = self._transport = await DelayedTransport.bind(config.bind)
                async with (
                    open_cluster(config, transport=transport, faults=self.faults) as cluster,
                    trio.open_nursery() as nursery,
                ):
                    events = cluster.events()
                    transport.nursery, transport.delay = nursery, self._delay
                    self.bind = "{}:{}".format(*cluster.endpoint)
                    self.url = "http://{}:{}".format(*await nursery.start(serve, cluster, self.api))
                    self.cluster = cluster
                    self._become("running")
                    task_status.started()
                    async for event in events:
                        report(self, event)
        finally:
            self.cluster = self._transport = None
            self._stopped.set()
            self.changed(self)

    @property
    def api(self) -> AgentSettings:
        """Settings of its HTTP API."""
        return AgentSettings(node_name=self.name, http=self.url.removeprefix("http://"))

    async def stop(self, state: NodeState) -> None:
        """Stops it at once, without a leave; does nothing if it doesn't run."""
        if self.cluster is None:
            return
        self._become(state)
        self.faults.resume()
        self._scope.cancel()
        await self._stopped.wait()

    async def leave(self) -> None:
        """Leaves gracefully, then stops; does nothing if it doesn't run."""
        cluster = self.cluster
        if cluster is None:
            return
        self.resume()
        with suppress(LocalError):  # it was killed, or leaves already
            await cluster.leave(timeout=_LEAVE_SECONDS)
        if self.cluster is cluster:
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
            self.faults.pause()
            self._become("paused")

    def resume(self) -> None:
        """Resumes a paused node."""
        if self.state == "paused":
            self.faults.resume()
            self._become("running")

    def set_delay(self, seconds: float) -> None:
        """How much later its packets leave from now on."""
        self._delay = seconds
        if self._transport is not None:
            self._transport.delay = seconds

    def _become(self, state: NodeState) -> None:
        self.state = state
        self.changed(self)


def agree(nodes: Sequence[LocalNode]) -> bool:
    """True if all running nodes list the same names with the same status."""
    views = {
        tuple((member.name, member.status) for member in node.members())
        for node in nodes
        if node.state == "running"
    }
    return len(views) <= 1


def _ignore(_: LocalNode) -> None:
    """The default of ``changed``."""


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
