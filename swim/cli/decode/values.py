"""The fields of messages, to show: addresses, versions, tags and coordinates are read, keys left out."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from swim.errors import RemoteError
from swim.serf.coordinates import decode_coordinate
from swim.serf.messages import ConflictResponse, SerfType, decode_conflict_response
from swim.serf.query_filters import FilterType
from swim.serf.tags import decode_tags
from swim.wire.go_msgpack import struct, text, unpack

__all__ = ["fields_of"]

_ADDRESSES = ("addr", "target", "source_addr")
_STATES = ("alive", "suspect", "dead", "left")
_KEY_QUERIES = ("_serf_install-key", "_serf_use-key", "_serf_remove-key")
_SECRET = "not shown: it contains a gossip key"


def fields_of(message: Any) -> dict[str, Any]:
    """The fields of any message of ``swim.wire`` or ``swim.serf``, by their names there.

    Bytes stay bytes; a part that cannot be read further stays as it is.
    """
    fields: dict[str, Any] = message._asdict()
    for name, value in fields.items():
        if name in _ADDRESSES and len(value) in (4, 16):
            fields[name] = str(ipaddress.ip_address(value))
        elif name == "vsn":
            fields[name] = list(value)
        elif name == "meta":
            fields[name] = decode_tags(value) if value else {}
        elif name == "state":
            fields[name] = _STATES[value]
        elif name == "filters":
            fields[name] = [_filter(one) for one in value]
        elif name == "payload" and value:
            fields[name] = _payload(message, value)
    if "timeout" in fields:
        fields["timeout"] /= 1e9
    return fields


def _payload(message: Any, payload: bytes) -> Any:
    kind = type(message).__name__
    if kind == "Query" and message.name in _KEY_QUERIES:
        return _SECRET
    if kind == "QueryResponse" and payload[0] == SerfType.KEY_RESPONSE and b"Keys" in payload:
        return _SECRET
    try:
        if kind == "Ack":
            return decode_coordinate(payload)._asdict()
        if kind == "QueryResponse":
            return _conflict(decode_conflict_response(payload))
    except RemoteError:
        pass
    return payload


def _conflict(response: ConflictResponse) -> Mapping[str, Any]:
    return fields_of(response)


def _filter(data: bytes) -> Any:
    try:
        value = unpack(data[1:])
        if data[0] == FilterType.NODE and isinstance(value, tuple):
            return {"nodes": [text(name) for name in value]}
        if data[0] == FilterType.TAG:
            get = struct(value, (b"Tag", b"Expr")).get
            return {"tag": text(get(b"Tag")), "expression": text(get(b"Expr"))}
    except (RemoteError, IndexError):
        pass
    return data
