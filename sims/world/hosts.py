"""The hosts of a world: who lives where, and how a node comes to life and ends."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sims.errors import UsageError
from sims.world.convergence import View
from sims.world.host import NodeState, SimNode, address_of
from swim.config import Config, split_host_port
from swim.core.output import Endpoint
from swim.events import Member
from swim.node import BaseView, Node

if TYPE_CHECKING:
    from sims.world.world import Start, World

__all__ = ["Hosts"]


class Hosts:
    """Places hosts, starts and ends their nodes, and keeps account of whose view counts.

    Args:
        world: theirs.
        make_config: settings of a node that is given none of its own; see ``World``.

    Attributes:
        nodes: all hosts by id, in order of their arrival.
        at: hosts by the endpoint that packets reach them at.
    """

    def __init__(self, world: World, make_config: Config | Callable[..., Config]) -> None:
        self._world = world
        self._make_config = make_config
        self._counted: Counter[str] = Counter()
        self._addresses = itertools.count(1)
        self.nodes: dict[str, SimNode] = {}
        self.at: dict[Endpoint, SimNode] = {}

    def fresh_endpoint(self) -> Endpoint:
        """An address that nobody has or had."""
        numbers = ((f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 7946) for n in self._addresses)
        return next(endpoint for endpoint in numbers if endpoint not in self.at)

    def vacate(self, endpoint: Endpoint, node: SimNode) -> None:
        """A host moves out of an address, unless another moved in meanwhile."""
        if self.at.get(endpoint) is node:
            del self.at[endpoint]

    def start_all(self, count: int, start: Start) -> None:
        """The first hosts of a world, ``n1`` to ``nN``."""
        first: list[SimNode] = []
        for number in range(1, count + 1):
            node = self.place(f"n{number}", f"n{number}", None, None, [] if start == "apart" else first)
            first = first or [node]
            if start != "converged":
                self.boot(node, "")
        if start == "converged":
            self._start_converged()

    def _start_converged(self) -> None:
        """All nodes share one view of each other, and keep only what they learn to differ."""
        nodes = list(self.nodes.values())
        for node in nodes:
            self._make(node, "")
        base = BaseView((n.node.claim for n in nodes), speaks_serf=nodes[0].config.delegate_version > 0)
        view = self._world.views.of(node.name for node in nodes)
        listed: tuple[Member, ...] = ()
        for node in nodes:
            node.node.start(self._world.now, view=base)
            listed = node.listed = listed or node.members()
            node.view = View(view.all, view.live)
            self._launch(node)

    def place(
        self,
        name: str,
        id: str,
        config: Config | Callable[..., Config] | None,
        endpoint: Endpoint | None,
        seeds: Iterable[str | SimNode],
    ) -> SimNode:
        """A new host whose node has yet to start.

        Raises:
            UsageError: the id is taken, or the address is one of a process that runs.
        """
        if id in self.nodes:
            raise UsageError(f"there is a host {id!r} already")
        endpoint = endpoint or self.fresh_endpoint()
        self.admit(id, endpoint)
        addresses = tuple(seed if isinstance(seed, str) else address_of(seed.endpoint) for seed in seeds)
        made = self._configure(config or self._make_config, name, endpoint, addresses)
        node = self.nodes[id] = SimNode(self._world, id, made, endpoint)
        self._world.tell_fault("add", node=id, endpoint=address_of(endpoint), seeds=list(made.seeds))
        return node

    def _configure(
        self,
        config: Config | Callable[..., Config],
        name: str,
        endpoint: Endpoint,
        seeds: tuple[str, ...],
    ) -> Config:
        given = {"name": name, "bind": address_of(endpoint)} | ({"seeds": seeds} if seeds else {})
        return config.with_changes(**given) if isinstance(config, Config) else config(**given)

    def boot(self, node: SimNode, snapshot: str) -> None:
        """Starts the next life of a host.

        Raises:
            UsageError: another node runs at its address.
        """
        self._make(node, snapshot)
        node.node.start(self._world.now)
        self._launch(node)

    def _make(self, node: SimNode, snapshot: str) -> None:
        self.admit(node.id, node.endpoint)
        node.reset()
        self.at[node.endpoint] = node
        advertise = node.endpoint
        if node.config.advertise is not None:
            advertise = split_host_port("advertise", node.config.advertise, node.endpoint[1])
        node.node = Node(
            node.config,
            advertise=advertise,
            bind_port=node.endpoint[1],
            rng=self._world.random_for("node", node.id, str(node.life)),
            snapshot=snapshot,
            wire=self._world.wire,
        )

    def admit(self, id: str, endpoint: Endpoint) -> None:
        """Refuses an address that is another host's.

        Raises:
            UsageError: a process runs there.
        """
        other = self.at.get(endpoint)
        if other is not None and other.id != id and other.is_up:
            raise UsageError(f"{id} cannot have the address of {other.id}")

    def _launch(self, node: SimNode) -> None:
        self.set_state(node, "running")
        self._world.driver.pump(node)

    def set_state(self, node: SimNode, state: NodeState) -> None:
        """Changes what a host's process does."""
        node.state = state
        node.since = self._world.now
        self.recount(node)

    def recount(self, node: SimNode) -> None:
        """While it runs and stays, its view counts and others should show it as alive."""
        counts = node.state == "running" and not node.is_leaving
        if counts == node.counts:
            return
        node.counts = counts
        before = self._counted[node.name]
        self._counted[node.name] += 1 if counts else -1
        if not before or not self._counted[node.name]:
            self._world.views.toggle_truth(node.name)
        (self._world.views.enter if counts else self._world.views.drop)(node.view)
