"""Which hosts run, or ran, under each gossip name: the truth that views are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["Hosts"]


class Hosts:
    """Hosts by name; its owner passes on the hooks that it receives."""

    def __init__(self) -> None:
        self._named: dict[str, list[SimNode]] = {}
        self._world: World | None = None
        self._seen = 0

    def note_all(self, world: World) -> None:
        """Adds all hosts that are not known yet."""
        self._world = world
        self._seen = len(world.nodes)
        for node in world.nodes.values():
            self.note(node)

    def note(self, node: SimNode) -> None:
        """A host acted: it may be new, or have another name."""
        named = self._named.setdefault(node.name, [])
        if node not in named:
            named.append(node)

    def of(self, name: str) -> list[SimNode]:
        """The hosts whose current or last node has that name; usually one."""
        if self._world is not None and len(self._world.nodes) > self._seen:
            self.note_all(self._world)  # in a converged start, nodes send no events about themselves
        return [node for node in self._named.get(name, ()) if node.name == name]

    def died_at(self, name: str) -> float | None:
        """Since when no process of that name runs; None if one does, or none ever did."""
        named = self.of(name)
        if not named or any(node.is_up for node in named):
            return None
        return max(node.since for node in named)

    def left_at(self, name: str) -> float | None:
        """The same, if the last one left gracefully (and was not stopped)."""
        if self.died_at(name) is None:
            return None
        last = max(self.of(name), key=lambda node: node.since)
        return last.since if last.state == "left" and not last.stopped_because else None
