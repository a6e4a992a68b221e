"""The hosts of a world: their addresses, and which views count."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from sims.errors import UsageError
from sims.world.context import Context
from sims.world.host import Commands, NodeState, SimNode
from swim.addresses import Endpoint, join_host_port
from swim.config import Config

__all__ = ["Hosts"]


class Hosts:
    """Adds hosts and tracks which views count.

    Args:
        context: of their world.
        commands: carries out the commands of their nodes.
        make_config: settings of a node without its own; see ``World``.

    Attributes:
        nodes: all hosts by id, in the order in which they were added.
        at: hosts by the endpoint at which packets reach them.
    """

    def __init__(
        self, context: Context, commands: Commands, make_config: Config | Callable[..., Config]
    ) -> None:
        self._context = context
        self._commands = commands
        self._make_config = make_config
        self._counted: Counter[str] = Counter()
        self._addresses = itertools.count(1)
        self.nodes: dict[str, SimNode] = {}
        self.at: dict[Endpoint, SimNode] = {}

    def fresh_endpoint(self) -> Endpoint:
        """An address that no host has or had."""
        numbers = ((f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 7946) for n in self._addresses)
        return next(endpoint for endpoint in numbers if endpoint not in self.at)

    def vacate(self, endpoint: Endpoint, node: SimNode) -> None:
        """A host gives up an address, unless another host took it meanwhile."""
        if self.at.get(endpoint) is node:
            del self.at[endpoint]

    def place(
        self,
        name: str,
        id: str,
        config: Config | Callable[..., Config] | None,
        endpoint: Endpoint | None,
        seeds: Iterable[str | SimNode],
    ) -> SimNode:
        """Adds a host whose node has not started yet.

        Raises:
            UsageError: the id is taken, or the address is one of a process that runs.
        """
        if id in self.nodes:
            raise UsageError(f"there is a host {id!r} already")
        endpoint = endpoint or self.fresh_endpoint()
        self.admit(id, endpoint)
        addresses = tuple(seed if isinstance(seed, str) else join_host_port(*seed.endpoint) for seed in seeds)
        made = self._configure(config or self._make_config, name, endpoint, addresses)
        node = self.nodes[id] = SimNode(id, made, endpoint, self._commands)
        node.since = self._context.now
        self._context.tell_fault("add", node=id, endpoint=join_host_port(*endpoint), seeds=list(made.seeds))
        return node

    def _configure(
        self,
        config: Config | Callable[..., Config],
        name: str,
        endpoint: Endpoint,
        seeds: tuple[str, ...],
    ) -> Config:
        given: dict[str, Any] = {"name": name, "bind": join_host_port(*endpoint)} | (
            {"seeds": seeds} if seeds else {}
        )
        return config.with_changes(**given) if isinstance(config, Config) else config(**given)

    def admit(self, id: str, endpoint: Endpoint) -> None:
        """Refuses an address of another host.

        Raises:
            UsageError: a process runs there.
        """
        other = self.at.get(endpoint)
        if other is not None and other.id != id and other.is_up:
            raise UsageError(f"{id} cannot have the address of {other.id}")

    def set_state(self, node: SimNode, state: NodeState) -> None:
        """Changes what a host's process does."""
        node.state = state
        node.since = self._context.now
        self.recount(node)

    def recount(self, node: SimNode) -> None:
        """Its view counts, and others should list it as alive, while it runs and is not leaving."""
        counts = node.state == "running" and not node.is_leaving
        if counts == node.counts:
            return
        node.counts = counts
        before = self._counted[node.name]
        self._counted[node.name] += 1 if counts else -1
        if not before or not self._counted[node.name]:
            self._context.views.toggle_truth(node.name)
        (self._context.views.enter if counts else self._context.views.drop)(node.view)
