"""The only place where checkers look inside a node. They read; they change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from swim.core.context import Context
from swim.core.member import Record, State
from swim.core.suspicion import Suspicion
from swim.core.table import Table
from swim.core.verify import ACCUSED_MAX, HELD_MAX
from swim.errors import RemoteError
from swim.serf.delegate import SerfDelegate
from swim.serf.member_list import Entry, Roster
from swim.wire.codec import decode
from swim.wire.keyring import Keyring
from swim.wire.messages import Message

if TYPE_CHECKING:
    from sims.world.host import SimNode
    from sims.world.observer import Packet

__all__ = [
    "Size",
    "accusers",
    "context",
    "entry",
    "is_held",
    "is_queued",
    "keyring",
    "layer",
    "opened",
    "pending",
    "read",
    "record",
    "roster",
    "sizes",
    "suspicion",
    "table",
    "targets",
]

_RETIRED_MAX = 2048
_RELAYED_MAX = 1024
_PAST_MAX = 1024
_TIMERS_PER_MEMBER = 8
_TIMERS_MIN = 4096


class Size(NamedTuple):
    """How large one thing in a node is, and may be."""

    what: str
    size: int
    limit: int


def layer(node: SimNode) -> SerfDelegate:
    """The Serf layer."""
    return node.node._layer


def context(node: SimNode) -> Context:
    """What the parts of the engine share."""
    return node.node._engine.context


def table(node: SimNode) -> Table:
    """The core's member table."""
    return node.node._engine.context.table


def record(node: SimNode, name: str) -> Record | None:
    """One record of the core's table."""
    return table(node).get(name)


def roster(node: SimNode) -> Roster:
    """The members as the application sees them."""
    return node.node._layer.roster


def entry(node: SimNode, name: str) -> Entry | None:
    """One entry of the roster."""
    return node.node._layer.roster.get(name)


def keyring(node: SimNode) -> Keyring:
    """The gossip keys."""
    return node.node.keyring


def suspicion(node: SimNode, name: str) -> Suspicion | None:
    """The running suspicion of a member."""
    return node.node._engine.claims.suspicions.get(name)


def is_queued(node: SimNode, name: str, *, intent: bool = False) -> bool:
    """Whether the node has something to tell about a member, or just told it as often as it should."""
    queue = layer(node).queues.intents if intent else context(node).queue
    return name in queue.waiting or name in queue._retired or len(queue) >= queue.max_depth


def is_held(node: SimNode, name: str) -> bool:
    """Whether news of a member waits until the member answers a ping."""
    held = node.node._engine._verify.held
    return name in held or len(held) >= HELD_MAX


def accusers(node: SimNode) -> dict[str, str]:
    """Who said so, by the member whose accusation is on hold; it is answered when that member refutes."""
    accused = node.node._engine._verify.accused
    return {name: held.origin for name, held in accused.items()} if accused else {}


def targets(node: SimNode, now: float) -> list[Record]:
    """The members that a gossip round may go to."""
    context_, patience = context(node), node.config.gossip_to_the_dead_time
    return [
        record
        for record in context_.table
        if record is not context_.local
        and (record.is_live or (record.state is State.DEAD and now - record.changed_at < patience))
    ]


def pending(node: SimNode, now: float) -> Iterator[str]:
    """What is under way, apart from a probe round, and the health score if it is not 0."""
    core = node.node._engine
    for name, running in core.claims.suspicions.items():
        yield f"{name} is suspected since {running.started:.1f} s"
    oldest = now - 2 * node.config.probe_interval * node.config.awareness_max_multiplier
    for what, count in (
        ("claims on hold", len(core._verify.held)),
        ("verdicts on hold", len(core._verify.accused)),
        ("relayed pings", core._responder._relayed),
        ("old pings", sum(ping.sent_at < oldest for ping in core.pings._outstanding.values())),
    ):
        if count:
            yield f"{count} {what}"
    if core.context.awareness.score and core.context.has_peers:
        yield f"a health score of {core.context.awareness.score}"


def read(node: SimNode, packet: Packet) -> list[Message]:
    """The messages that a node got with a packet; none if bits were flipped on the way."""
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
        for message in context(node).packets.open(data):
            with suppress(RemoteError):
                yield decode(message)


def sizes(node: SimNode) -> Iterator[Size]:
    """Everything that has a limit."""
    core, serf, config = node.node._engine, layer(node), node.config
    members = core.context.table
    yield Size("members", len(members), config.max_members)
    yield Size("roster", len(serf.roster), config.max_members)
    yield Size("tombstones", len(members._tombstones), config.max_tombstones)
    yield Size("endpoints", len(members._endpoints), 2 * config.max_members)
    for what, queue in (
        ("broadcasts", core.context.queue),
        ("intents to tell", serf.queues.intents),
        ("events to tell", serf.queues.events),
        ("queries to tell", serf.queues.queries),
    ):
        yield Size(what, len(queue), config.max_queue_depth)
        yield Size(f"retired {what}", len(queue._retired), _RETIRED_MAX)
    yield Size("kept intents", len(serf._members._intents), config.max_intents)
    yield Size("inbound streams", len(core._streams._inbound), config.max_streams)
    yield Size("outbound streams", len(core._streams._outbound), config.max_streams)
    yield Size("held claims", len(core._verify.held), HELD_MAX)
    yield Size("held verdicts", len(core._verify.accused), ACCUSED_MAX)
    yield Size("relayed pings", core._responder._relayed.total(), _RELAYED_MAX)
    yield Size("past members", len(core.rejoining._past), _PAST_MAX)
    most = max(_TIMERS_MIN, _TIMERS_PER_MEMBER * (len(members) + len(serf.roster)))
    yield Size("timers", len(core.context.timers._heap), most)
