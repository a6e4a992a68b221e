"""Planted in what goes out and comes in: queues, packets, labels, keys."""

from __future__ import annotations

from typing import Any

import pytest

from sims.checkers import (
    NewsIsPassedOn,
    NewsSpreads,
    PacketsFit,
    QueuesDrain,
    TransmitsAreLimited,
    UnreadableInputChangesNothing,
)
from swim.core import broadcast
from swim.core.broadcast import Priority
from swim.core.claims import Claims
from swim.core.gossip import Gossip
from swim.core.table import Table
from swim.errors import RemoteError
from swim.serf.queues import SerfQueues
from swim.wire import packet, stream
from swim.wire.codec import encode
from swim.wire.messages import Dead
from swim.wire.packet import PacketCodec
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug


@bug("What others said is not passed on.", scripts.CRASH, NewsIsPassedOn)
def forgets_to_queue(patch: pytest.MonkeyPatch) -> None:
    queue = Claims._queue

    def only_own(self: Any, now: float, name: str, message: bytes, priority: Priority, **rest: Any) -> None:
        if not rest.get("origin"):
            queue(self, now, name, message, priority, **rest)

    patch.setattr(Claims, "_queue", only_own)


@bug("Broadcasts are sent five times too often.", scripts.CRASH, TransmitsAreLimited)
def wrong_transmit_limit(patch: pytest.MonkeyPatch) -> None:
    limit = broadcast.retransmit_limit
    patch.setattr(broadcast, "retransmit_limit", lambda mult, n: 5 * limit(mult, n))


@bug("Intents are sent five times too often.", scripts.LEAVE, TransmitsAreLimited)
def wrong_transmit_limit_of_intents(patch: pytest.MonkeyPatch) -> None:
    build = SerfQueues.__init__

    def talkative(self: Any, *arguments: Any) -> None:
        build(self, *arguments)
        self.intents._mult *= 5
        self.intents.limit *= 5

    patch.setattr(SerfQueues, "__init__", talkative)


@bug("An accusation that is ignored is passed on all the same.", scripts.CRASH, TransmitsAreLimited)
def passes_on_what_it_ignores(patch: pytest.MonkeyPatch) -> None:
    apply = Claims.apply

    def chatter(self: Any, now: float, claim: Any, source: Any) -> None:
        apply(self, now, claim, source)
        if isinstance(claim, Dead) and source.cause == "claim" and claim.node != self._context.local.name:
            self._queue(now, claim.node, encode(claim), Priority.DEAD, origin=source.name)

    patch.setattr(Claims, "apply", chatter)


@bug("Broadcasts are added beyond the packet's budget.", scripts.STORM, PacketsFit)
def overfills_packets(patch: pytest.MonkeyPatch) -> None:
    room = Gossip._room
    patch.setattr(Gossip, "_room", lambda self: room(self) + 300)


@bug("The label of a packet is cut off and not looked at.", scripts.LABELS, UnreadableInputChangesNothing)
def accepts_any_label(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(packet, "check_label", lambda *args, **settings: None)


@bug("The label of a stream is cut off and not looked at.", scripts.LABELS, UnreadableInputChangesNothing)
def accepts_streams_of_any_label(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stream, "check_label", lambda *args, **settings: None)


@bug("A plain packet is read though there is a key.", scripts.KEYS, UnreadableInputChangesNothing)
def accepts_plain_packets(patch: pytest.MonkeyPatch) -> None:
    decrypted = PacketCodec._decrypted

    def trusting(self: Any, data: bytes, *rest: Any) -> bytes:
        try:
            return decrypted(self, data, *rest)
        except RemoteError:
            return data

    patch.setattr(PacketCodec, "_decrypted", trusting)


@bug("Gossip rounds never come.", scripts.GOSSIP, QueuesDrain)
def never_gossips(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gossip, "poke", lambda self, now: None)


@bug("The only live peer never receives what came from itself.", scripts.LAST_TWO, QueuesDrain)
def spares_the_only_peer(patch: pytest.MonkeyPatch) -> None:
    fill = Gossip._fill
    patch.setattr(Gossip, "_fill", lambda self, *args, exclude=True: fill(self, *args))


@bug("Every gossip round goes to the same members.", scripts.GOSSIP, NewsSpreads)
def gossips_to_the_same(patch: pytest.MonkeyPatch) -> None:
    def first(self: Any, count: int, eligible: Any, **among: bool) -> list[Any]:
        return [record for record in sorted(self, key=lambda record: record.name) if eligible(record)][:count]

    patch.setattr(Table, "pick", first)
