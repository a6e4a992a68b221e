"""What our own paths take and answer. A route without a description here fails ``test_openapi``."""

from __future__ import annotations

from agent_api.openapi.operation import Body, Operation, Parameter
from agent_api.openapi.schemas import BOOLEAN, DURATION, INTEGER, STRING, STRINGS, array, ref
from agent_api.own.reports import READINESS
from agent_api.streams.events import WATCH_LEVELS

__all__ = ["OWN_OPERATIONS"]

_NONEMPTY = {"type": "string", "minLength": 1}
_NAME = Parameter("name", "Of the event or query.", _NONEMPTY, required=True)
_NODES = Parameter("node", "Only these members; repeatable.", STRINGS)
_PAIR = {"type": "string", "pattern": "^[^=]+=.*$"}
_PAYLOAD = Body(
    "The payload, any bytes.",
    {"type": "string", "format": "binary"},
    "application/octet-stream",
    required=False,
)
_NO_MEMBER = {404: "No member of that name."}
_GONE = {409: "The node has left, or was closed."}
_LEVEL = Parameter(
    "level",
    "Parts: members, suspicions, events, metrics; repeatable, and with commas between.",
    array({"enum": list(WATCH_LEVELS)}),
)
_KEY = Body("A key in base64, or its fingerprint.", ref("KeyOrFingerprint"))
_KEY_ERRORS = {
    400: "No body, no JSON, or no key of 16, 24 or 32 bytes.",
    409: "No member has a key with this fingerprint; or the node has left, or was closed.",
    413: "More than 64 KiB.",
}

