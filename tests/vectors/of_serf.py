"""Loads the golden vectors of Serf and says what a vector's fields mean as our messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swim.serf.messages import (
    JoinIntent,
    LeaveIntent,
    Query,
    QueryResponse,
    Relayed,
    SerfMessage,
    UserEvent,
    encode_serf,
)
from swim.serf.push_pull import PushPullState, RecentEvents

DIRECTORY = Path(__file__).parent / "serf"


def load(file: str) -> list[Any]:
    """One parameter per vector, named ``file/vector``."""
    vectors = json.loads((DIRECTORY / f"{file}.json").read_text())
    return [pytest.param(vector, id=f"{file}/{vector['name']}") for vector in vectors]


def body(vector: Any) -> bytes:
    """The vector's bytes."""
    return bytes.fromhex(vector["hex"])


def some(value: Any) -> bytes | None:
    """``{"_hex": "00ff"}`` as bytes; None stays None."""
    return None if value is None else bytes.fromhex(value["_hex"])


def full(value: Any) -> bytes:
    return some(value) or b""


def message(fields: Any) -> SerfMessage:
    """The message that a vector's fields describe."""
    f = fields["body"]
    match fields["type"]:
        case 0:
            return LeaveIntent(f["LTime"], f["Node"], f["Prune"])
        case 1:
            return JoinIntent(f["LTime"], f["Node"])
        case 3:
            return UserEvent(f["LTime"], f["Name"], some(f["Payload"]), f["CC"])
        case 4:
            return Query(
                ltime=f["LTime"],
                id=f["ID"],
                addr=full(f["Addr"]),
                port=f["Port"],
                source_node=f["SourceNode"],
                filters=tuple(map(full, f["Filters"] or ())),
                flags=f["Flags"],
                relay_factor=f["RelayFactor"],
                timeout=f["Timeout"],
                name=f["Name"],
                payload=some(f["Payload"]),
            )
        case 5:
            return QueryResponse(f["LTime"], f["ID"], f["From"], f["Flags"], some(f["Payload"]))
        case 9:
            to = f["DestAddr"]
            return Relayed(full(to["IP"]), to["Port"], f["DestName"], encode_serf(message(fields["inner"])))
    raise AssertionError(fields["type"])


def state(f: Any) -> PushPullState:
    """The push/pull state that a vector's body describes; empty event slots are left out."""
    listed = [] if isinstance(f["Events"], dict) else f["Events"] or []
    events = [
        RecentEvents(slot["LTime"], [(event["Name"], some(event["Payload"])) for event in slot["Events"]])
        for slot in listed
        if slot is not None
    ]
    return PushPullState(
        f["LTime"],
        f["StatusLTimes"] or {},
        list(f["LeftMembers"] or ()),
        f["EventLTime"],
        events,
        f["QueryLTime"],
    )
