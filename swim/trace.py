"""What happened in a cluster, as JSON lines: the same records from the simulator and from real nodes.

The first line describes how the run was made. Every other line is a packet sent or received, a step of a
stream, a transition in a node's view, or a fault. ``docs/traces.md`` lists the fields. A record has exactly
one encoding: keys in order, no spaces, seconds as whole microseconds, ASCII. So equal runs give equal bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from swim import events
from swim.addresses import join_host_port
from swim.config import Config
from swim.core.member import State, endpoint_of
from swim.errors import RemoteError
from swim.events import Event, EventsLost, Member, MemberEvent, MemberReaped
from swim.keyrings import fingerprint
from swim.metrics import Metrics
from swim.serf.keys import key_in, keys_in
from swim.serf.messages import (
    KEY_QUERIES,
    JoinIntent,
    LeaveIntent,
    Query,
    QueryResponse,
    Relayed,
    UserEvent,
    decode_serf,
)
from swim.serf.push_pull import decode_state
from swim.serf.tags import decode_tags
from swim.version import __version__
from swim.wire.codec import decode
from swim.wire.keyring import KEYS_MAX, Keyring
from swim.wire.messages import (
    Ack,
    Alive,
    BroadcastHeader,
    Dead,
    Delivery,
    ErrorReply,
    IndirectPing,
    Inquiry,
    Nack,
    NodeRecord,
    Ping,
    PushPull,
    Suspect,
    User,
)
from swim.wire.packet import PacketCodec, WireFactory
from swim.wire.stream import StreamCodec, StreamParser

__all__ = ["FORMAT", "Reader", "Record", "encode", "event_record", "header", "plain", "seconds", "state_word"]

FORMAT = 1
"""Version of the records; another one is not read."""

Record = dict[str, Any]
"""One line, decoded."""

_TYPES: dict[type, str] = {
    Ping: "ping",
    IndirectPing: "indirect-ping",
    Ack: "ack",
    Nack: "nack",
    ErrorReply: "error",
    Suspect: "suspect",
    Alive: "alive",
    Dead: "dead",
    PushPull: "push-pull",
    User: "user",
    Inquiry: "inquiry",
    Delivery: "delivery",
    BroadcastHeader: "broadcast-header",
    JoinIntent: "join-intent",
    LeaveIntent: "leave-intent",
    UserEvent: "user-event",
    Query: "query",
    QueryResponse: "query-response",
    Relayed: "relayed",
}
_KINDS: dict[type, str] = {
    events.UserEvent: "user-event",
    events.Query: "query",
    events.UserMessage: "user-message",
    EventsLost: "events-lost",
}
_ADDRESSES = ("addr", "source_addr", "target")

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def encode(record: Mapping[str, Any]) -> str:
    """A record as its line, newline included."""
    return _encode(record) + "\n"


def header(seed: int, made: Mapping[str, Any], level: str) -> Record:
    """The first line.

    Args:
        seed: of the run.
        made: how to make the run again, plain JSON (``sims.replay``); its numbers are kept unchanged.
        level: ``all``, or ``events`` for transitions and faults only.
    """
    return {
        "format": FORMAT,
        "kind": "trace",
        "level": level,
        "made": made,
        "seed": seed,
        "swim": __version__,
    }


def seconds(at: float) -> float:
    """A time as records hold it, in whole microseconds."""
    return round(at, 6)


def state_word(member: Member | None) -> str:
    """A member's state in a view: its status, ``suspect``, or ``unknown``."""
    if member is None:
        return "unknown"
    return member.state.value


def event_record(at: float, node: str, event: Event) -> Record:
    """What ``node`` reported to its application: a transition and its reason, or what another one sent."""
    if not isinstance(event, MemberEvent):
        shown = {each.name: plain(getattr(event, each.name)) for each in fields(event)}
        shown.pop("deadline", None)  # on a clock of the node's own
        return {**shown, "at": seconds(at), "kind": _KINDS[type(event)], "node": node}
    member, reason = event.member, event.reason
    record: Record = {
        "after": "reaped" if isinstance(event, MemberReaped) else state_word(member),
        "at": seconds(at),
        "before": state_word(event.previous),
        "cause": reason.cause,
        "event": type(event).__name__.removeprefix("Member").lower(),
        "incarnation": member.incarnation,
        "kind": "event",
        "member": member.name,
        "node": node,
        "sequence": event.sequence,
    }
    if reason.accuser:
        record["accuser"] = reason.accuser
    if reason.detail:
        record["detail"] = reason.detail
    before = event.previous
    if before is None or (before.address, before.port) != (member.address, member.port):
        record["address"] = join_host_port(member.address, member.port)
    if member.tags != (before.tags if before is not None else {}):
        record["tags"] = dict(member.tags)
    return record


def plain(value: object) -> Any:
    """Any value as JSON, the same on every machine; a value without a JSON form becomes its type's name."""
    match value:
        case None | bool() | int() | str():
            return value.value if isinstance(value, Enum) else value
        case float():
            return round(value, 6) if math.isfinite(value) else str(value)
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Set():
            return sorted((plain(item) for item in value), key=str)
        case Sequence():
            return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.repr}
        return {"type": type(value).__name__, **shown}
    return f"<{type(value).__name__}>"


