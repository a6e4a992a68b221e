"""Observers of a world: the base of traces, checkers, measures, pictures and applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sims.errors import ViolationError
from sims.world.host import SimNode
from sims.world.network import Fate
from swim.addresses import Endpoint
from swim.commands import Command, Ticket
from swim.core.output import StreamEnd
from swim.events import Event

__all__ = ["HOOKS", "Observer", "Packet", "StreamStep"]


class Packet(NamedTuple):
    """One datagram.

    Attributes:
        number: counts the packets of a world; a duplicate keeps the number.
        sent_at: seconds.
        source: id of the sending host.
        target: id of the host at ``endpoint``, or "" if there is none.
        endpoint: where it was sent to.
        data: as it was sent.
        fate: decided when it was sent.
    """

    number: int
    sent_at: float
    source: str
    target: str
    endpoint: Endpoint
    data: bytes
    fate: Fate


class StreamStep(NamedTuple):
    """One step of a stream.

    Attributes:
        number: counts the streams of a world.
        kind: ``dial``, ``accept``, ``data`` (arrived at ``target``) or ``end``.
        source: id of the acting host; of the dialler for ``dial``.
        target: id of the other host, or "".
        data: the bytes of ``dial`` and ``data``.
        end: why it ended, for ``end``; None if its node closed it.
    """

    number: int
    kind: str
    source: str
    target: str
    data: bytes = b""
    end: StreamEnd | None = None


class Observer:
    """Override the hooks that you need; others cost nothing. ``world`` is the ``World``.

    Hooks must not change the world while they are called; use ``world.at(world.now, ...)`` for that.
    """

    def attached(self, world: Any) -> None:
        """The observer was added to a world."""

    def sent(self, world: Any, packet: Packet) -> None:
        """A packet was sent, and its fate is known."""

    def received(self, world: Any, node: SimNode, packet: Packet) -> None:
        """A node received a packet (its reaction follows)."""

    def stream(self, world: Any, step: StreamStep) -> None:
        """Something happened to a stream."""

    def event(self, world: Any, node: SimNode, event: Event) -> None:
        """A node reported a change to its application."""

    def commanded(self, world: Any, node: SimNode, command: Command, ticket: Ticket) -> None:
        """A node was given a command; nothing that follows has been seen yet."""

    def fault(self, world: Any, kind: str, detail: Mapping[str, object]) -> None:
        """A fault or a command: ``add``, ``crash``, ``restart``, ``pause``, ``cut``, ``heal``, ..."""

    def stepped(self, world: Any, node: SimNode) -> None:
        """A node handled one input, including everything that followed immediately."""

    def violation(self, world: Any, error: ViolationError) -> None:
        """A checker reports that its property does not hold; it may raise the error next."""


HOOKS = ("sent", "received", "stream", "event", "commanded", "fault", "stepped", "violation")
