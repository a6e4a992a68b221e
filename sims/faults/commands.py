"""Commands as values, which a schedule gives to the nodes of a world.

A command to a node that cannot take it (crashed, paused, or refusing) is skipped, and reported to the world's
observers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from sims.faults.fault import Fault
from sims.faults.rules import Overrides
from sims.world.observer import Observer
from swim import commands
from swim.addresses import join_host_port
from swim.errors import LocalError
from swim.events import Event, Query
from swim.keyrings import InstallKey, RemoveKey, UseKey

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = [
    "QUERY_NAME",
    "Broadcast",
    "ChangeKey",
    "ForceLeave",
    "Join",
    "Leave",
    "Rejoin",
    "Send",
    "SendQuery",
    "SendUserEvent",
    "SetTags",
]

QUERY_NAME = "sims"
"""Name of the queries of ``SendQuery``; every node answers them with its name."""


def _command(world: World, fault: Fault, node: str, command: commands.Command) -> None:
    """Gives a running node a command; a refusal is reported and otherwise ignored."""
    host = world.host(node)
    why = f"it is {host.state}"
    if host.state == "running":
        try:
            world.command(host, command)
            return
        except LocalError as error:
            why = str(error)
    world.tell_fault("skipped", node=node, what=fault.kind, why=why)


@dataclass(frozen=True, slots=True)
class Join(Fault):
    """A node joins others."""

    node: str
    seeds: tuple[str, ...]

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        addresses = [join_host_port(*world.host(seed).endpoint) for seed in self.seeds]
        _command(world, self, self.node, commands.Join(addresses))


@dataclass(frozen=True, slots=True)
class Leave(Fault):
    """A node leaves gracefully; by default its process then ends."""

    node: str
    _: KW_ONLY
    stop: bool = True

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        host = world.host(self.node)
        if host.state == "running":
            world.leave(host, stop=self.stop)
        else:
            world.tell_fault("skipped", node=self.node, what=self.kind, why=f"it is {host.state}")


@dataclass(frozen=True, slots=True)
class Rejoin(Fault):
    """A node that left, and whose process still runs, rejoins."""

    node: str

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        _command(world, self, self.node, commands.Rejoin())


@dataclass(frozen=True, slots=True)
class SetTags(Fault):
    """A node replaces its tags."""

    node: str
    tags: Mapping[str, str] = field(hash=False)

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        _command(world, self, self.node, commands.SetTags(self.tags))


@dataclass(frozen=True, slots=True)
class ForceLeave(Fault):
    """An operator declares at ``node`` that the member on host ``target`` has left."""

    node: str
    target: str
    _: KW_ONLY
    prune: bool = False

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        name = world.host(self.target).name
        _command(world, self, self.node, commands.ForceLeave(name, prune=self.prune))


@dataclass(frozen=True, slots=True)
class Send(Fault):
    """An application at ``node`` sends a message to the member on host ``target``, as it lists it."""

    node: str
    target: str

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command; an unknown member is skipped."""
        member = world.host(self.node).member(world.host(self.target).name)
        if member is None:
            world.tell_fault("skipped", node=self.node, what=self.kind, why="the member is unknown")
        else:
            payload = f"{self.node} to {self.target} at {world.now:.6f}".encode()
            _command(world, self, self.node, commands.SendMessage(member, payload))


@dataclass(frozen=True, slots=True)
class Broadcast(Fault):
    """An application at ``node`` sends a message to all members."""

    node: str

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        payload = f"{self.node} at {world.now:.6f}".encode()
        _command(world, self, self.node, commands.BroadcastMessage(payload))


_KEY_CHANGES: dict[str, Callable[[bytes], commands.Command]] = {
    "install": InstallKey,
    "use": UseKey,
    "remove": RemoveKey,
}


@dataclass(frozen=True, slots=True)
class ChangeKey(Fault):
    """An operator at ``node`` has all members ``install``, ``use`` or ``remove`` a gossip key.

    ``number`` stands for the key of that number in the node's settings, or for one more; no key is written
    into a schedule.
    """

    node: str
    operation: str
    number: int

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        keys = world.host(self.node).config.keys
        key = keys[self.number] if self.number < len(keys) else bytes([self.number]) * 16
        _command(world, self, self.node, _KEY_CHANGES[self.operation](key))

    def problem(self) -> str:
        """What is wrong with it in any world."""
        if self.operation not in _KEY_CHANGES:
            return f"operation must be one of {', '.join(_KEY_CHANGES)}"
        return Fault.problem(self) or ("" if 0 <= self.number <= 255 else "number must be from 0 to 255")


@dataclass(frozen=True, slots=True)
class SendUserEvent(Fault):
    """An application at ``node`` sends ``count`` user events one after the other, at the same moment."""

    node: str
    _: KW_ONLY
    count: int = 1
    coalesce: bool = False

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the commands."""
        for number in range(1, self.count + 1):
            payload = f"{self.node} at {world.now:.6f}, {number}".encode()
            command = commands.SendUserEvent("news", payload, coalesce=self.coalesce)
            _command(world, self, self.node, command)

    def problem(self) -> str:
        """What is wrong with it in any world."""
        return Fault.problem(self) or ("count must be at least 1" if self.count < 1 else "")


@dataclass(frozen=True, slots=True)
class SendQuery(Fault):
    """An application at ``node`` asks the hosts ``nodes``, or all; the applications there answer."""

    node: str
    nodes: tuple[str, ...] = ()
    _: KW_ONLY
    ack: bool = False
    relay_factor: int = 0
    finish_early: bool = False
    timeout: float = 5.0

    def begin(self, world: World, overrides: Overrides) -> None:
        """Gives the command."""
        if not any(isinstance(observer, _Answering) for observer in world.observers):
            world.observe(_Answering())
        command = commands.SendQuery(
            QUERY_NAME,
            f"{self.node} at {world.now:.6f}".encode(),
            nodes=[world.host(node).name for node in self.nodes],
            ack=self.ack,
            relay_factor=self.relay_factor,
            timeout=self.timeout,
            finish_early=self.finish_early,
        )
        _command(world, self, self.node, command)

    def problem(self) -> str:
        """What is wrong with it in any world."""
        if not 0 <= self.relay_factor <= 255:
            return f"relay_factor must be from 0 to 255, not {self.relay_factor!r}"
        wrong = not 0 < self.timeout <= 86_400
        return Fault.problem(self) or (
            f"timeout must be more than 0, at most 86400, not {self.timeout!r}" if wrong else ""
        )


class _Answering(Observer):
    """The applications that answer the queries of ``SendQuery``."""

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, Query) and event.name == QUERY_NAME:
            world.at(world.now, _answer, node, node.life, event)


def _answer(node: SimNode, life: int, query: Query) -> None:
    if node.state == "running" and node.life == life:
        try:
            node.respond(query, node.name.encode())
        except LocalError:
            return  # it has left, or has sent too many answers
