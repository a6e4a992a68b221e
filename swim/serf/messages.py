"""Serf's messages: the body of a memberlist user message, as values and as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from swim.errors import InternalError, RemoteError
from swim.serf.msgpack_reader import Reader
from swim.wire.go_msgpack import (
    U8,
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

__all__ = [
    "KEY_QUERIES",
    "ConflictResponse",
    "JoinIntent",
    "KeyResponse",
    "LeaveIntent",
    "Query",
    "QueryResponse",
    "Relayed",
    "SerfMessage",
    "SerfType",
    "UserEvent",
    "crashes_serf",
    "decode_conflict_response",
    "decode_key_request",
    "decode_key_response",
    "decode_serf",
    "encode_conflict_response",
    "encode_key_request",
    "encode_key_response",
    "encode_serf",
]

KEY_QUERIES = tuple(f"_serf_{word}" for word in ("install-key", "use-key", "remove-key", "list-keys"))
"""Names of Serf's key queries."""
_U64 = 0xFFFF_FFFF_FFFF_FFFF
_I64 = 0x7FFF_FFFF_FFFF_FFFF


class SerfType(IntEnum):
    """First byte of a Serf message."""

    LEAVE = 0
    JOIN = 1
    PUSH_PULL = 2
    USER_EVENT = 3
    QUERY = 4
    QUERY_RESPONSE = 5
    CONFLICT_RESPONSE = 6
    KEY_REQUEST = 7
    KEY_RESPONSE = 8
    RELAY = 9


class JoinIntent(NamedTuple):
    """``node`` joined, or refutes a leave intent about itself."""

    ltime: int
    node: str


class LeaveIntent(NamedTuple):
    """``node`` is leaving, or an operator declares so; with ``prune`` it is to be forgotten at once."""

    ltime: int
    node: str
    prune: bool = False


class UserEvent(NamedTuple):
    """An application's event; ``coalesce`` lets receivers keep only the newest of a name."""

    ltime: int
    name: str
    payload: bytes | None
    coalesce: bool = False


class Query(NamedTuple):
    """An application's query; responses go directly to ``addr:port``. ``timeout`` is in nanoseconds."""

    ltime: int
    id: int
    addr: bytes
    port: int
    source_node: str
    filters: tuple[bytes, ...]
    flags: int
    relay_factor: int
    timeout: int
    name: str
    payload: bytes | None


class QueryResponse(NamedTuple):
    """A response (flags 0) or ack (flags bit 0) to the query with this stamp and id."""

    ltime: int
    id: int
    node: str
    flags: int
    payload: bytes | None


class Relayed(NamedTuple):
    """A whole Serf message to be passed on, verbatim, to ``addr:port``."""

    addr: bytes
    port: int
    name: str
    inner: bytes


class ConflictResponse(NamedTuple):
    """The address that the responder has for the member of that name; the payload of a response."""

    addr: bytes
    port: int


class KeyResponse(NamedTuple):
    """The answer to a key query; keys are in base64, and only of a list. Old releases send no primary."""

    result: bool
    message: str = ""
    keys: tuple[str, ...] = ()
    primary: str = ""


SerfMessage = JoinIntent | LeaveIntent | UserEvent | Query | QueryResponse | Relayed


def encode_serf(message: SerfMessage) -> bytes:
    """Type byte and body, as Serf 0.9 writes them."""
    kind, fields = _FIELDS[type(message)](message)
    body = bytes((kind,)) + pack(fields)
    return body + message.inner if isinstance(message, Relayed) else body


def decode_serf(body: bytes, budget: ElementBudget | None = None) -> SerfMessage:
    """Reads a user message.

    Args:
        body: the message, type byte included.
        budget: of the packet it came in.

    Raises:
        RemoteError: ``empty``, ``serf-type`` for a type that is not sent this way, ``msgpack`` for a broken
            body, ``name-size`` for a member's name over 255 bytes, ``elements`` for one that is too complex.
    """
    if not body:
        raise RemoteError("empty")
    if body[0] == SerfType.RELAY:
        return _relay_from(body)
    read = _READERS.get(body[0])
    if read is None:
        raise RemoteError("serf-type", str(body[0]))
    return read(unpack(body[1:], budget))