class Reader:
    """Reads what one node sends, with that node's own label and keys.

    What was encrypted before its key was removed may be read after that, so removed keys are kept.

    Args:
        config: of the sending node.
        keyring: of the sending node; its changes are followed.
        wire: how the sending node encodes packets.
    """

    __slots__ = ("_config", "_followed", "_keyring", "_keys", "_metrics", "_packets", "_streams", "_wire")

    def __init__(self, config: Config, keyring: Keyring, *, wire: WireFactory = PacketCodec) -> None:
        self._config = config
        self._wire = wire
        self._keyring = keyring
        self._keys: tuple[bytes, ...] = ()
        self._metrics = Metrics()
        self._follow()

    def _follow(self) -> None:
        """Prepares for the keys that the keyring has now, and the latest of those that it had."""
        self._followed = self._keyring.fingerprints
        self._keys = tuple(dict.fromkeys((*self._keyring.keys, *self._keys)))[:KEYS_MAX]
        keys = Keyring(self._keys)
        self._packets = self._wire(self._config, keys, _no_nonce)
        self._streams = StreamCodec(self._config, keys, _no_nonce)

    @property
    def _speaks_serf(self) -> bool:
        return self._config.delegate_version > 0

    def packet(self, data: bytes) -> list[Record]:
        """The messages of a packet by type and field names; an unreadable one as hex."""
        if self._keyring.fingerprints is not self._followed:
            self._follow()
        before = self._metrics.drops
        try:
            messages = self._packets.open(data, self._metrics)
        except RemoteError as error:
            return [_unreadable(data, error)]
        shown = [_message(message, self._speaks_serf) for message in messages]
        if self._metrics.drops != before:
            shown.append({"hex": data.hex(), "type": "unreadable", "why": "broken part"})
        return shown

    def stream(self, data: bytes, *, dialler: bool) -> Record:
        """The one message of one direction of a stream, whole.

        Args:
            data: all bytes of that direction.
            dialler: whether the dialling side sent it.
        """
        if self._keyring.fingerprints is not self._followed:
            self._follow()
        try:
            message = StreamParser(self._streams, acceptor=dialler).feed(data)
        except RemoteError as error:
            return _unreadable(data, error)
        if message is None:
            return _unreadable(data, RemoteError("truncated"))
        if isinstance(message, PushPull):
            return _push_pull(message, self._speaks_serf)
        return _shown(message, self._speaks_serf)


def _no_nonce() -> bytes:
    raise AssertionError("a reader does not encrypt")


def _unreadable(data: bytes, error: RemoteError) -> Record:
    return {"hex": data.hex(), "type": "unreadable", "why": error.reason}


@lru_cache(maxsize=1 << 14)
def _message(data: bytes, speaks_serf: bool) -> Record:
    """Cached, since the same claims are sent many times; the results must not be changed."""
    try:
        return _shown(decode(data), speaks_serf)
    except RemoteError as error:
        return _unreadable(data, error)


def _shown(message: Any, speaks_serf: bool) -> Record:
    """Fields that are empty are left out."""
    if isinstance(message, User) and speaks_serf:
        try:
            message = decode_serf(message.body)
        except RemoteError as error:
            return _unreadable(message.body, error)
    record: Record = {"type": _TYPES[type(message)]}
    keys = _keys_in(message)
    for name, value in message._asdict().items():
        if name != "payload" or not keys:
            _add(record, name, value)
    if keys:
        record["keys"] = list(map(fingerprint, keys))
    if isinstance(message, Relayed):
        record["inner"] = _shown(User(message.inner), speaks_serf=True)
    return record


def _keys_in(message: Any) -> tuple[bytes, ...]:
    """The gossip keys in a key query or in an answer to one, which are shown as fingerprints only."""
    match message:
        case Query() if message.name in KEY_QUERIES:
            return (key_in(message.payload or b""),)
        case QueryResponse():
            return keys_in(message.payload or b"")
    return ()


def _add(record: Record, name: str, value: Any) -> None:
    if value in ("", b"", None, ()):
        return
    if name == "meta":
        if tags := decode_tags(value):
            record["tags"] = tags
    elif name == "vsn":
        record[name] = list(value)
    elif isinstance(value, bytes):
        is_address = name in _ADDRESSES and len(value) in (4, 16)
        record[name] = endpoint_of(value, 0)[0] if is_address else value.hex()
    else:
        record[name] = plain(value)


def _push_pull(message: PushPull, speaks_serf: bool) -> Record:
    record: Record = {
        "join": message.join,
        "records": [_record(entry) for entry in message.records],
        "type": "push-pull",
    }
    if message.user_state:
        try:
            if not speaks_serf:
                raise RemoteError("serf-state")
            record["state"] = plain(decode_state(message.user_state)._asdict())
        except RemoteError:
            record["state"] = message.user_state.hex()
    return record


def _record(entry: NodeRecord) -> Record:
    shown: Record = {}
    for name, value in entry._asdict().items():
        _add(shown, name, value)
    shown["state"] = State(entry.state).name.lower()
    return shown
