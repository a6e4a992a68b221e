"""The JSON schemas of members and their events, as our own paths show them."""

from __future__ import annotations

from agent_api.openapi.schemas import (
    BASE64,
    FLAG,
    INTEGER,
    NUMBER,
    PORT,
    REASON,
    STATUS,
    STRING,
    STRINGS,
    TIME,
    VERSIONS,
    array,
    event,
    mapping,
    maybe,
    record,
    ref,
)
from agent_api.own.history import HISTORY_FIELDS

__all__ = ["OBSERVED_SCHEMAS"]

_MESSAGE = {"sequence": INTEGER, "name": STRING, "payload": BASE64, "ltime": INTEGER}
_READINESS = {"enum": ["listening", "joined", "converged"]}
_STATE = {
    "status": {"enum": ["running", "leaving", "left", "stopped"]},
    "readiness": _READINESS,
    "health_score": {"type": "integer", "minimum": 0, "description": "0 is healthy"},
    "counters": mapping(INTEGER),
    "gauges": mapping(NUMBER),
}
_METRICS = ("counters", "gauges")

OBSERVED_SCHEMAS = {
    "Member": record(
        {
            "name": STRING,
            "address": STRING,
            "port": PORT,
            "status": STATUS,
            "is_suspect": FLAG,
            "incarnation": INTEGER,
            "tags": mapping(STRING),
            "protocol": VERSIONS,
            "delegate": VERSIONS,
            "since": {**maybe(TIME), "description": "when its state last changed"},
            "suspicion": maybe(ref("Suspicion")),
            "last_ack": {**maybe(TIME), "description": "when it last acked a probe of this agent"},
            "rtt": {**maybe(NUMBER), "description": "seconds that its last direct ack took"},
            "probe": maybe(ref("Probe")),
            "reason": {**maybe(ref("Reason")), "description": "of its last transition"},
            "history": array(ref("Transition")),
        },
        "history",
    ),
    "Suspicion": record(
        {
            "accusers": STRINGS,
            "started": TIME,
            "deadline": TIME,
            "wanted": {**INTEGER, "description": "accusers beside the first that end it soonest"},
        }
    ),
    "Probe": record(
        {
            "at": TIME,
            "direct": {"enum": ["ack", "none"]},
            "relays": mapping({"enum": ["ack", "nack", "silent"]}),
            "stream": {"enum": ["ack", "refused", "none", "off"]},
        }
    ),
    "Reason": record(REASON),
    "Members": record({"members": array(ref("Member"))}),
    "Why": record(
        {
            "name": STRING,
            "member": maybe(ref("Member")),
            "probes": ref("Probes"),
            "history": array(ref("Transition")),
        }
    ),
    "Probes": record(
        {
            "acked": {**INTEGER, "description": "rounds that ended with an ack"},
            "failed": {**INTEGER, "description": "rounds that ended without one"},
            "rtts": {**array(NUMBER), "description": "seconds that its last direct acks took, oldest first"},
            "p95": {**maybe(NUMBER), "description": "seconds; of `rtts`"},
        }
    ),
    "Transition": record(
        {
            "at": TIME,
            "age": {"type": "number", "description": "seconds"},
            "before": STRING,
            "after": STRING,
            "incarnation": INTEGER,
            **REASON,
        }
    ),
    "Heartbeat": {"type": "object", "maxProperties": 0},
    "Event": {
        "anyOf": [
            event(
                [
                    "MemberJoined",
                    "MemberSuspected",
                    "MemberAccused",
                    "MemberRefuted",
                    "MemberRestarted",
                    "MemberUpdated",
                    "MemberLeaving",
                    "MemberLeft",
                    "MemberFailed",
                    "MemberReaped",
                ],
                {
                    "sequence": INTEGER,
                    "member": ref("Member"),
                    "previous": maybe(STATUS),
                    **REASON,
                },
            ),
            event(["UserEvent"], {**_MESSAGE, "coalesce": FLAG}),
            event(["Query"], {**_MESSAGE, "id": INTEGER, "source": STRING}),
            event(
                ["UserMessage"],
                {"sequence": INTEGER, "source": STRING, "payload": BASE64, "broadcast": FLAG},
            ),
            event(["EventsLost"], {"count": INTEGER}),
        ]
    },
    "Watch": {
        "anyOf": [
            ref("SnapshotLine"),
            event(
                ["Heartbeat"],
                {"sequence": INTEGER, **_STATE, "suspicions": mapping(ref("Suspicion"))},
                "suspicions",
                *_METRICS,
            ),
            ref("Event"),
        ]
    },
    "SnapshotLine": event(["Snapshot"], {"sequence": INTEGER, "snapshot": ref("Snapshot")}),
    "Snapshot": record({"name": STRING, **_STATE, "members": array(ref("Member"))}, *_METRICS),
    "Views": record(
        {
            "at": TIME,
            "views": array(
                record(
                    {
                        "agent": STRING,
                        "http": {**maybe(STRING), "description": "HOST:PORT that was asked"},
                        "error": {"type": "string", "description": "why its view is not known"},
                        "seconds": {**NUMBER, "description": "until its answer"},
                        "digest": maybe(STRING),
                        "members": maybe(mapping(ref("Seen"))),
                    }
                )
            ),
        }
    ),
    "Seen": record(
        {
            "status": STATUS,
            "is_suspect": FLAG,
            "incarnation": INTEGER,
            "tags": {"type": "string", "description": "a digest"},
            "since": maybe(TIME),
            "last_ack": maybe(TIME),
            "rtt": maybe(NUMBER),
            "reason": maybe(ref("Reason")),
        },
        *("tags", "since", "last_ack", "rtt", "reason"),
    ),
    "Partitions": record(
        {
            "at": TIME,
            "partitions": array(record({"digest": STRING, "agents": STRINGS})),
            "unknown": {**mapping(STRING), "description": "why, by agent"},
        }
    ),
    "Live": record({"live": FLAG, "status": _STATE["status"]}),
    "Ready": record(
        {"ready": FLAG, "readiness": _READINESS, "wanted": _READINESS, "status": _STATE["status"]}
    ),
    "Settings": record(
        {
            "settings": array(
                record(
                    {
                        "name": STRING,
                        "value": {},
                        "origin": {
                            "type": "string",
                            "description": "the flag, variable or key of a file, `default`, or `program`",
                        },
                    }
                )
            )
        }
    ),
    "MetricsHistory": record(
        {
            "seconds": {**NUMBER, "description": "between two samples"},
            "at": array(TIME),
            **dict.fromkeys(HISTORY_FIELDS, array(INTEGER)),
            "counters": mapping(array(INTEGER)),
            "gauges": mapping(array(maybe(NUMBER))),
        }
    ),
}
"""Beside those of ``schemas``."""
