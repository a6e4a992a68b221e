"""A run in 64 hex digits: two runs with the same fingerprint did the same things at the same times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from sims.world.observer import Observer, Packet, StreamStep
from swim.events import Event

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["Fingerprint"]


class Fingerprint(Observer):
    """SHA-256 over every packet, stream step, event and fault, each with its time."""

    def __init__(self) -> None:
        self._hash = sha256()

    @property
    def sha256(self) -> str:
        """The digest of everything so far, in hex."""
        return self._hash.hexdigest()

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        head = f"p {packet.sent_at!r} {packet.source} {packet.endpoint} {packet.fate} "
        self._hash.update(head.encode() + bytes(packet.data) + b"\n")

    def stream(self, world: World, step: StreamStep) -> None:
        """See ``Observer``."""
        head = f"s {world.now!r} {step.number} {step.kind} {step.source} {step.target} {step.end} "
        self._hash.update(head.encode() + bytes(step.data) + b"\n")

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        self._hash.update(f"e {world.now!r} {node.id} {event!r}\n".encode("utf-8", "surrogateescape"))

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        text = json.dumps(detail, sort_keys=True, default=repr)
        self._hash.update(f"f {world.now!r} {kind} {text}\n".encode())
