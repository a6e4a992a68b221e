"""What Nomad's paths take and answer."""

from __future__ import annotations

from agent_api.openapi.operation import TEXT, Body, Operation, Parameter
from agent_api.openapi.schemas import BOOLEAN, STRING, STRINGS, array, ref

__all__ = ["COMMON", "NOMADS_OPERATIONS"]

_BLANK = {"type": "string", "enum": [""]}

COMMON = (
    Parameter("region", "Where Nomad would read; matters for status and health only."),
    Parameter("stale", "Whether an answer without a leader will do; blank is true.", BOOLEAN),
    Parameter(
        "wait",
        "A Go duration such as 10s; checked, and never waited for.",
        {"type": "string", "pattern": "^(0|([0-9]{1,6}(ns|us|ms|s|m|h))*)$"},
    ),
    Parameter(
        "index",
        "Checked, and otherwise ignored; so is a blank one.",
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**64 - 1}, _BLANK]},
    ),
    Parameter(
        "per_page",
        "Checked, and otherwise ignored; so is a blank one.",
        {"anyOf": [{"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}, _BLANK]},
    ),
)
"""The parameters of all of Nomad's reads, in the order in which they are checked."""

_ADDRESSES = Parameter("address", "HOST[:PORT]; repeatable.", array(STRING, minItems=1), required=True)
_NODE = Parameter("node_id", "This agent's name or identifier; nothing is forwarded.")
_SERVER = Parameter("server_id", "This agent's name, or `leader`.")
_NO_SERVER = {400: "Both targets at once, or a server that is not this agent.", 404: "Another node."}
_KEY = Body("The key in base64.", ref("Key"))
_KEY_ERRORS = {
    400: "No body, no JSON, or no base64.",
    413: "More than 64 KiB.",
    500: "Members that refused or did not answer; how many, and why the first one did.",
}

NOMADS_OPERATIONS = {
    "GET /v1/agent/members": Operation(
        summary="All members",
        about="By the tags `region` and `dc` and the name. Failed members and those that left are listed "
        "until they are reaped.",
        answer=ref("NomadMembers"),
    ),
    "GET /v1/agent/servers": Operation(
        summary="The list of servers",
        about="Those that an operator pinned, else those alive in gossip.",
        answer=ref("Addresses"),
    ),
    "PUT /v1/agent/servers": Operation(
        summary="Pin the list of servers",
        about="Replaces the list until the next restart. Addresses that do not resolve are left out.",
        parameters=(_ADDRESSES,),
        errors={400: "No address, or none that resolves; the list stays as it was."},
    ),
    "GET /v1/agent/self": Operation(
        summary="Settings, member and statistics of this agent", answer=ref("NomadSelf")
    ),
    "PUT /v1/agent/join": Operation(
        summary="Join other members",
        about="Always a 200 once there is an address: `num_joined` counts the addresses that were reached.",
        parameters=(_ADDRESSES,),
        answer=ref("NomadJoin"),
        errors={400: "No address."},
    ),
    "PUT /v1/agent/force-leave": Operation(
        summary="Declare a failed member to have left",
        about="A 200 even if there is no such member, and after 3 s in any case.",
        parameters=(
            Parameter("node", "The whole gossip name.", {"type": "string", "minLength": 1}, required=True),
            Parameter("prune", "Also remove it from the list.", BOOLEAN),
        ),
        errors={400: "No node, or a prune that is no boolean."},
    ),
    "GET /v1/agent/health": Operation(
        summary="Health of the roles of this agent",
        parameters=(
            Parameter("type", "`client` or `server`; repeatable. None for all that are on.", STRINGS),
        ),
        answer=ref("Health"),
        json_errors={500: ref("Health")},
        errors={500: "At least one half is not well."},
    ),
    "GET /v1/agent/monitor": Operation(
        summary="The log from now on",
        about="Lines are in `Data`, in base64; an empty object is sent each second without any.",
        parameters=(
            Parameter(
                "log_level",
                "The lowest level; independent of the agent's own.",
                {"type": "string", "enum": ["", "trace", "debug", "info", "warn", "error", "off"]},
            ),
            Parameter("log_json", "Each line as JSON.", BOOLEAN),
            Parameter("plain", "Bare lines instead of frames.", BOOLEAN),
            Parameter("log_include_location", "Checked, and otherwise ignored.", BOOLEAN),
            _NODE,
            _SERVER,
        ),
        answer=ref("LogFrame"),
        text="With `plain`: bare lines.",
        is_stream=True,
        errors=_NO_SERVER,
    ),
    "GET /v1/agent/host": Operation(
        summary="The machine",
        about="Values of variables whose names look like secrets are left out. Without access control it "
        "takes `--enable-debug`.",
        parameters=(_NODE, _SERVER),
        answer={"anyOf": [ref("Host"), ref("TargetHost")]},
        errors=_NO_SERVER,
    ),
    "GET /v1/agent/pprof/": Operation(
        summary="Nothing: there is no list of profiles",
        never=True,
        errors={404: "Always, as in Nomad: `Invalid method`."},
    ),
    "GET /v1/agent/pprof/{profile}": Operation(
        summary="Stacks of all threads, or the command line",
        about="Go's other profiles have no counterpart: 501. Without access control it takes "
        "`--enable-debug`.",
        parameters=(
            Parameter("profile", "Of this process.", {"type": "string", "enum": ["goroutine", "cmdline"]}),
        ),
        answer=STRING,
        media=TEXT,
        errors={404: "No profile of that name.", 501: "A profile that only Go has."},
    ),
    "GET /v1/metrics": Operation(
        summary="What the node counts",
        parameters=(Parameter("format", "`prometheus` for its text format; anything else is JSON."),),
        answer=ref("Metrics"),
        text="With `format=prometheus`: the exposition format, version 0.0.4.",
        errors={415: "Prometheus is not enabled (`--prometheus-metrics`)."},
    ),
    "GET /v1/event/stream": Operation(
        summary="Membership events in Nomad's frames",
        about="An empty object comes first, and every 30 s. Topics other than `Member` take `management`.",
        parameters=(
            Parameter(
                "topic",
                "`Member`, or `Member:NAME`; repeatable. None for all.",
                array({"type": "string", "pattern": "^[^:]*(:[^:]*)?$"}),
            ),
            Parameter(
                "index",
                "Milliseconds since the node's start: events from then on, as far as remembered.",
                {"type": "integer", "minimum": 1 - 10**18, "maximum": 10**18 - 1},
            ),
        ),
        answer=ref("MemberFrame"),
        is_stream=True,
        errors={400: "A topic with two colons, or an index that is no number."},
    ),
    "PUT /v1/agent/reload": Operation(
        summary="Read the settings again",
        about="Tags, tokens, event handlers and the log level.",
        errors={500: "A mistake in the settings, which changes nothing.", 501: "There are none to read."},
    ),
    "GET /v1/status/leader": Operation(
        summary="The address of the advisory leader",
        about="The alive server of the region with the smallest name; empty if there is none, with `stale`.",
        answer=STRING,
        errors={500: "No cluster leader, or No path to region."},
    ),
    "GET /v1/status/peers": Operation(
        summary="The addresses of a region's servers",
        answer=ref("Addresses"),
        errors={500: "No path to region."},
    ),
    "GET /v1/regions": Operation(summary="Regions with an alive server", answer=STRINGS),
    "GET /v1/agent/keyring/list": Operation(
        summary="The gossip keys of the cluster",
        about="In clear, as in Nomad; `/v1/swim/keyring` shows fingerprints.",
        answer=ref("NomadKeys"),
        errors={500: _KEY_ERRORS[500]},
    ),
    **{
        f"PUT /v1/agent/keyring/{operation}": Operation(
            summary=summary, body=_KEY, answer=ref("NomadKeys"), errors=_KEY_ERRORS
        )
        for operation, summary in (
            ("install", "Add a gossip key at every member"),
            ("use", "Make every member encrypt with a key"),
            ("remove", "Remove a gossip key at every member"),
        )
    },
    **{
        f"{method} /v1/agent/keyring/{{operation}}": Operation(
            summary="Any other operation on gossip keys",
            parameters=(Parameter("operation", "Of another name than those above."),),
            never=True,
            errors={404: "There is no such operation."},
        )
        for method in ("GET", "PUT")
    },
}
"""By method and path; a PUT stands for its POST too."""
