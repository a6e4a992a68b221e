"""Keyrings change by commands only, and what is encrypted with an installed key is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sims.checkers.base import Checker, PerLife
from swim.commands import Command, Ticket
from swim.keyrings import InstallKey, RemoveKey, UseKey, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.host import SimNode
    from sims.world.observer import Packet, StreamStep

__all__ = ["MembersWithACommonKeyStayTogether"]

_DECRYPT = "swim.dropped.decrypt"


class _Seen:
    """What was last seen of one node.

    Attributes:
        keys: fingerprints, the one that encrypts first.
        since: when the first one began to encrypt, seconds.
        failures: to decrypt.
        excused: inputs since then that it need not be able to decrypt.
    """

    __slots__ = ("excused", "failures", "keys", "since")

    def __init__(self) -> None:
        self.keys: tuple[str, ...] | None = None
        self.since = 0.0
        self.failures = 0
        self.excused = 0


class MembersWithACommonKeyStayTogether(Checker):
    """A rotation cuts no member off: no keyring loses a key, and each installed key is read.

    A key comes into a keyring, encrypts, or leaves it only after a command said so; none is lost in a
    restart. A packet that its sender encrypted with a key of the receiver is decrypted.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._seen = PerLife(_Seen)
        self._stored: dict[str, tuple[str, ...]] = {}
        self._given: dict[type[Command], set[str]] = {InstallKey: set(), UseKey: set(), RemoveKey: set()}

    def commanded(self, world: World, node: SimNode, command: Command, ticket: Ticket) -> None:
        """See ``Observer``."""
        if isinstance(command, (InstallKey, UseKey, RemoveKey)):
            self._given[type(command)].add(fingerprint(command.key))

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        if kind == "inject":  # from outside the world, by no member
            self._seen.of(world.host(str(detail["node"]))).excused += 1

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        sender = world.nodes[packet.source]
        theirs, keys = self._seen.of(sender), sender.key_status().keys
        is_current = theirs.keys is keys and theirs.since < packet.sent_at
        if packet.fate == "corrupted" or not is_current or not keys or keys[0] not in node.key_status().keys:
            self._seen.of(node).excused += 1

    def stream(self, world: World, step: StreamStep) -> None:
        """See ``Observer``."""
        if step.kind == "data":
            self._seen.of(world.nodes[step.target]).excused += 1

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        seen, keys = self._seen.of(node), node.key_status().keys
        failures = node.metrics.counters[_DECRYPT]
        if failures > seen.failures + seen.excused:
            self.violated(world, node, "it cannot decrypt a packet that was encrypted with a key it has")
        seen.failures, seen.excused = failures, 0
        if keys is seen.keys:
            return
        if seen.keys is not None:
            self._compare(world, node, seen.keys, keys)
        elif (stored := self._stored.get(node.id, keys)) != keys:
            self.violated(world, node, f"it starts with the keys {keys}, and stored {stored}")
        if seen.keys is None or seen.keys[:1] != keys[:1]:
            seen.since = world.now
        seen.keys = keys
        if node.keyring:
            self._stored[node.id] = keys

    def _compare(self, world: World, node: SimNode, before: tuple[str, ...], keys: tuple[str, ...]) -> None:
        lost = set(before) - set(keys) - self._given[RemoveKey]
        come = set(keys) - set(before) - self._given[InstallKey]
        uses = set(keys[:1]) - set(before[:1]) - self._given[UseKey]
        if lost or come or uses:
            text = f"its keys changed without a command from {before} to {keys}"
            self.violated(world, node, text)
