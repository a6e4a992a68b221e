"""The OpenAPI 3.1 document of what the server of ``swim cluster`` serves beside the page."""

from __future__ import annotations

from typing import Any

from agent_api.openapi.document import assembled, described
from agent_api.openapi.observed import OBSERVED_SCHEMAS
from agent_api.openapi.operation import Body, Operation, Parameter
from agent_api.openapi.pages import PAGE_OPERATIONS
from agent_api.openapi.schemas import (
    FLAG,
    INTEGER,
    NUMBER,
    STATUS,
    STRING,
    TIME,
    array,
    mapping,
    maybe,
    record,
    ref,
)
from swim.cli.cluster.page.tape import LEVELS, TraceStream

__all__ = ["NODES_PATH", "cluster_document"]

NODES_PATH = "/v1/cluster/nodes/{name}"
"""Where the API of each node begins."""

_ABOUT = """\
The nodes of one `swim cluster`, their views of each other, and the network between them.

There are no tokens: commands are accepted from this machine and from this origin only, reads also from \
other machines where the page is served to them. An error is one line of plain text. Each node's own API is \
under `/v1/cluster/nodes/NAME`, with a document of its own at `/v1/cluster/nodes/NAME/v1/openapi.json`.
"""
_TAGS = {"cluster": "All nodes at once.", "nodes": "One node.", "Pages": "For people."}
_ELSEWHERE = {403: "A page of another site sent the request, or it uses a name that is not this server's."}

_BELIEF: dict[str, Any] = {
    "status": STATUS,
    "is_suspect": FLAG,
    "incarnation": INTEGER,
    "tags": {**STRING, "description": "a digest"},
}
_NODE: dict[str, Any] = {
    "name": STRING,
    "number": INTEGER,
    "state": {"enum": ["running", "paused", "killed", "left"]},
    "since": maybe(TIME),
    "bind": {**STRING, "description": "HOST:PORT of gossip"},
    "http": {**STRING, "description": "URL of its API"},
}
_LINKS: dict[str, Any] = {
    "cuts": {
        **array(array(STRING, minItems=2, maxItems=2)),
        "description": "nothing passes from the first to the second",
    },
    "loss": {"type": "number", "minimum": 0, "maximum": 1},
    "delay": {**NUMBER, "description": "seconds"},
}
_CELL = maybe(ref("Cell"))
_CELLS = mapping(_CELL)
_COMMANDS = {"done": array(ref("Done")), "planned": array(ref("Planned"))}