OWN_OPERATIONS = {
    "GET /v1/swim/members": Operation(
        summary="All members, by name",
        about="With what this agent knows of each first-hand.",
        parameters=(Parameter("history", "Also the last transitions of each.", BOOLEAN),),
        answer=ref("Members"),
        errors={400: "A history that is no boolean."},
    ),
    "GET /v1/swim/info": Operation(summary="The node's own state", answer=ref("Info")),
    "GET /v1/swim/config": Operation(
        summary="The node's settings, and where each came from", answer=ref("Settings")
    ),
    "PUT /v1/swim/join": Operation(
        summary="Join other members",
        parameters=(
            Parameter("address", "HOST[:PORT]; repeatable.", array(STRING, minItems=1), required=True),
        ),
        answer=ref("Join"),
        errors={400: "No address.", **_GONE},
    ),
    "PUT /v1/swim/force-leave": Operation(
        summary="Declare a failed member to have left",
        about="Answers which case applied.",
        parameters=(
            Parameter("node", "The whole gossip name.", _NONEMPTY, required=True),
            Parameter("prune", "Also remove it from the list.", BOOLEAN),
        ),
        answer=ref("ForceLeave"),
        errors={
            400: "No node, or a prune that is no boolean.",
            **_NO_MEMBER,
            **_GONE,
            504: "No outcome within 3 s; it goes on.",
        },
    ),
    "PUT /v1/swim/leave": Operation(
        summary="Leave the cluster",
        about="The agent ends once it has answered.",
        answer={"type": "object", "properties": {"left": {"const": True}}, "required": ["left"]},
    ),
    "GET /v1/swim/why": Operation(
        summary="What happened to a member, and why",
        parameters=(Parameter("name", "Of the member.", _NONEMPTY, required=True),),
        answer=ref("Why"),
        errors={400: "No name.", **_NO_MEMBER},
    ),
    "GET /v1/swim/why/{name}": Operation(
        summary="What happened to a member, and why",
        parameters=(Parameter("name", "Of the member.", _NONEMPTY, required=True),),
        answer=ref("Why"),
        errors={400: "No name.", **_NO_MEMBER},
    ),
    "GET /v1/swim/events": Operation(
        summary="All events from now on",
        about="An empty object comes first, and every 30 s.",
        answer={"anyOf": [ref("Event"), ref("Heartbeat")]},
        is_stream=True,
    ),
    "PUT /v1/swim/events": Operation(
        summary="Send a user event",
        parameters=(_NAME, Parameter("coalesce", "Members may merge it with others of its name.", BOOLEAN)),
        body=_PAYLOAD,
        answer=ref("UserEventSent"),
        errors={400: "No name, or too large.", **_GONE, 413: "More than 64 KiB."},
    ),
    "GET /v1/swim/watch": Operation(
        summary="The members, then their events",
        about="A `Snapshot` comes first, and again after events were lost; a `Heartbeat` every 5 s. Events "
        "of applications take `management`.",
        parameters=(_LEVEL,),
        answer=ref("Watch"),
        is_stream=True,
        errors={400: "A level that there is not."},
    ),
    "GET /v1/swim/snapshot": Operation(
        summary="The first line of a watch",
        parameters=(_LEVEL,),
        answer=ref("SnapshotLine"),
        errors={400: "A level that there is not."},
    ),
    "GET /v1/swim/views": Operation(
        summary="How each agent sees the cluster",
        about="Agents that advertise their HTTP address in the tag `http` are asked, each for at most 1 s.",
        parameters=(Parameter("measured", "With what each agent knows first-hand.", BOOLEAN),),
        answer=ref("Views"),
        errors={400: "A `measured` that is no boolean."},
    ),
    "GET /v1/swim/partitions": Operation(
        summary="Which agents agree",
        about="Grouped by a digest of names and statuses, the largest group first.",
        answer=ref("Partitions"),
    ),
    "GET /v1/swim/health/live": Operation(
        summary="Whether the agent runs",
        answer=ref("Live"),
        errors={503: "The node has ended."},
        json_errors={503: ref("Live")},
    ),
    "GET /v1/swim/health/ready": Operation(
        summary="Whether the agent has come so far",
        parameters=(
            Parameter("state", "What it has to reach; joined if blank.", {"enum": ["", *READINESS]}),
        ),
        answer=ref("Ready"),
        errors={400: "A state that there is not.", 503: "Not yet, or no longer since the agent leaves."},
        json_errors={503: ref("Ready")},
    ),
    "GET /v1/swim/metrics/history": Operation(
        summary="Metrics of the last five minutes",
        about="At most 150 samples, 2 s apart, oldest first.",
        answer=ref("MetricsHistory"),
    ),
    "PUT /v1/swim/query": Operation(
        summary="Ask members",
        about="Replies as they arrive, then a `QueryDone`; an empty object comes first, and every 5 s.",
        parameters=(
            _NAME,
            _NODES,
            Parameter("tag", "KEY=REGEX: only members whose tag matches; repeatable.", array(_PAIR)),
            Parameter("ack", "Also ask for acks.", BOOLEAN),
            Parameter(
                "relay_factor",
                "Other members that send each reply too.",
                {**INTEGER, "minimum": 0, "maximum": 255},
            ),
            Parameter("timeout", "When it ends.", DURATION),
            Parameter("finish_early", "End once all members that were asked have answered.", BOOLEAN),
        ),
        body=_PAYLOAD,
        answer=ref("QueryLine"),
        is_stream=True,
        errors={
            400: "A parameter that is wrong, or too large.",
            **_NO_MEMBER,
            **_GONE,
            413: "More than 64 KiB.",
        },
    ),
    "GET /v1/swim/tags": Operation(summary="This node's tags", answer=ref("Tags")),
    "PUT /v1/swim/tags": Operation(
        summary="Change this node's tags",
        parameters=(
            Parameter("set", "KEY=VALUE; repeatable.", array(_PAIR)),
            Parameter("delete", "KEY; repeatable.", STRINGS),
        ),
        answer=ref("Tags"),
        errors={400: "No change, a tag in both, or more than fits.", **_GONE},
    ),
    "GET /v1/swim/coordinate": Operation(
        summary="A member's network coordinate",
        parameters=(Parameter("name", "Of the member; the agent itself if blank."),),
        answer=ref("MemberCoordinate"),
        errors=_NO_MEMBER,
    ),
    "GET /v1/swim/coordinates": Operation(
        summary="Every network coordinate that is known", answer=ref("Coordinates")
    ),
    "GET /v1/swim/rtt": Operation(
        summary="The estimated round-trip time between two members",
        parameters=(
            Parameter(
                "node",
                "One or two names; one is to the agent.",
                array(STRING, minItems=1, maxItems=2),
                required=True,
            ),
        ),
        answer=ref("Rtt"),
        errors={400: "Not one or two nodes.", **_NO_MEMBER},
    ),
    "PUT /v1/swim/reachability": Operation(
        summary="Ping members in every way",
        about="A line for each member with the seconds until its ack, by packet, by stream and by relays; a "
        "last line with those that acked the query.",
        parameters=(_NODES, Parameter("timeout", "Of each ping, at most 15 s.", DURATION)),
        answer=ref("ReachabilityLine"),
        is_stream=True,
        errors={400: "A timeout that is wrong.", **_NO_MEMBER},
    ),
    "GET /v1/swim/keyring": Operation(
        summary="Fingerprints of every member's gossip keys", answer=ref("Keyring"), errors=_GONE
    ),
    **{
        f"PUT /v1/swim/keyring/{operation}": Operation(
            summary=summary,
            body=_KEY,
            answer=ref("Keyring"),
            errors=_KEY_ERRORS,
        )
        for operation, summary in (
            ("install", "Add a gossip key at every member"),
            ("use", "Make every member encrypt with a key"),
            ("remove", "Remove a gossip key at every member"),
        )
    },
}
"""By method and path; a PUT stands for its POST too."""
