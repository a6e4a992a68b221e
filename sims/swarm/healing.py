"""The end of a swarm run: what the healed nodes must agree on, by when, and which ones an operator joins."""

from __future__ import annotations

from collections.abc import Callable

from sims.checkers.inside import takes_late_leaves
from sims.errors import NotConvergedError
from sims.swarm.kinds import SEED_NAME
from sims.theory.bounds import convergence_bound, detection_bound, dissemination_bound
from sims.world import World
from sims.world.host import SimNode
from swim.addresses import Endpoint, split_host_port
from swim.config import Config
from swim.events import MemberStatus

__all__ = ["INTRODUCE_AGAIN", "agree", "agreement_bound", "crash_bound", "differences", "introduce"]

_GONE = (MemberStatus.FAILED, MemberStatus.LEFT)
_LOOK = 1.0
INTRODUCE_AGAIN = 10.0
"""Seconds until an operator who joined two groups checks whether that worked."""


def agreement_bound(world: World, latency: float) -> float:
    """Seconds within which the running nodes must agree."""
    live, n = len(world.running()), len(world.nodes)

    def bound(config: Config) -> float:
        agree = convergence_bound(config, n, latency=latency, gone=n - live, live=max(1, live))
        return agree + config.dead_node_reclaim_time

    return _slowest(world, bound)


def crash_bound(world: World, latency: float) -> float:
    """Seconds within which they must detect one more crash."""
    n = len(world.nodes)
    return _slowest(
        world,
        lambda config: (
            detection_bound(config, n, latency=latency) + dissemination_bound(config, n, latency=latency)
        ),
    )


def agree(world: World, end: float, problem: str) -> None:
    """Runs until the running nodes agree.

    Raises:
        NotConvergedError: if they do not at ``end``, with ``problem`` and the differences, a line each.
    """
    while not world.run_until(lambda world: world.converged, end - world.now) or differences(world):
        if world.now >= end:
            raise NotConvergedError("\n".join([problem, *differences(world)]))
        world.run_for(min(_LOOK, end - world.now))


def differences(world: World) -> list[str]:
    """Wrong views: all running nodes must be alive with their address and tags, all others failed or left.

    A node that knows of a leave spreads it: if one view shows a member as left, none may show it as failed,
    unless under a higher incarnation, in which it was back.
    """
    core = {node.name: node for node in world.running()}
    left: dict[str, tuple[int, str]] = {}
    for viewer in core.values():
        for member in viewer.members():
            if member.status is MemberStatus.LEFT:
                left[member.name] = max(left.get(member.name, (0, "")), (member.incarnation, viewer.id))
    lines = []
    for viewer in core.values():
        lines += [f"{viewer.id} does not list {name}" for name in core if viewer.member(name) is None]
        for member in viewer.members():
            node = core.get(member.name)
            if node is None:
                if member.status not in _GONE:
                    lines.append(f"{viewer.id} shows {member.name} as {member.status}, it is gone")
                elif member.status is MemberStatus.FAILED and takes_late_leaves(viewer):
                    incarnation, known_by = left.get(member.name, (0, ""))
                    if member.incarnation <= incarnation:
                        said = f"{viewer.id} shows {member.name} as failed, it left, as {known_by} knows"
                        lines.append(said)
                continue
            own = node.node.local
            for field in ("status", "address", "port", "tags"):
                shown, real = getattr(member, field), getattr(own, field)
                if shown != real:
                    lines.append(f"{viewer.id} shows {member.name} with {field} {shown}, it has {real}")
    return lines


def introduce(world: World) -> None:
    """If some nodes have no way to find the others, an operator joins them, until they have one.

    A way is a node that knows another's current address as that of a member, not left, or of a seed. A join
    fails, for example, while one of the two is blocked: the operator checks again after ``INTRODUCE_AGAIN``
    s.
    """
    core = world.running()
    groups: list[list[SimNode]] = []
    for node in core:
        known = set(_known(world, node))
        touching = [
            g for g in groups if any(o.endpoint in known or node.endpoint in _known(world, o) for o in g)
        ]
        groups = [group for group in groups if group not in touching]
        groups.append([node, *(other for group in touching for other in group)])
    for group in groups[1:]:
        world.tell_fault("introduced", node=group[0].id, to=groups[0][0].id)
        group[0].join([groups[0][0]])
    if len(groups) > 1:
        world.at(world.now + INTRODUCE_AGAIN, introduce, world)


def _known(world: World, node: SimNode) -> list[Endpoint]:
    """The addresses at which a node looks for others."""
    found = [
        (member.address, member.port) for member in node.members() if member.status is not MemberStatus.LEFT
    ]
    for seed in node.config.seeds:
        if seed == SEED_NAME:
            found += world.network.names.get(seed, ())
        else:
            found.append(split_host_port("seeds", seed))
    return found


def _slowest(world: World, bound: Callable[[Config], float]) -> float:
    return max((bound(node.config) for node in world.running()), default=0.0)
