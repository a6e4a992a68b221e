"""What swim adds to memberlist's messages, so that messages of applications have a sender and come once.

Every addition is one field, ``Swim``, which memberlist's decoders pass over: a peer that does not know it
takes the ping for a ping, and the user message for a user message. So nothing here disturbs such a peer.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple
from zlib import crc32

from swim.errors import RemoteError
from swim.wire.compound import pack as compound
from swim.wire.go_msgpack import U32, Fields, name, pack, raw, struct, uint
from swim.wire.messages import BroadcastHeader, Delivery, Inquiry, User

__all__ = [
    "ID_BYTES",
    "LIFE_BYTES",
    "Answer",
    "AnswerKind",
    "broadcast_header_from",
    "encode_answer",
    "encode_broadcast",
    "encode_delivery",
    "encode_inquiry",
    "inquiry_from",
    "read_answer",
    "user_header_from",
]

ID_BYTES = 12
LIFE_BYTES = 8
_GO_INT_MAX = 2**63 - 1
_KEY = b"Swim"
_INQUIRY = (b"Incarnation",)
_DELIVERY = (b"From", b"ID", b"Len", b"Life", b"To")
_HEADER = (b"CRC", b"From", b"ID")


class AnswerKind(IntEnum):
    """What a node says to an inquiry or a delivery: the first byte of its ack's payload."""

    READY = 0
    """Messages are taken; the life follows."""
    DELIVERED = 1
    """The application has it."""
    RESTARTED = 2
    """That life is over."""
    LEFT = 3
    """The node has left, or is leaving."""
    REFUSED = 4
    """Too much came from this host lately."""


class Answer(NamedTuple):
    """An answer; ``life`` is that of the answering node, if it is ready."""

    kind: AnswerKind
    life: bytes = b""


def encode_inquiry(message: Inquiry) -> bytes:
    """A ping, type byte included, with a question."""
    seq_no, node, source, incarnation = message
    fields = {"Node": node, "SeqNo": seq_no, "SourceNode": source, "Swim": {"Incarnation": incarnation}}
    return b"\x00" + pack(fields)


def inquiry_from(value: object) -> Inquiry | None:
    """Reads a ping on a stream; None if it does not ask.

    Raises:
        RemoteError: ``msgpack``, for a field that does not fit its type.
    """
    fields = struct(value, ())
    asked = _addition(fields, _INQUIRY)
    if asked is None:
        return None
    get = fields.get
    return Inquiry(
        uint(get(b"SeqNo"), U32),
        name(get(b"Node")),
        name(get(b"SourceNode")),
        uint(asked.get(b"Incarnation"), U32),
    )


def encode_answer(kind: AnswerKind, life: bytes = b"") -> bytes:
    """The payload of the ack that answers."""
    return bytes((kind,)) + life


def read_answer(payload: bytes | None) -> Answer | None:
    """Reads such a payload; None if the peer does not know the question.

    Raises:
        RemoteError: ``answer``, for an unknown one.
    """
    if not payload:
        return None
    try:
        kind = AnswerKind(payload[0])
    except ValueError:
        raise RemoteError("answer", str(payload[0])) from None
    life = payload[1:]
    if len(life) != (LIFE_BYTES if kind is AnswerKind.READY else 0):
        raise RemoteError("answer", f"a life of {len(life)} bytes")
    return Answer(kind, life)


def encode_delivery(message: Delivery, *, for_memberlist: bool) -> bytes:
    """A user message in its stream form, type byte included.

    Args:
        message: the message.
        for_memberlist: a peer that does not know deliveries takes the body for a user message. Otherwise
            it sees one without a body, which memberlist ignores.
    """
    source, target, life, id, body = message
    addition = {"From": source, "ID": id, "Len": len(body), "Life": life, "To": target}
    length = len(body) if for_memberlist else 0
    return b"".join((b"\x08", pack({"Swim": addition, "UserMsgLen": length}), body))


def user_header_from(value: object) -> tuple[User | Delivery, int]:
    """Reads the header of a user message on a stream: the message without its body, and the body's length.

    Raises:
        RemoteError: ``msgpack``, for a field that does not fit its type; ``name-size``.
    """
    fields = struct(value, (b"UserMsgLen",))
    addition = _addition(fields, _DELIVERY)
    if addition is None:
        return User(b""), uint(fields.get(b"UserMsgLen"), _GO_INT_MAX)
    get = addition.get
    id, life = raw(get(b"ID")) or b"", raw(get(b"Life")) or b""
    if len(id) != ID_BYTES or len(life) != LIFE_BYTES:
        raise RemoteError("msgpack", "ID or Life of a delivery")
    return Delivery(name(get(b"From")), name(get(b"To")), life, id, b""), uint(get(b"Len"), U32)


def encode_broadcast(id: bytes, source: str, payload: bytes) -> bytes:
    """A broadcast in a plain memberlist pool: a compound of its header and a user message.

    The header is a nack that no memberlist node waits for, since it has the sequence number 0.
    """
    header = {"SeqNo": 0, "Swim": {"CRC": crc32(payload), "From": source, "ID": id}}
    return compound([b"\x0b" + pack(header), b"\x08" + payload])


def broadcast_header_from(fields: Fields) -> BroadcastHeader | None:
    """Reads the fields of a nack; None if it is one.

    Raises:
        RemoteError: ``msgpack``, for a field that does not fit its type; ``name-size``.
    """
    addition = _addition(fields, _HEADER)
    if addition is None:
        return None
    get = addition.get
    id = raw(get(b"ID")) or b""
    if len(id) != ID_BYTES:
        raise RemoteError("msgpack", "ID of a broadcast")
    return BroadcastHeader(uint(get(b"CRC"), U32), name(get(b"From")), id)


def _addition(fields: Fields, order: tuple[bytes, ...]) -> Any:
    value = fields.get(_KEY)
    return None if value is None else struct(value, order)
