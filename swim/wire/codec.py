"""Messages to bytes and back, byte for byte as memberlist writes them.

memberlist's two msgpack libraries differ in the signed fields ``Nodes``, ``UserStateLen``, ``UserMsgLen``
and ``State`` from 128 on; peers of both kinds read both forms. ``encode`` writes the unsigned, older and
shorter one (memberlist up to 0.5.0).

Reading is as liberal as memberlist 0.6 about encodings (see ``go_msgpack``) and stricter about content: a
member that no peer could use, or that would make every push/pull of its neighbours fail, is refused on
receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from swim.errors import RemoteError
from swim.wire.go_msgpack import (
    NAME_MAX_BYTES,
    U16,
    U32,
    ElementBudget,
    flag,
    name,
    pack,
    raw,
    struct,
    text,
    uint,
    unpack,
)
from swim.wire.messages import (
    Ack,
    Alive,
    BroadcastHeader,
    Dead,
    ErrorReply,
    IndirectPing,
    Message,
    MessageType,
    Nack,
    NodeRecord,
    Ping,
    PushPull,
    Suspect,
    User,
)
from swim.wire.user_messages import broadcast_header_from

__all__ = [
    "CACHED_MAX_BYTES",
    "META_MAX_BYTES",
    "PACKET_TYPES",
    "ack_from",
    "decode",
    "encode",
    "encode_push_pull",
    "encode_record",
    "encode_user_stream",
    "error_from",
    "ping_from",
    "push_pull_header_from",
    "record_from",
]

META_MAX_BYTES = 512
"""Largest metadata of a member; memberlist enforces it at the sender only."""
CACHED_MAX_BYTES = 1024
"""Longest encoded claim or record that is cached; one with a full name and metadata fits."""
ERROR_MAX_CHARACTERS = 512
"""Most characters kept of the text of an error reply."""

_GO_INT_MAX = 2**63 - 1


def encode(message: Message) -> bytes:
    """One whole message: type byte and body. A ``User`` takes its packet form (see ``encode_user_stream``).

    Raises:
        LocalError: a text cannot be encoded. Nothing was sent.
    """
    return _ENCODERS[type(message)](message)


def encode_user_stream(body: bytes) -> bytes:
    """A user message in its stream form: a length header, then the raw body."""
    return b"\x08" + pack({"UserMsgLen": len(body)}) + body


def decode(data: bytes, budget: ElementBudget | None = None) -> Message:
    """Reads one message of a packet, without its outer layers.

    Args:
        data: the message, type byte included.
        budget: of the packet it came in.

    Raises:
        RemoteError: ``empty``; ``unknown-type`` for a type not allowed in packets; ``msgpack`` for a body
            that memberlist would not decode either; ``elements`` for one that is too complex; ``name-size``
            for a name over 255 bytes; ``bad-alive`` for an unusable member (``record_from``).
    """
    if not data:
        raise RemoteError("empty")
    kind = data[0]
    if kind in _CLAIMS and len(data) <= CACHED_MAX_BYTES:
        return _decode_claim(data)
    read = _PACKET_READERS.get(kind)
    if read is not None:
        return read(unpack(data[1:], budget))
    if kind == MessageType.USER:
        return User(data[1:])
    raise RemoteError("unknown-type", f"{kind} in a packet")


# -- writing


def _encode_ping(message: Ping) -> bytes:
    seq_no, node, source_addr, source_port, source_node = message
    fields: dict[str, Any] = {"Node": node, "SeqNo": seq_no}
    _add_source(fields, source_addr, source_port, source_node)
    return b"\x00" + pack(fields)


def _encode_indirect_ping(message: IndirectPing) -> bytes:
    seq_no, target, port, node, nack, source_addr, source_port, source_node = message
    fields: dict[str, Any] = {"Nack": nack, "Node": node, "Port": port, "SeqNo": seq_no}
    _add_source(fields, source_addr, source_port, source_node)
    fields["Target"] = target
    return b"\x01" + pack(fields)


def _add_source(fields: dict[str, Any], addr: bytes, port: int, node: str) -> None:
    if addr:
        fields["SourceAddr"] = addr
    if node:
        fields["SourceNode"] = node
    if port:
        fields["SourcePort"] = port


def _encode_ack(message: Ack) -> bytes:
    seq_no, payload = message
    return b"\x02" + pack({"Payload": payload, "SeqNo": seq_no})


def _encode_nack(message: Nack) -> bytes:
    return b"\x0b" + pack({"SeqNo": message.seq_no})


def _encode_error(message: ErrorReply) -> bytes:
    return b"\x0d" + pack({"Error": message.error})


def _encode_accusation(type_byte: bytes, message: Suspect | Dead) -> bytes:
    incarnation, node, accuser = message
    return type_byte + pack({"From": accuser, "Incarnation": incarnation, "Node": node})


def _encode_alive(message: Alive) -> bytes:
    incarnation, node, addr, port, meta, vsn = message
    fields = {"Addr": addr, "Incarnation": incarnation, "Meta": meta, "Node": node, "Port": port, "Vsn": vsn}
    return b"\x04" + pack(fields)


def encode_record(record: NodeRecord) -> bytes:
    """One record of a push/pull.

    Raises:
        LocalError: a text cannot be encoded. Nothing was sent.
    """
    name, addr, port, meta, incarnation, state, vsn = record
    return pack(
        {
            "Addr": addr,
            "Incarnation": incarnation,
            "Meta": meta,
            "Name": name,
            "Port": port,
            "State": state,
            "Vsn": vsn,
        }
    )


def encode_push_pull(join: bool, count: int, records: bytes, user_state: bytes) -> bytes:
    """A push/pull whose ``count`` records were encoded before, one after another."""
    header = pack({"Join": join, "Nodes": count, "UserStateLen": len(user_state)})
    return b"".join((b"\x06", header, records, user_state))


def _encode_push_pull(message: PushPull) -> bytes:
    join, records, user_state = message
    return encode_push_pull(join, len(records), b"".join(map(encode_record, records)), user_state)


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    Ping: _encode_ping,
    IndirectPing: _encode_indirect_ping,
    Ack: _encode_ack,
    Suspect: lambda message: _encode_accusation(b"\x03", message),
    Alive: _encode_alive,
    Dead: lambda message: _encode_accusation(b"\x05", message),
    PushPull: _encode_push_pull,
    User: lambda message: b"\x08" + message.body,
    Nack: _encode_nack,
    ErrorReply: _encode_error,
}

# -- reading: each function takes one unpacked msgpack value

_PING = (b"SeqNo", b"Node", b"SourceAddr", b"SourcePort", b"SourceNode")
_INDIRECT_PING = (b"SeqNo", b"Target", b"Port", b"Node", b"Nack", b"SourceAddr", b"SourcePort", b"SourceNode")
_ACK = (b"SeqNo", b"Payload")
_ACCUSATION = (b"Incarnation", b"Node", b"From")
_ALIVE = (b"Incarnation", b"Node", b"Addr", b"Port", b"Meta", b"Vsn")
_RECORD = (b"Name", b"Addr", b"Port", b"Meta", b"Incarnation", b"State", b"Vsn")


def ping_from(value: object) -> Ping:
    """A ping from its unpacked body.

    Raises:
        RemoteError: ``msgpack``, for a field that does not fit its type.
    """
    get = struct(value, _PING).get
    return Ping(
        uint(get(b"SeqNo"), U32),
        name(get(b"Node")),
        raw(get(b"SourceAddr")) or b"",
        uint(get(b"SourcePort"), U16),
        name(get(b"SourceNode")),
    )


def _indirect_ping_from(value: object) -> IndirectPing:
    get = struct(value, _INDIRECT_PING).get
    return IndirectPing(
        uint(get(b"SeqNo"), U32),
        raw(get(b"Target")) or b"",
        uint(get(b"Port"), U16),
        name(get(b"Node")),
        flag(get(b"Nack")),
        raw(get(b"SourceAddr")) or b"",
        uint(get(b"SourcePort"), U16),
        name(get(b"SourceNode")),
    )


def ack_from(value: object) -> Ack:
    """An ack from its unpacked body.

    Raises:
        RemoteError: ``msgpack``, for a field that does not fit its type.
    """
    get = struct(value, _ACK).get
    return Ack(uint(get(b"SeqNo"), U32), raw(get(b"Payload")))


def _nack_from(value: object) -> Nack | BroadcastHeader:
    fields = struct(value, (b"SeqNo",))
    return broadcast_header_from(fields) or Nack(uint(fields.get(b"SeqNo"), U32))


def error_from(value: object) -> ErrorReply:
    """An error reply from its unpacked body.

    Raises:
        RemoteError: ``msgpack``, for a field that does not fit its type.
    """
    return ErrorReply(text(struct(value, (b"Error",)).get(b"Error"))[:ERROR_MAX_CHARACTERS])


def _suspect_from(value: object) -> Suspect:
    get = struct(value, _ACCUSATION).get
    return Suspect(uint(get(b"Incarnation"), U32), name(get(b"Node")), name(get(b"From")))


def _dead_from(value: object) -> Dead:
    get = struct(value, _ACCUSATION).get
    return Dead(uint(get(b"Incarnation"), U32), name(get(b"Node")), name(get(b"From")))


def _alive_from(value: object) -> Alive:
    get = struct(value, _ALIVE).get
    incarnation, node, port = uint(get(b"Incarnation"), U32), text(get(b"Node")), uint(get(b"Port"), U16)
    addr, meta, vsn = raw(get(b"Addr")) or b"", raw(get(b"Meta")), raw(get(b"Vsn")) or b""
    _check_member("bad-alive", node, addr, meta, vsn)
    return Alive(incarnation, node, addr, port, meta, vsn[:6])


def record_from(value: object) -> NodeRecord:
    """One member of a push/pull from its unpacked value.

    Raises:
        RemoteError: ``msgpack``, for a field that does not fit its type (memberlist then drops the whole
            push/pull); ``bad-record``, for a member well encoded but unusable: empty or overlong name,
            address of neither 4 nor 16 bytes, metadata over 512 bytes, ``Vsn`` short or with a current
            protocol outside its own range, state outside 0..3.
    """
    get = struct(value, _RECORD).get
    node, port, incarnation = text(get(b"Name")), uint(get(b"Port"), U16), uint(get(b"Incarnation"), U32)
    addr, meta, vsn = raw(get(b"Addr")) or b"", raw(get(b"Meta")), raw(get(b"Vsn")) or b""
    state = get(b"State") or 0
    if type(state) is not int:
        raise RemoteError("msgpack", "State is not an integer")
    if not 0 <= state <= 3:
        raise RemoteError("bad-record", f"state {state}")
    _check_member("bad-record", node, addr, meta, vsn)
    return NodeRecord(node, addr, port, meta, incarnation, state, vsn[:6])


def push_pull_header_from(value: object) -> tuple[int, int, bool]:
    """Number of records, bytes of user state and the join flag that open a push/pull.

    Raises:
        RemoteError: ``msgpack``, also for a negative number (memberlist before 0.6 crashes on one).
    """
    get = struct(value, (b"Nodes", b"UserStateLen", b"Join")).get
    nodes, user_state_len = uint(get(b"Nodes"), _GO_INT_MAX), uint(get(b"UserStateLen"), _GO_INT_MAX)
    return nodes, user_state_len, flag(get(b"Join"))


def _check_member(reason: str, node: str, addr: bytes, meta: bytes | None, vsn: bytes) -> None:
    """memberlist stores what is refused here; its peers then crash or reject each other's push/pulls."""
    name_bytes = len(node) if node.isascii() else len(node.encode("utf-8", "surrogateescape"))
    if not 0 < name_bytes <= NAME_MAX_BYTES:
        raise RemoteError(reason, f"name of {name_bytes} bytes")
    if len(addr) not in (4, 16):
        raise RemoteError(reason, f"address of {len(addr)} bytes")
    if meta is not None and len(meta) > META_MAX_BYTES:
        raise RemoteError(reason, f"metadata of {len(meta)} bytes")
    if len(vsn) < 6 or not 1 <= vsn[0] <= vsn[2] <= vsn[1]:
        raise RemoteError(reason, f"versions {vsn[:6].hex()}")


_PACKET_READERS: dict[int, Callable[[object], Message]] = {
    int(MessageType.PING): ping_from,
    int(MessageType.INDIRECT_PING): _indirect_ping_from,
    int(MessageType.ACK): ack_from,
    int(MessageType.SUSPECT): _suspect_from,
    int(MessageType.ALIVE): _alive_from,
    int(MessageType.DEAD): _dead_from,
    int(MessageType.NACK): _nack_from,
}

_CLAIMS = frozenset((int(MessageType.SUSPECT), int(MessageType.ALIVE), int(MessageType.DEAD)))


@lru_cache(maxsize=1 << 12)
def _decode_claim(data: bytes) -> Message:
    """Cached, since gossip brings every claim many times."""
    return _PACKET_READERS[data[0]](unpack(data[1:]))


PACKET_TYPES = frozenset({*_PACKET_READERS, int(MessageType.USER)})
"""Type bytes of the messages a packet may carry once its layers are off."""
