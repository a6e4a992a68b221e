"""Serf's part of a push/pull: clocks, status stamps, who left, and recent user events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swim.errors import RemoteError
from swim.serf.messages import SerfType
from swim.serf.msgpack_reader import Reader
from swim.wire.decode_cache import Known
from swim.wire.go_msgpack import pack, raw, struct, text, uint

__all__ = ["KNOWN_STATES", "PushPullState", "RecentEvents", "decode_state", "encode_state"]

_U64 = 0xFFFF_FFFF_FFFF_FFFF
_STATE_BYTES_MAX = 1024 * 1024


class RecentEvents(NamedTuple):
    """The user events that carry one stamp."""

    ltime: int
    events: Sequence[tuple[str, bytes | None]]


class PushPullState(NamedTuple):
    """One node's Serf state. ``status_ltimes`` holds every known member's status stamp."""

    ltime: int
    status_ltimes: Mapping[str, int]
    left_members: Sequence[str]
    event_ltime: int
    events: Sequence[RecentEvents]
    query_ltime: int


KNOWN_STATES: Known[PushPullState] = Known(size=8, largest=_STATE_BYTES_MAX)
"""Whole states by their bytes."""


def encode_state(state: PushPullState) -> bytes:
    """The user state of a push/pull. Empty event slots are left out; Serf accepts any list length."""
    events = [
        {
            "Events": [{"Name": name, "Payload": payload} for name, payload in slot.events],
            "LTime": slot.ltime,
        }
        for slot in state.events
    ]
    fields: dict[str, Any] = {
        "EventLTime": state.event_ltime,
        "Events": events,
        "LTime": state.ltime,
        "LeftMembers": list(state.left_members),
        "QueryLTime": state.query_ltime,
        "StatusLTimes": state.status_ltimes,
    }
    return bytes((SerfType.PUSH_PULL,)) + pack(fields)


def decode_state(data: bytes) -> PushPullState:
    """Reads a peer's state, unless it is known.

    Raises:
        RemoteError: ``serf-state`` for another kind of state (Alertmanager's, say), ``msgpack`` for a broken
            one.
    """
    known = KNOWN_STATES.get(data)
    return known if known is not None else KNOWN_STATES.keep(data, _state_from(data))


def _state_from(data: bytes) -> PushPullState:
    if not data or data[0] != SerfType.PUSH_PULL:
        raise RemoteError("serf-state")
    reader = Reader(data[1:])
    numbers: dict[bytes, int] = {}
    status_ltimes: dict[str, int] = {}
    left: list[str] = []
    events: list[RecentEvents] = []
    for _ in reader.pairs():
        match reader.value():
            case b"StatusLTimes":
                for _ in reader.pairs():
                    name = text(reader.value())
                    status_ltimes[name] = uint(reader.value(), _U64)
            case b"LeftMembers":
                left = [text(reader.value()) for _ in reader.items()]
            case b"Events":
                events = [slot for _ in reader.items() if (slot := _slot(reader.value())) is not None]
            case bytes() as name_bytes if name_bytes in (b"LTime", b"EventLTime", b"QueryLTime"):
                numbers[name_bytes] = uint(reader.value(), _U64)
            case _:
                reader.value()
    return PushPullState(
        numbers.get(b"LTime", 0),
        status_ltimes,
        left,
        numbers.get(b"EventLTime", 0),
        events,
        numbers.get(b"QueryLTime", 0),
    )


def _slot(value: object) -> RecentEvents | None:
    if value is None:
        return None
    get = struct(value, (b"LTime", b"Events")).get
    listed = get(b"Events") or ()
    if not isinstance(listed, tuple):
        raise RemoteError("msgpack", "Events is not a list")
    fields = [struct(event, (b"Name", b"Payload")) for event in listed]
    return RecentEvents(
        uint(get(b"LTime"), _U64), [(text(f.get(b"Name")), raw(f.get(b"Payload"))) for f in fields]
    )
