"""What several checkers ask of the inside of a node, by ``Node.inspect``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from swim.core.member import Record, State
from swim.core.verify import HELD_MAX
from swim.errors import RemoteError
from swim.wire.codec import decode
from swim.wire.messages import Message

if TYPE_CHECKING:
    from sims.world.host import SimNode
    from sims.world.observer import Packet

__all__ = ["is_held", "is_queued", "opened", "pending", "read", "takes_late_leaves", "targets"]


def is_queued(node: SimNode, name: str, *, intent: bool = False) -> bool:
    """Whether the node has something to send about a member, or just sent it as often as it should."""
    inside = node.inspect()
    queue = inside.intents if intent else inside.broadcasts
    return name in queue.waiting or name in queue.retired or len(queue) >= queue.max_depth


def is_held(node: SimNode, name: str) -> bool:
    """Whether a claim about a member waits until the member acks a ping."""
    held = node.inspect().held
    return name in held or len(held) >= HELD_MAX


def targets(node: SimNode, now: float) -> list[Record]:
    """The members that a gossip round may go to."""
    table, patience = node.inspect().table, node.config.gossip_to_the_dead_time
    return [
        record
        for record in table
        if record is not table.local
        and (record.is_live or (record.state is State.DEAD and now - record.changed_at < patience))
    ]


def pending(node: SimNode, now: float) -> Iterator[str]:
    """Pending work, except a probe round, and the health score if it is not 0."""
    inside = node.inspect()
    for name, running in inside.suspicions.items():
        yield f"{name} is suspected since {running.started:.1f} s"
    oldest = now - 2 * node.config.probe_interval * node.config.awareness_max_multiplier
    for what, count in (
        ("claims on hold", len(inside.held)),
        ("accusations on hold", len(inside.accused)),
        ("relayed pings", inside.relayed_pings),
        ("old pings", sum(ping.sent_at < oldest for ping in inside.pings.values())),
    ):
        if count:
            yield f"{count} {what}"
    if inside.health_score and inside.has_peers:
        yield f"a health score of {inside.health_score}"


def read(node: SimNode, packet: Packet) -> list[Message]:
    """The messages that a node received with a packet; none if bits were flipped."""
    return opened(node, packet.data) if packet.fate != "corrupted" else []


def opened(node: SimNode, data: bytes) -> list[Message]:
    """The messages in a packet as this node reads it, none if it cannot; decoded once for all checkers."""
    global _last_opened
    if _last_opened[0] is not node.node or _last_opened[1] is not data:
        _last_opened = (node.node, data, list(_decoded(node, data)))
    return _last_opened[2]


_last_opened: tuple[object, object, list[Message]] = (None, None, [])


def _decoded(node: SimNode, data: bytes) -> Iterator[Message]:
    with suppress(RemoteError):
        for message in node.inspect().open(data):
            with suppress(RemoteError):
                yield decode(message)


def takes_late_leaves(node: SimNode) -> bool:
    """Whether a node corrects a failure to a leave that it hears of later.

    It ignores claims about members that its core has reaped and has no tombstone of, as memberlist does. A
    node that was cut off has reaped all others, and keeps the last tombstones only.
    """
    return node.config.max_tombstones >= len(node.members())
