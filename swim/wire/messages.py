"""memberlist's messages as values. Field names are ours; ``codec`` maps them to the wire's names.

Text is ``str`` decoded as UTF-8 with ``surrogateescape``, so any byte string survives a round trip.
Addresses are raw IP bytes (4 or 16) exactly as received: peers compare them byte for byte.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = [
    "Ack",
    "Alive",
    "BroadcastHeader",
    "Dead",
    "Delivery",
    "ErrorReply",
    "IndirectPing",
    "Inquiry",
    "Message",
    "MessageType",
    "Nack",
    "NodeRecord",
    "Ping",
    "PushPull",
    "StreamMessage",
    "Suspect",
    "User",
]


class MessageType(IntEnum):
    """First byte of a message (and of a layer: compound, compress, encrypt, CRC, label)."""

    PING = 0
    INDIRECT_PING = 1
    ACK = 2
    SUSPECT = 3
    ALIVE = 4
    DEAD = 5
    PUSH_PULL = 6
    COMPOUND = 7
    USER = 8
    COMPRESS = 9
    ENCRYPT = 10
    NACK = 11
    CRC = 12
    ERROR = 13
    LABEL = 244


class Ping(NamedTuple):
    """Asks ``node`` for an ack. Empty ``source_addr``/zero ``source_port``: reply to the packet's source."""

    seq_no: int
    node: str
    source_addr: bytes = b""
    source_port: int = 0
    source_node: str = ""


class IndirectPing(NamedTuple):
    """Asks a relay to ping ``target:port`` (named ``node``) on the sender's behalf."""

    seq_no: int
    target: bytes
    port: int
    node: str
    nack: bool
    source_addr: bytes = b""
    source_port: int = 0
    source_node: str = ""


class Ack(NamedTuple):
    """Answers a ping with the same ``seq_no``; ``payload`` belongs to the delegate (Serf: a coordinate)."""

    seq_no: int
    payload: bytes | None = None


class Nack(NamedTuple):
    """A relay's report that it is alive but got no ack from the target in time."""

    seq_no: int


class ErrorReply(NamedTuple):
    """Stream only: why the acceptor could not read the request."""

    error: str


class Suspect(NamedTuple):
    """Claim: ``accuser`` failed to reach ``node`` at ``incarnation``."""

    incarnation: int
    node: str
    accuser: str


class Alive(NamedTuple):
    """Claim: ``node`` is alive at ``incarnation``, reachable at ``addr:port``, with ``meta`` and ``vsn``."""

    incarnation: int
    node: str
    addr: bytes
    port: int
    meta: bytes | None
    vsn: bytes


class Dead(NamedTuple):
    """Claim: ``node`` is dead; with ``accuser == node`` it has left."""

    incarnation: int
    node: str
    accuser: str


class NodeRecord(NamedTuple):
    """One member in a push/pull. ``state``: 0 alive, 1 suspect, 2 dead, 3 left."""

    name: str
    addr: bytes
    port: int
    meta: bytes | None
    incarnation: int
    state: int
    vsn: bytes


class PushPull(NamedTuple):
    """Full state: every record of the sender's table, then the delegate's opaque state."""

    join: bool
    records: tuple[NodeRecord, ...]
    user_state: bytes = b""


class User(NamedTuple):
    """Opaque bytes for the delegate (Serf's messages are sent in these)."""

    body: bytes


class Inquiry(NamedTuple):
    """swim, stream only: a ping that asks whether ``node`` reads deliveries and has the life it had then.

    The ack's payload answers (``wire.user_messages``); other programs' acks have none.
    """

    seq_no: int
    node: str
    source: str
    incarnation: int


class Delivery(NamedTuple):
    """swim, stream only: an application's message to one ``life`` of the node ``target``."""

    source: str
    target: str
    life: bytes
    id: bytes
    body: bytes


class BroadcastHeader(NamedTuple):
    """swim, packet only: the next user message in the packet, of this checksum, is a copy of a broadcast."""

    checksum: int
    source: str
    id: bytes


Message = (
    Ping
    | IndirectPing
    | Ack
    | Nack
    | ErrorReply
    | Suspect
    | Alive
    | Dead
    | PushPull
    | User
    | Inquiry
    | Delivery
    | BroadcastHeader
)

StreamMessage = PushPull | User | Ping | Ack | ErrorReply | Inquiry | Delivery
"""What a stream carries."""