def _change(event: str, properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    return record({"event": {"const": event}, "sequence": INTEGER, "time": TIME, **properties}, *optional)


_SCHEMAS = {
    "State": record(
        {
            "sequence": {**INTEGER, "description": "number of changes so far"},
            "time": TIME,
            "seconds": {**NUMBER, "description": "since the start"},
            "is_ready": {**FLAG, "description": "all nodes have started, and commands are accepted"},
            "plan": record(
                {
                    "nodes": INTEGER,
                    "profile": STRING,
                    "seed": INTEGER,
                    "label": STRING,
                    "encrypted": FLAG,
                    "detection_bound": {
                        **maybe(NUMBER),
                        "description": "seconds in which all notice a crash, without cuts and loss",
                    },
                }
            ),
            "nodes": array(ref("Node")),
            "views": ref("Views"),
            "links": ref("Links"),
            "commands": array(ref("Done")),
            "planned": array(ref("Planned")),
        }
    ),
    "Node": record(_NODE),
    "Views": record(
        {
            "first": {**maybe(STRING), "description": "the node whose view is whole"},
            "members": _CELLS,
            "others": {
                **mapping(_CELLS),
                "description": "what differs in each other view, and all that are not well there",
            },
        }
    ),
    "Cell": record({**_BELIEF, "since": maybe(TIME), "reason": maybe(ref("Reason"))}),
    "Reason": OBSERVED_SCHEMAS["Reason"],
    "Links": record(_LINKS),
    "Done": record({"at": NUMBER, "verb": STRING, "by": STRING}),
    "Planned": record({"at": NUMBER, "verb": STRING}),
    "WatchLine": {
        "anyOf": [
            record(
                {
                    "snapshot": ref("State"),
                    "sequence": INTEGER,
                    "lost": {**INTEGER, "description": "lines left out"},
                }
            ),
            _change("Node", {**_NODE, "view": maybe(_CELLS)}, "view"),
            _change(
                "View",
                {
                    "observer": STRING,
                    "member": STRING,
                    "kind": STRING,
                    "before": maybe(record(_BELIEF)),
                    "cell": _CELL,
                    "reason": ref("Reason"),
                },
            ),
            _change("Links", _LINKS),
            _change("Commands", _COMMANDS),
            _change("Heartbeat", {"seconds": NUMBER}),
        ]
    },
    "Acks": record(
        {
            "time": TIME,
            "views": mapping(
                mapping(record({"last_ack": TIME, "rtt": {**maybe(NUMBER), "description": "seconds"}}))
            ),
        }
    ),
    "Steps": record({"steps": array(ref("Planned")), "help": STRING}, "help"),
}

_OPERATIONS = {
    "GET /v1/cluster/state": Operation(summary="Everything as of now", answer=ref("State")),
    "GET /v1/cluster/watch": Operation(
        summary="Everything as of now, then every change",
        about="With a heartbeat every 5 s. A client that reads too slowly gets the state again, and a count.",
        answer=ref("WatchLine"),
        is_stream=True,
    ),
    "GET /v1/cluster/measured": Operation(
        summary="When each member last acked a probe of each node", answer=ref("Acks")
    ),
    "GET /v1/cluster/trace": Operation(
        summary="The trace of the cluster so far",
        about="What `swim sim play` and the other tools for traces read.",
        parameters=(
            Parameter("level", "With packets, or without.", {"enum": list(LEVELS)}),
            Parameter("follow", "Go on with what happens from now.", {"enum": ["true", "false"]}),
        ),
        answer={"type": "object", "properties": {"kind": STRING}, "required": ["kind"]},
        media=TraceStream.media_type,
        is_stream=True,
        errors={
            400: "Another value; or packets without `follow`, which are not kept.",
            507: "So much happened that the beginning is not kept.",
        },
    ),
    "POST /v1/cluster/command": Operation(
        summary="What the prompt would do",
        about="Such as `kill 3`, or `pause 2; 10s resume 2`. It answers when all that is for now is done.",
        body=Body("One command line, at most 64 KiB.", record({"verb": STRING})),
        answer=ref("Steps"),
        errors={
            400: "No such command, or no such body.",
            403: "A page of another site sent the request, or a program on another machine.",
            409: "The nodes start or end.",
        },
    ),
    f"GET {NODES_PATH}": Operation(
        summary="A node's own API",
        about="Paths go on as on an agent of its own; other methods too.",
        parameters=(Parameter("name", "Of the node."),),
        never=True,
        errors={404: "No such node, or no such path.", 503: "The node does not run, so it has no view."},
    ),
    **PAGE_OPERATIONS,
}


def cluster_document() -> dict[str, Any]:
    """The document, made anew."""
    paths: dict[str, dict[str, Any]] = {}
    for name, about in _OPERATIONS.items():
        method, path = name.split(" ")
        tag = "Pages" if name in PAGE_OPERATIONS else "nodes" if path == NODES_PATH else "cluster"
        shape = described(path, about, tag=tag, errors=_ELSEWHERE | dict(about.errors))
        identifier = "-".join([method.lower(), *path.strip("/{}").replace("/{", "/").split("/")])
        paths.setdefault(path, {})[method.lower()] = {"operationId": identifier} | shape
    return assembled("swim cluster", _ABOUT, _TAGS, paths, _SCHEMAS)
