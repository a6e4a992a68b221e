"""What must happen in time once the faults are over; the bounds are from ``sims.theory.bounds``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker
from sims.checkers.calm import Calm
from sims.checkers.hosts import Hosts
from sims.checkers.inside import takes_late_leaves
from sims.theory.bounds import convergence_bound, detection_bound, dissemination_bound
from swim.addresses import join_host_port
from swim.config import Config
from swim.events import Event, MemberEvent, MemberFailed, MemberReaped, MemberStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.host import SimNode

__all__ = [
    "CrashedMembersAreFailed",
    "HealthyMembersAreNotFailed",
    "LeavesAreNotFailures",
    "ViewsAgree",
]

_HERE = (MemberStatus.ALIVE, MemberStatus.LEAVING)
_STEADY_SECONDS = 30.0
_TOLD_STRAIGHT = 32


class Liveness(Checker, ABC):
    """Base of the checkers with a bound, which counts from the last fault or command."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self.calm = Calm()
        self._bound = (-1.0, 0.0)

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        self.calm.fault(world, kind, detail)

    @abstractmethod
    def bound_of(self, config: Config, n: int, live: int) -> float:
        """The bound in seconds for one of ``live`` running nodes with these settings, among ``n`` hosts."""

    def bound(self, world: World) -> float:
        """The longest bound of all running nodes; computed once after each fault or command."""
        if self._bound[0] != self.calm.since:
            running, n = world.running(), len(world.nodes)
            configs = {_timing(node.config): node.config for node in running}
            bounds = [self.bound_of(config, n, len(running)) for config in configs.values()]
            self._bound = (self.calm.since, max(bounds, default=0.0))
        return self._bound[1]


def _timing(config: Config) -> tuple[object, ...]:
    """The part of a configuration that decides its bounds."""
    return (
        config.probe_interval,
        config.suspicion_mult,
        config.suspicion_max_timeout_mult,
        config.awareness_max_multiplier,
        config.self_doubt_threshold,
        config.buddy_system,
        config.gossip_interval,
        config.gossip_nodes,
        config.retransmit_mult,
        config.push_pull_interval,
        config.rejoin_interval,
    )


class _Pair(NamedTuple):
    viewer: SimNode
    life: int
    name: str


class Pairs(Liveness):
    """A view lists a member wrongly: this must end within the bound in a calm world."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self.hosts = Hosts()
        self._since: OrderedDict[_Pair, float] = OrderedDict()

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        self.hosts.note_all(world)
        for node in world.nodes.values():
            for member in node.members():
                self.shows(world, node, member.name, member.status)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        name = event.member.name
        if name == node.name:
            self.hosts.note(node)
        elif isinstance(event, MemberReaped):
            self.drop(node, name)
        else:
            self.shows(world, node, name, event.member.status)

    @abstractmethod
    def shows(self, world: World, node: SimNode, name: str, status: MemberStatus) -> None:
        """A view lists another member with this status from now on; ``watch`` or ``drop`` the pair."""

    @abstractmethod
    def problem(self, viewer: SimNode, name: str) -> str:
        """What is still wrong with the pair; "" if nothing."""

    def watch(self, world: World, node: SimNode, name: str) -> None:
        """Starts the time of this pair."""
        self._since.setdefault(_Pair(node, node.life, name), world.now)

    def drop(self, node: SimNode, name: str) -> None:
        """Nothing is wrong with this pair any more."""
        if self._since:
            self._since.pop(_Pair(node, node.life, name), None)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self.calm.look(world)
        while self._since:
            # The bound is the same for all pairs, so the first watched is the first due.
            pair = next(iter(self._since))
            if world.now <= max(self._since[pair], self.calm.since) + self.bound(world):
                return
            del self._since[pair]
            viewer = pair.viewer
            if not viewer.is_up or viewer.life != pair.life:
                continue
            problem = self.problem(viewer, pair.name) if viewer.counts else ""
            if problem:
                self.violated(world, viewer, problem)
            else:
                self._since[pair] = world.now  # the member may restart, the observer may continue


class HealthyMembersAreNotFailed(Pairs):
    """A member that runs, and is not cut off, is not listed as failed for longer than the bound."""

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``."""
        return convergence_bound(config, n, latency=self.calm.latency, gone=n - live, live=live)

    def shows(self, world: World, node: SimNode, name: str, status: MemberStatus) -> None:
        """See ``Pairs``."""
        if status is MemberStatus.FAILED:
            self.watch(world, node, name)
        else:
            self.drop(node, name)

    def problem(self, viewer: SimNode, name: str) -> str:
        """See ``Pairs``."""
        hosts = self.hosts.of(name)
        if viewer.status_of(name) != "failed" or not any(host.counts for host in hosts):
            return ""
        return f"{name} runs and is shown as failed"


