"""Pending work of a node: none after a long calm; queued broadcasts leave with the gossip rounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers import inside
from sims.checkers.base import Checker, PerLife
from sims.checkers.liveness import Liveness
from sims.theory.bounds import convergence_bound, gossip_bound
from swim.config import Config
from swim.core.broadcast import retransmit_limit
from swim.events import Event, MemberEvent
from swim.inspection import Queue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["CalmNodesAreIdle", "NewsSpreads", "QueuesDrain"]


_SPREADS_FROM = 3
"""Transmits per node from which a broadcast reaches enough members."""


def _never() -> list[float]:
    return [-1.0]


class CalmNodesAreIdle(Liveness):
    """In a calm world a node has nothing pending, and a health score of 0.

    Pending are suspicions, claims and accusations on hold, pings for others, and own pings older than a probe
    round. Long after the last fault or command there must be a moment without any of them.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._idle = PerLife(_never)

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``: until all agree, then one good probe round for each point of the score."""
        agreed = convergence_bound(config, n, latency=self.calm.latency, gone=n - live, live=live)
        worst = config.awareness_max_multiplier
        return agreed + 2 * worst * worst * (config.probe_interval or 1.0)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self.calm.look(world)
        idle = self._idle.of(node)
        if idle[0] == self.calm.since or not node.counts:
            return
        calm_for = world.now - self.calm.since
        if calm_for < 1.0 or calm_for <= self.bound(world):
            return
        pending = list(inside.pending(node, world.now))
        if not pending:
            idle[0] = self.calm.since
        elif calm_for > self.bound(world) + 10 * (node.config.probe_interval or 1.0):
            idle[0] = self.calm.since
            self.violated(world, node, f"{calm_for:.1f} s after the last interference: {', '.join(pending)}")


class _Queue:
    __slots__ = ("since", "state")

    def __init__(self) -> None:
        self.state: object = None
        self.since = 0.0


class QueuesDrain(Checker):
    """A broadcast leaves the queue as fast as gossip rounds allow, while there is a member to gossip to.

    Each round sends it to ``gossip_nodes`` members until it has reached the transmit limit. What goes to
    recently failed ones does not count, and the member that it came from is left out unless it is the only
    live one.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._queues = PerLife(_Queue)

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        node = world.nodes.get(str(detail.get("node", "")))
        if node is not None and node.is_up:
            self._queues.of(node).since = world.now

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        if node.state != "running":
            return
        kept, config = self._queues.of(node), node.config
        queue, table = node.inspect().broadcasts, node.inspect().table
        state = (queue.queued, bool(queue.waiting), table.changes)
        if state != kept.state or not queue.waiting or world.now < node.blocked_until:
            kept.state, kept.since = state, world.now
            return
        waited = world.now - kept.since
        if waited <= 4 * config.gossip_interval or not config.gossip_interval or not config.gossip_nodes:
            return
        targets = inside.targets(node, world.now)
        live = sum(record.is_live for record in targets)
        if not live or node.processor is not None:
            return
        rounds = _rounds(config, queue, len(table), live, len(targets))
        if waited > rounds * config.gossip_interval:
            problem = f"{len(queue)} broadcasts wait for {waited:.2f} s, over {rounds} gossip rounds"
            kept.since = world.now
            self.violated(world, node, problem)


def _rounds(config: Config, queue: Queue, n: int, live: int, targets: int) -> int:
    """Gossip rounds that empty a queue, with a margin for the random choice of members."""
    each = min(config.gossip_nodes, targets) * max(1, live - 1) / targets  # not to the one that it came from
    size = sum(len(entry.message) + 4 for entry in queue.waiting.values())
    packets = 1 + 2 * size / config.udp_buffer_size
    limit = min(retransmit_limit(config.retransmit_mult, n), 1_000_000)
    return math.ceil((4 + 3 * limit / each) * packets)


class _News(NamedTuple):
    node: SimNode
    life: int
    incarnation: int
    viewers: tuple[SimNode, ...]


class NewsSpreads(Liveness):
    """A node's claim about itself on a calm network reaches half of the others within the gossip bound.

    Usually all but n e^-limit of them, where limit is the number of transmits per node. A broadcast that is
    sent only once or twice may end at members that know it: of nine members that send it once, more than half
    miss it in two of five cases; of 24 that send it twice, in one of 400.
    """

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``."""
        if retransmit_limit(config.retransmit_mult, live) < _SPREADS_FROM:
            return math.inf
        return gossip_bound(config, n, latency=self.calm.latency)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent) or event.member.name != node.name or event.previous is None:
            return
        incarnation = event.member.incarnation
        self.calm.look(world)
        if incarnation <= event.previous.incarnation or world.now - self.calm.since < 1.0 or not node.counts:
            return
        others = (v for v in world.running() if v is not node and _reads(v, node))
        viewers = tuple(v for v in others if _lists(v, node) and _lists(node, v))
        bound = self.bound(world)
        if len(viewers) > 1 and bound < math.inf:
            news = _News(node, node.life, incarnation, viewers)
            world.at(world.now + bound, self._look, world, news, self.calm.since)

    def _look(self, world: World, news: _News, calm_since: float) -> None:
        self.calm.look(world)
        if self.calm.since != calm_since or news.node.life != news.life:
            return
        missing = [v.id for v in news.viewers if _incarnation(v, news.node.name) < news.incarnation]
        if 2 * len(missing) > len(news.viewers):
            bound = f"{self.bound(world):.2f} s"
            self.violated(
                world,
                news.node,
                f"{len(missing)} of {len(news.viewers)} have not received its claim in {bound}",
            )


def _lists(viewer: SimNode, node: SimNode) -> bool:
    """Whether a view lists the node at its address; one that moved waits until its old address is dead."""
    member = viewer.member(node.name)
    return member is not None and member.status == "alive" and (member.address, member.port) == node.endpoint


def _reads(viewer: SimNode, node: SimNode) -> bool:
    """Whether a host accepts what another sends, as far as labels and the use of keys go."""
    is_plain = not node.key_status().keys or not node.config.gossip_verify_outgoing
    wants_keys = bool(viewer.key_status().keys) and viewer.config.gossip_verify_incoming
    return node.config.label == viewer.config.label and not (is_plain and wants_keys)


def _incarnation(viewer: SimNode, name: str) -> int:
    member = viewer.member(name)
    return member.incarnation if member is not None else 0