def encode_conflict_response(member: Mapping[str, Any] | None) -> bytes:
    """The answer to a conflict query: a whole member by Serf's field names, or nil if the name is unknown."""
    return bytes((SerfType.CONFLICT_RESPONSE,)) + (pack(member) if member is not None else b"\xc0")


def decode_conflict_response(payload: bytes | None) -> ConflictResponse:
    """Reads the answer to a conflict query; for an unknown name the address is empty.

    Raises:
        RemoteError: when it is something else.
    """
    if not payload or payload[0] != SerfType.CONFLICT_RESPONSE:
        raise RemoteError("serf-type", "not a conflict response")
    get = struct(unpack(payload[1:]), _MEMBER).get
    return ConflictResponse(raw(get(b"Addr")) or b"", uint(get(b"Port"), U16))


def crashes_serf(query: Query) -> bool:
    """Whether real Serf agents die of a query: of an empty filter, or of a key query without a body."""
    return not all(query.filters) or (query.name in KEY_QUERIES and not query.payload)


def encode_key_request(key: bytes) -> bytes:
    """The payload of a key query, which is never empty: real Serf agents crash of an empty one."""
    return bytes((SerfType.KEY_REQUEST,)) + pack({"Key": key})


def decode_key_request(payload: bytes | None) -> bytes:
    """The key in the payload of a key query.

    Raises:
        RemoteError: the payload is something else.
    """
    if not payload or payload[0] != SerfType.KEY_REQUEST:
        raise RemoteError("serf-type", "not a key request")
    return raw(struct(unpack(payload[1:]), (b"Key",)).get(b"Key")) or b""


def encode_key_response(response: KeyResponse) -> bytes:
    """The payload of the answer to a key query."""
    fields = {
        "Keys": list(response.keys) or None,
        "Message": response.message,
        "PrimaryKey": response.primary,
        "Result": response.result,
    }
    return bytes((SerfType.KEY_RESPONSE,)) + pack(fields)


def decode_key_response(payload: bytes | None) -> KeyResponse:
    """Reads the answer to a key query.

    Raises:
        RemoteError: when it is something else.
    """
    if not payload or payload[0] != SerfType.KEY_RESPONSE:
        raise RemoteError("serf-type", "not a key response")
    get = struct(unpack(payload[1:]), (b"Result", b"Message", b"Keys", b"PrimaryKey")).get
    keys = get(b"Keys") or ()
    if not isinstance(keys, tuple):
        raise RemoteError("msgpack", "Keys is not a list")
    primary = text(get(b"PrimaryKey"))
    return KeyResponse(flag(get(b"Result")), text(get(b"Message")), tuple(map(text, keys)), primary)


def _query_fields(m: Query) -> tuple[int, dict[str, Any]]:
    if crashes_serf(m):
        raise InternalError(f"the query {m.name!r} would crash Serf agents: it is not sent")
    return SerfType.QUERY, {
        "Addr": m.addr,
        "Filters": m.filters or None,
        "Flags": m.flags,
        "ID": m.id,
        "LTime": m.ltime,
        "Name": m.name,
        "Payload": m.payload,
        "Port": m.port,
        "RelayFactor": m.relay_factor,
        "SourceNode": m.source_node,
        "Timeout": m.timeout,
    }


def _response_fields(m: QueryResponse) -> tuple[int, dict[str, Any]]:
    return SerfType.QUERY_RESPONSE, {
        "Flags": m.flags,
        "From": m.node,
        "ID": m.id,
        "LTime": m.ltime,
        "Payload": m.payload,
    }


def _relay_fields(m: Relayed) -> tuple[int, dict[str, Any]]:
    destination = {"IP": m.addr, "Port": m.port, "Zone": ""}
    return SerfType.RELAY, {"DestAddr": destination, "DestName": m.name}