class CrashedMembersAreFailed(Pairs):
    """A member whose process is gone is failed, left or forgotten in every view within the bound."""

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``."""
        failing = max(1, n - live)
        detection = detection_bound(config, n, latency=self.calm.latency, failing=failing)
        return detection + dissemination_bound(config, n, latency=self.calm.latency)

    def shows(self, world: World, node: SimNode, name: str, status: MemberStatus) -> None:
        """See ``Pairs``."""
        if status not in _HERE:
            self.drop(node, name)
        elif self.hosts.died_at(name) is not None:
            self.watch(world, node, name)

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        super().fault(world, kind, detail)
        if kind == "crash":
            self._gone(world, world.nodes[str(detail["node"])])

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        if node.state == "left" and node.since == world.now:
            self._gone(world, node)
        super().stepped(world, node)

    def problem(self, viewer: SimNode, name: str) -> str:
        """See ``Pairs``."""
        died_at = self.hosts.died_at(name)
        status = viewer.status_of(name)
        if died_at is None or status not in _HERE:
            return ""
        return f"{name} is gone since {died_at:.3f} s and is shown as {status}"

    def _gone(self, world: World, host: SimNode) -> None:
        for viewer in world.nodes.values():
            if viewer.is_up and viewer.status_of(host.name) in _HERE:
                self.watch(world, viewer, host.name)


class LeavesAreNotFailures(Pairs):
    """A graceful leave is listed as a leave.

    If the network was quiet before and loses none of its messages, no view ever lists it as a failure. If the
    network lost some, a view that missed the leave may detect a failure, but not for longer than the bound,
    as long as any running node knows of the leave. Nodes that take no late leaves are not checked.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._fair: dict[str, float] = {}
        self._busy_since = 0.0
        self._views: list[SimNode] = []

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``."""
        return dissemination_bound(config, n, latency=self.calm.latency)

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        super().fault(world, kind, detail)
        if kind == "leave":
            self.calm.look(world)
            steady = world.now >= max(self._busy_since, self.calm.rough_since) + _STEADY_SECONDS
            if steady and len(world.nodes) <= _TOLD_STRAIGHT:
                self._fair[world.nodes[str(detail["node"])].name] = world.now
        elif kind not in ("ended", "skipped"):
            self._busy_since = self.calm.since

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        super().event(world, node, event)
        if not isinstance(event, MemberFailed) or node.status != "running":
            return  # a node that left itself gets no gossip
        name = event.member.name
        asked_at = self._fair.get(name)
        if asked_at is None or max(self._busy_since, self.calm.rough_since) > asked_at:
            return
        if any(host.is_leaving for host in self.hosts.of(name)):
            self.violated(
                world, node, f"{name} left gracefully, with nothing in its way, and is shown as failed"
            )

    def shows(self, world: World, node: SimNode, name: str, status: MemberStatus) -> None:
        """See ``Pairs``."""
        if status is MemberStatus.FAILED:
            self.watch(world, node, name)
        else:
            self.drop(node, name)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self._views = list(world.nodes.values()) if len(self._views) != len(world.nodes) else self._views
        super().stepped(world, node)

    def problem(self, viewer: SimNode, name: str) -> str:
        """See ``Pairs``."""
        if self.hosts.left_at(name) is None or viewer.status_of(name) != "failed":
            return ""
        if not takes_late_leaves(viewer):
            return ""
        knows = [v.id for v in self._views if v.counts and v.status_of(name) == "left" and v is not viewer]
        return f"{name} left gracefully, {knows[0]} knows it, and it is shown as failed" if knows else ""


class ViewsAgree(Liveness):
    """Within the bound every running node lists exactly the running nodes as alive, and continues to do so.

    This holds for nodes that know of each other. Nodes that never met, neither directly nor through nodes
    that run, are not expected to find each other.
    """

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``."""
        return convergence_bound(config, n, latency=self.calm.latency, gone=n - live, live=live)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self.calm.look(world)
        calm_for = world.now - self.calm.since
        if world.converged or calm_for < 1.0 or calm_for <= self.bound(world):
            return
        if _know_each_other(world):
            problem = f"{world.views.distinct} different views {calm_for:.1f} s after the last interference"
            self.violated(world, None, problem)
        self.calm.since = world.now  # not again at every step


def _know_each_other(world: World) -> bool:
    """Whether seeds and listed members connect all nodes that run."""
    running = world.running()
    by_name = {node.name: node for node in running}
    by_address = {join_host_port(*node.endpoint): node for node in running}
    near: dict[str, dict[str, None]] = {node.id: {} for node in running}
    for node in running:
        listed = [by_name.get(m.name) for m in node.members() if m.status is not MemberStatus.LEFT]
        for other in [*listed, *(by_address.get(seed) for seed in node.config.seeds)]:
            if other is not None:
                near[node.id][other.id] = None
                near[other.id][node.id] = None
    reached = dict.fromkeys([running[0].id]) if running else {}
    frontier = list(reached)
    while frontier:
        fresh = [id for id in near[frontier.pop()] if id not in reached]
        reached.update(dict.fromkeys(fresh))
        frontier += fresh
    return len(reached) == len(running)
