"""The only place where checkers look inside a node. They read; they change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from swim.core.context import Context
from swim.core.member import Record
from swim.core.suspicion import Suspicion
from swim.core.table import Table
from swim.errors import RemoteError
from swim.serf.delegate import SerfDelegate
from swim.serf.member_list import Entry, Roster
from swim.wire.codec import decode
from swim.wire.keyring import Keyring
from swim.wire.messages import Message

if TYPE_CHECKING:
    from sims.world.host import SimNode

__all__ = [
    "Size",
    "context",
    "entry",
    "is_held",
    "is_queued",
    "keyring",
    "layer",
    "messages",
    "record",
    "roster",
    "sizes",
    "suspicion",
    "table",
]

_RETIRED_MAX = 2048
_HELD_MAX = 4096
_VERDICTS_MAX = 16
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
    held = node.node._engine._verifier._held
    return name in held or len(held) >= _HELD_MAX


def messages(node: SimNode, data: bytes) -> list[Message]:
    """The messages in a packet that this node sent."""
    found = []
    for message in context(node).packets.open(data):
        try:
            found.append(decode(message))
        except RemoteError:
            continue
    return found


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
    yield Size("kept intents", len(serf._status._intents), config.max_intents)
    yield Size("inbound streams", len(core._streams._inbound), config.max_streams)
    yield Size("outbound streams", len(core._streams._outbound), config.max_streams)
    yield Size("held claims", len(core._verifier._held), _HELD_MAX)
    yield Size("held verdicts", len(core._second_look._looks), _VERDICTS_MAX)
    yield Size("relayed pings", core._responder._relayed, _RELAYED_MAX)
    yield Size("past members", len(core.rejoining._past), _PAST_MAX)
    most = max(_TIMERS_MIN, _TIMERS_PER_MEMBER * (len(members) + len(serf.roster)))
    yield Size("timers", len(core.context.timers._heap), most)
