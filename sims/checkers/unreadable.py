"""Packets and streams with a wrong label or key, or a broken authentication, never change a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sims.checkers.base import Checker

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode
    from sims.world.observer import Packet, StreamStep

__all__ = ["UnreadableInputChangesNothing"]


class UnreadableInputChangesNothing(Checker):
    """Input with another label, or not encrypted with a key of the receiver, does not change its table.

    The same holds for an encrypted packet with a flipped bit.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._changes: dict[str, int] = {}
        self._stream: tuple[str, str] | None = None

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        sender = world.nodes[packet.source]
        if sender.since > packet.sent_at:
            return  # it may have been sent under other settings
        sealed = bool(node.inspect().fingerprints) and node.config.gossip_verify_incoming
        if not _understand(node, sender) or (packet.fate == "corrupted" and sealed):
            self._compare(world, node, f"a packet of {sender.id}")

    def stream(self, world: World, step: StreamStep) -> None:
        """See ``Observer``."""
        if step.kind == "data" and not _understand(world.nodes[step.target], world.nodes[step.source]):
            self._stream = (step.target, f"a stream of {step.source}")

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        if self._stream is not None and self._stream[0] == node.id:
            self._compare(world, node, self._stream[1])
            self._stream = None
        self._changes[node.id] = node.inspect().table.changes

    def _compare(self, world: World, node: SimNode, what: str) -> None:
        if node.inspect().table.changes != self._changes.get(node.id, node.inspect().table.changes):
            self.violated(world, node, f"{what}, who has another label or key, changed the table")


def _understand(receiver: SimNode, sender: SimNode) -> bool:
    """Whether the receiver is to read what the sender sends."""
    ours, theirs = receiver.config, sender.config
    sent = theirs.label if theirs.send_label else ""
    if sent != ours.label and not ours.skip_inbound_label_check and (sent or not ours.accept_unlabelled):
        return False
    keys = receiver.inspect().fingerprints
    if not keys or not ours.gossip_verify_incoming:
        return True  # it cannot read encrypted packets, which this checker does not judge
    primary = sender.inspect().fingerprints[:1]
    return theirs.gossip_verify_outgoing and bool(primary) and primary[0] in keys