_FIELDS: dict[type, Callable[[Any], tuple[int, dict[str, Any]]]] = {
    JoinIntent: lambda m: (SerfType.JOIN, {"LTime": m.ltime, "Node": m.node}),
    LeaveIntent: lambda m: (SerfType.LEAVE, {"LTime": m.ltime, "Node": m.node, "Prune": m.prune}),
    UserEvent: lambda m: (
        SerfType.USER_EVENT,
        {"CC": m.coalesce, "LTime": m.ltime, "Name": m.name, "Payload": m.payload},
    ),
    Query: _query_fields,
    QueryResponse: _response_fields,
    Relayed: _relay_fields,
}

_MEMBER = (
    b"Name",
    b"Addr",
    b"Port",
    b"Tags",
    b"Status",
    b"ProtocolMin",
    b"ProtocolMax",
    b"ProtocolCur",
    b"DelegateMin",
    b"DelegateMax",
    b"DelegateCur",
)
_QUERY = (
    b"LTime",
    b"ID",
    b"Addr",
    b"Port",
    b"SourceNode",
    b"Filters",
    b"Flags",
    b"RelayFactor",
    b"Timeout",
    b"Name",
    b"Payload",
)


def _join_from(value: object) -> JoinIntent:
    get = struct(value, (b"LTime", b"Node")).get
    return JoinIntent(uint(get(b"LTime"), _U64), name(get(b"Node")))


def _leave_from(value: object) -> LeaveIntent:
    get = struct(value, (b"LTime", b"Node", b"Prune")).get
    return LeaveIntent(uint(get(b"LTime"), _U64), name(get(b"Node")), flag(get(b"Prune")))


def _event_from(value: object) -> UserEvent:
    get = struct(value, (b"LTime", b"Name", b"Payload", b"CC")).get
    return UserEvent(uint(get(b"LTime"), _U64), text(get(b"Name")), raw(get(b"Payload")), flag(get(b"CC")))


def _query_from(value: object) -> Query:
    get = struct(value, _QUERY).get
    filters = get(b"Filters") or ()
    if not isinstance(filters, tuple):
        raise RemoteError("msgpack", "Filters is not a list")
    return Query(
        uint(get(b"LTime"), _U64),
        uint(get(b"ID"), U32),
        raw(get(b"Addr")) or b"",
        uint(get(b"Port"), U16),
        name(get(b"SourceNode")),
        tuple(raw(item) or b"" for item in filters),
        uint(get(b"Flags"), U32),
        uint(get(b"RelayFactor"), U8),
        uint(get(b"Timeout"), _I64),
        text(get(b"Name")),
        raw(get(b"Payload")),
    )


def _response_from(value: object) -> QueryResponse:
    get = struct(value, (b"LTime", b"ID", b"From", b"Flags", b"Payload")).get
    return QueryResponse(
        uint(get(b"LTime"), _U64),
        uint(get(b"ID"), U32),
        name(get(b"From")),
        uint(get(b"Flags"), U32),
        raw(get(b"Payload")),
    )


def _relay_from(body: bytes) -> Relayed:
    reader = Reader(body[1:])
    header = struct(reader.value(), (b"DestAddr", b"DestName"))
    destination = struct(header.get(b"DestAddr"), (b"IP", b"Port", b"Zone"))
    addr = raw(destination.get(b"IP")) or b""
    if len(addr) not in (4, 16):
        raise RemoteError("msgpack", "relay address")
    return Relayed(
        addr, uint(destination.get(b"Port"), U16), name(header.get(b"DestName")), body[1 + reader.position :]
    )


_READERS: dict[int, Callable[[object], SerfMessage]] = {
    int(SerfType.LEAVE): _leave_from,
    int(SerfType.JOIN): _join_from,
    int(SerfType.USER_EVENT): _event_from,
    int(SerfType.QUERY): _query_from,
    int(SerfType.QUERY_RESPONSE): _response_from,
}
