"""Messages: what ``send`` and ``broadcast`` guarantee, as applications and senders see it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker, PerLife
from swim.commands import BroadcastMessage, Command, SendMessage, Ticket
from swim.errors import DeliveryError, LocalError
from swim.events import Event, UserMessage

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["MessagesAreKept"]

Key = tuple[str, str, bytes]
"""Names of sender and receiver, and the payload."""


class _Sent(NamedTuple):
    """A message under way: its ticket, and the life of each host of that name when it was sent."""

    key: Key
    ticket: Ticket
    lives: dict[str, int]
    incarnation: int


class MessagesAreKept(Checker):
    """Every message arrives at most once, in the life that it was sent to, and only if it was sent.

    A message that was reported as delivered was, and one that failed for any other reason than ``no-answer``
    was not. A broadcast comes at most once in each life.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._sent: dict[Key, list[_Sent]] = {}
        self._pending: dict[str, list[_Sent]] = {}
        self._arrived: Counter[Key] = Counter()
        self._broadcasts: Counter[tuple[str, bytes]] = Counter()
        self._begins: PerLife[list[int]] = PerLife(list)
        self._received: PerLife[Counter[tuple[str, bytes]]] = PerLife(Counter)

    def commanded(self, world: World, node: SimNode, command: Command, ticket: Ticket) -> None:
        """See ``Observer``."""
        match command:
            case BroadcastMessage(payload):
                self._broadcasts[node.name, payload] += 1
            case SendMessage(member, payload):
                key = node.name, member.name, payload
                lives = {host.id: host.life for host in world.nodes.values() if host.name == member.name}
                sent = _Sent(key, ticket, lives, member.incarnation)
                self._sent.setdefault(key, []).append(sent)
                self._pending.setdefault(node.id, []).append(sent)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, UserMessage):
            return
        if event.is_broadcast:
            received, key = self._received.of(node), (event.source, event.payload)
            received[key] += 1
            if received[key] > self._broadcasts[key]:
                self.violated(world, node, f"a broadcast of {event.source} came again, or was never sent")
            return
        arrived = event.source, node.name, event.payload
        self._arrived[arrived] += 1
        sent = self._sent.get(arrived, ())
        if self._arrived[arrived] > len(sent):
            self.violated(world, node, f"a message of {event.source} came again, or was never sent")
        elif all(one.lives.get(node.id) != node.life for one in sent):
            self.violated(world, node, f"a message of {event.source} came to a later life")
        elif not any(self._begins.of(node)[0] <= one.incarnation <= node.local.incarnation for one in sent):
            self.violated(world, node, f"a message of {event.source} was for another life")

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        begin = self._begins.of(node)
        if not begin:
            begin.append(node.local.incarnation)
        pending = self._pending.get(node.id)
        if pending and any(sent.ticket.is_done for sent in pending):
            self._pending[node.id] = [sent for sent in pending if not sent.ticket.is_done]
            for sent in pending:
                if sent.ticket.is_done:
                    self._compare(world, node, sent)

    def _compare(self, world: World, node: SimNode, sent: _Sent) -> None:
        """Compares the report to the sender with what happened; certain only for a message sent once."""
        if len(self._sent[sent.key]) > 1:
            return
        receiver, has_arrived = sent.key[1], self._arrived[sent.key] > 0
        try:
            assert sent.ticket.result is None
        except DeliveryError as error:
            if has_arrived and error.reason != "no-answer":
                self.violated(
                    world, node, f"a message to {receiver} arrived, but not for its sender ({error})"
                )
        except LocalError:
            return  # its process ended
        else:
            if not has_arrived:
                self.violated(world, node, f"a message to {receiver} never arrived, but did for its sender")
