"""Serf's part of a push/pull on the wire: clocks, status stamps, left members, and recent user events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swim.errors import RemoteError
from swim.serf.messages import SerfType
from swim.serf.msgpack_reader import Reader
from swim.wire.decode_cache import DecodeCache
from swim.wire.go_msgpack import name, pack, raw, struct, text, uint
from swim.wire.steps import Pause, Steps, finish

__all__ = [
    "KNOWN_STATES",
    "PushPullState",
    "RecentEvents",
    "decode_state",
    "decode_state_steps",
    "encode_state",
]

_U64 = 0xFFFF_FFFF_FFFF_FFFF


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


KNOWN_STATES: DecodeCache[PushPullState] = DecodeCache(budget=12 * 1024 * 1024)
"""Whole states by their bytes."""
_STAMP_BYTES = 200
"""Approximate memory of one stamp, without its name."""
_READ_PER_STEP = 1024
"""Stamps or names read in one step, which takes some milliseconds."""
_EVENTS_PER_STEP = 128


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
    """Reads a peer's state, unless it is cached.

    Raises:
        RemoteError: ``serf-state`` for another kind of state (Alertmanager's, say), ``msgpack`` for a broken
            one, ``name-size`` for one with a member's name over 255 bytes, ``elements`` for one with too
            complex events.
    """
    return finish(decode_state_steps(data))


def decode_state_steps(data: bytes) -> Steps[PushPullState]:
    """``decode_state`` in steps; raises the same errors."""
    known = KNOWN_STATES.get(data)
    if known is not None:
        return known
    state = yield from _state_from(data)
    stamps = len(state.status_ltimes) + len(state.left_members)
    return KNOWN_STATES.keep(data, state, len(data) + _STAMP_BYTES * stamps)


def _state_from(data: bytes) -> Steps[PushPullState]:
    if not data or data[0] != SerfType.PUSH_PULL:
        raise RemoteError("serf-state")
    reader = Reader(data[1:])
    numbers: dict[bytes, int] = {}
    status_ltimes: dict[str, int] = {}
    left: list[str] = []
    events: list[RecentEvents] = []
    read = 0
    for _ in reader.pairs():
        key = reader.value()
        match key:
            case b"StatusLTimes":
                for _ in reader.pairs():
                    node = name(reader.value())
                    status_ltimes[node] = uint(reader.value(), _U64)
                    read += 1
                    if not read % _READ_PER_STEP:
                        yield Pause.TURN
            case b"LeftMembers":
                for _ in reader.items():
                    left.append(name(reader.value()))
                    read += 1
                    if not read % _READ_PER_STEP:
                        yield Pause.TURN
            case b"Events":
                for _ in reader.items():
                    slot = _slot(reader.value())
                    if slot is not None:
                        events.append(slot)
                        read += len(slot.events)
                    if read >= _EVENTS_PER_STEP:
                        read = 0
                        yield Pause.TURN
            case b"LTime" | b"EventLTime" | b"QueryLTime":
                numbers[key] = uint(reader.value(), _U64)
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
