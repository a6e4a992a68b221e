"""Faults of processes and of the network as values, which a schedule injects into a world.

Times are seconds after the schedule is applied. A fault with ``seconds`` ends by itself and restores the
previous state; without them it lasts until ``heal``. Hosts are named by their ids. Commands are in
``sims.faults.commands``, schedules in ``sims.faults.schedule``.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from sims.faults.fault import Fault, hosts_in
from sims.faults.rules import Overrides
from sims.world.latency import Latency
from sims.world.network import Link, Nat

if TYPE_CHECKING:
    from sims.world import World

__all__ = [
    "Add",
    "Block",
    "Crash",
    "CutPair",
    "Fault",
    "Heal",
    "Pause",
    "Readdress",
    "Restart",
    "Resume",
    "SetClock",
    "SetLink",
    "SetNames",
    "SlowReader",
    "Split",
    "Translate",
]


# -- processes


@dataclass(frozen=True, slots=True)
class Crash(Fault):
    """The process is killed; a ``silent`` host does not even refuse streams (power loss)."""

    node: str
    _: KW_ONLY
    silent: bool = False

    def begin(self, world: World, overrides: Overrides) -> None:
        """Kills it, if it is up."""
        world.crash(self.node, silent=self.silent)


@dataclass(frozen=True, slots=True)
class Restart(Fault):
    """The process restarts, with or without its ``snapshot``; a running one is killed first."""

    node: str
    _: KW_ONLY
    snapshot: bool = True

    def begin(self, world: World, overrides: Overrides) -> None:
        """Starts it."""
        world.restart(self.node, snapshot=self.snapshot)


@dataclass(frozen=True, slots=True)
class Readdress(Fault):
    """The process restarts at a new address, with or without its ``snapshot``."""

    node: str
    _: KW_ONLY
    snapshot: bool = True

    def begin(self, world: World, overrides: Overrides) -> None:
        """Moves and starts it."""
        world.restart(self.node, endpoint=world.fresh_endpoint(), snapshot=self.snapshot)


@dataclass(frozen=True, slots=True)
class Pause(Fault):
    """The process is paused for ``seconds`` (SIGSTOP, a long garbage collection, a suspended machine)."""

    node: str
    seconds: float | None = None

    def begin(self, world: World, overrides: Overrides) -> None:
        """Stops it, if it runs."""
        world.pause(self.node, self.seconds)


@dataclass(frozen=True, slots=True)
class Resume(Fault):
    """A paused process goes on."""

    node: str

    def begin(self, world: World, overrides: Overrides) -> None:
        """Lets it go on, if it is paused."""
        world.resume(self.node)


@dataclass(frozen=True, slots=True)
class Block(Fault):
    """The node neither receives nor sends for ``seconds`` while its timers fire (Lifeguard's anomaly)."""

    node: str
    seconds: float

    def begin(self, world: World, overrides: Overrides) -> None:
        """Blocks it."""
        world.block(self.node, self.seconds)


@dataclass(frozen=True, slots=True)
class SlowReader(Fault):
    """Each packet is read late, in order: an overloaded receive path."""

    node: str
    latency: Latency
    seconds: float | None = None

    def begin(self, world: World, overrides: Overrides) -> None:
        """Slows it down."""
        host = world.host(self.node)

        def write(latency: Latency | None) -> None:
            host.reader = latency

        overrides.put(world, ("reader", self.node), self.latency, self.seconds, lambda: host.reader, write)
        world.tell_fault("slow-reader", node=self.node, latency=repr(self.latency), seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class SetClock(Fault):
    """The host's wall clock is ``ahead`` seconds ahead of the others' from now on; behind if negative."""

    node: str
    ahead: float

    def begin(self, world: World, overrides: Overrides) -> None:
        """Sets it."""
        world.set_clock(self.node, self.ahead)


@dataclass(frozen=True, slots=True)
class Add(Fault):
    """A new host starts and joins ``seeds``."""

    adds: ClassVar[bool] = True
    node: str
    seeds: tuple[str, ...]

    def begin(self, world: World, overrides: Overrides) -> None:
        """Starts it."""
        world.add(self.node, seeds=[world.host(seed) for seed in self.seeds])


# -- network


@dataclass(frozen=True, slots=True)
class Split(Fault):
    """A partition: nothing passes between any two of the groups; a host in no group reaches all."""

    groups: tuple[tuple[str, ...], ...]
    seconds: float | None = None

    def begin(self, world: World, overrides: Overrides) -> None:
        """Cuts the groups apart."""
        for index, group in enumerate(self.groups):
            for other in self.groups[index + 1 :]:
                _cut(world, group, other, self.seconds, one_way=False)

    def problem(self) -> str:
        """What is wrong with it in any world."""
        listed = list(hosts_in(self.groups))
        twice = [host for host in listed if listed.count(host) > 1]
        return Fault.problem(self) or (f"groups name {twice[0]} twice" if twice else "")


@dataclass(frozen=True, slots=True)
class CutPair(Fault):
    """Nothing passes from ``sources`` to ``targets``, nor back unless ``one_way``."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    seconds: float | None = None
    _: KW_ONLY
    one_way: bool = False

    def begin(self, world: World, overrides: Overrides) -> None:
        """Cuts the links."""
        _cut(world, self.sources, self.targets, self.seconds, one_way=self.one_way)


def _cut(
    world: World, sources: tuple[str, ...], targets: tuple[str, ...], seconds: float | None, *, one_way: bool
) -> None:
    cut = world.network.cut(sources, targets, one_way=one_way)

    def end() -> None:
        if cut in world.network.cuts:
            world.network.heal(cut)

    if seconds is not None:
        world.at(world.now + seconds, end)


@dataclass(frozen=True, slots=True)
class SetLink(Fault):
    """Changes the rule of one direction; None means every host, twice None the default link."""

    source: str | None
    target: str | None
    link: Link
    seconds: float | None = None

    def begin(self, world: World, overrides: Overrides) -> None:
        """Sets the rule."""
        network, pair = world.network, (self.source, self.target)

        def read() -> Link | None:
            return network.default if pair == (None, None) else network.rule(*pair)

        def write(link: Link | None) -> None:
            if pair == (None, None) and link is not None:
                network.set_default(link)
            else:
                network.set_link(*pair, link)

        overrides.put(world, ("link", pair), self.link, self.seconds, read, write)


@dataclass(frozen=True, slots=True)
class Heal(Fault):
    """Every cut and every rule is taken back; links do nothing but delay."""

    def begin(self, world: World, overrides: Overrides) -> None:
        """Calms the network."""
        world.network.calm()


@dataclass(frozen=True, slots=True)
class SetNames(Fault):
    """The name service answers ``name`` with the current addresses of ``nodes``; if empty: no such host."""

    name: str
    nodes: tuple[str, ...]

    def begin(self, world: World, overrides: Overrides) -> None:
        """Changes the answer."""
        world.network.set_names(self.name, [world.host(node).endpoint for node in self.nodes])


@dataclass(frozen=True, slots=True)
class Translate(Fault):
    """A host moves behind address translation or, with None, back to the plain network."""

    node: str
    nat: Nat | None

    def begin(self, world: World, overrides: Overrides) -> None:
        """Changes its addresses."""
        world.translate(self.node, self.nat)
