"""The JSON schemas of what is served. Every key of an object is listed, and required unless marked."""

from __future__ import annotations

from typing import Any

__all__ = [
    "BASE64",
    "BOOLEAN",
    "DURATION",
    "FLAG",
    "INTEGER",
    "NUMBER",
    "PORT",
    "REASON",
    "SCHEMAS",
    "STATUS",
    "STRING",
    "STRINGS",
    "TIME",
    "VERSIONS",
    "array",
    "event",
    "mapping",
    "maybe",
    "record",
    "ref",
]

STRING: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
FLAG: dict[str, Any] = {"type": "boolean"}
BOOLEAN: dict[str, Any] = {
    "type": "string",
    "enum": ["", "1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"],
}
"""A boolean in a query string; blank is false."""
DURATION: dict[str, Any] = {"type": "string", "pattern": "^[0-9]{1,4}(\\.[0-9]{1,3})?(ms|s|m)?$"}
"""``2``, ``1.5s``, ``250ms`` or ``2m``."""
BASE64: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}


def ref(name: str) -> dict[str, Any]:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: dict[str, Any], **limits: int) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": items, **limits}


def mapping(values: dict[str, Any]) -> dict[str, Any]:
    """An object with any keys."""
    return {"type": "object", "additionalProperties": values}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    """A value, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """An object with exactly these keys, of which some may be absent."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def event(names: list[str], properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """A line of our streams; ``event`` says which."""
    return record({"event": {"enum": names}, "at": TIME, **properties}, *optional)


STRINGS = array(STRING)
BYTE = {"type": "integer", "minimum": 0, "maximum": 255}
PORT = {"type": "integer", "minimum": 0, "maximum": 65535}
KEY = {
    **BASE64,
    "pattern": "^([A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{32}|[A-Za-z0-9+/]{43}=)$",
    "description": "16, 24 or 32 bytes",
}
STATUS = {"enum": ["alive", "leaving", "left", "failed"]}
VERSIONS = {
    "type": "array",
    "description": "min, max, current",
    "items": BYTE,
    "minItems": 3,
    "maxItems": 3,
}
_SUMMARY = record(
    {
        "Name": STRING,
        "Count": INTEGER,
        **dict.fromkeys(("Rate", "Sum", "Min", "Max", "Mean", "Stddev"), NUMBER),
        "Labels": mapping(STRING),
    }
)
_HALF = record({"ok": FLAG, "message": STRING})
REASON = {
    "cause": STRING,
    "accuser": {"type": "string", "description": "the member that accused; empty for other causes"},
    "detail": STRING,
}
_HOST = {
    "OS": STRING,
    "Network": array(record({"name": STRING, "index": STRING})),
    "ResolvConf": STRING,
    "Hosts": STRING,
    "Environment": mapping(STRING),
    "Disk": mapping(record({"DiskMB": INTEGER, "UsedMB": INTEGER})),
}

SCHEMAS: dict[str, dict[str, Any]] = {
    # -- Nomad's
    "NomadMember": record(
        {
            "Name": STRING,
            "Addr": {"type": "string", "description": "an IP address, without port and brackets"},
            "Port": PORT,
            "Tags": mapping(STRING),
            "Status": {**STATUS, "description": "a suspect member is alive"},
            **dict.fromkeys(("ProtocolMin", "ProtocolMax", "ProtocolCur"), BYTE),
            **dict.fromkeys(("DelegateMin", "DelegateMax", "DelegateCur"), BYTE),
        }
    ),
    "NomadMembers": record(
        {
            "ServerName": STRING,
            "ServerRegion": STRING,
            "ServerDC": STRING,
            "Members": array(ref("NomadMember")),
        }
    ),
    "Addresses": {**STRINGS, "description": "IP:PORT of each, sorted as text"},
    "NomadSelf": record(
        {
            "config": {"type": "object", "description": "the settings, by Nomad's names; no secrets"},
            "member": ref("NomadMember"),
            "stats": {**mapping(mapping(STRING)), "description": "sections of strings"},
        }
    ),
    "NomadJoin": record(
        {
            "num_joined": {"type": "integer", "minimum": 0, "description": "addresses that were reached"},
            "error": {"type": "string", "description": "empty unless no address was reached"},
            "warning": STRING,
        }
    ),
    "Health": record({"client": _HALF, "server": _HALF}, "client", "server"),
    "Host": record(_HOST),
    "TargetHost": record({"AgentID": STRING, "HostData": ref("Host")}),
    "Metrics": record(
        {
            "Timestamp": STRING,
            "Gauges": array(record({"Name": STRING, "Value": NUMBER, "Labels": mapping(STRING)})),
            "Points": array({}),
            "Counters": array(ref("Summary")),
            "Samples": array(ref("Summary")),
        }
    ),
    "Summary": _SUMMARY,
    "LogFrame": record({"Data": BASE64, "FileEvent": STRING}, "Data", "FileEvent"),
    "MemberFrame": record({"Index": INTEGER, "Events": array(ref("MemberFrameEvent"))}, "Index", "Events"),
    "MemberFrameEvent": record(
        {
            "Topic": {"const": "Member"},
            "Type": {"enum": ["MemberJoined", "MemberLeft", "MemberFailed", "MemberUpdated", "MemberReaped"]},
            "Key": STRING,
            "Namespace": STRING,
            "FilterKeys": STRINGS,
            "Index": INTEGER,
            "Payload": record({"Member": ref("NomadMember")}),
        }
    ),
    "NomadKeys": record(
        {
            "Messages": mapping(STRING),
            "Keys": {**mapping(INTEGER), "description": "how many members have each key, in base64"},
            "NumNodes": INTEGER,
            "PrimaryKeys": mapping(INTEGER),
        },
        "PrimaryKeys",
    ),
    "Key": {**record({"Key": KEY}), "additionalProperties": True},
    # -- ours
    "Info": record(
        {
            "name": STRING,
            "version": STRING,
            "status": {"enum": ["running", "leaving", "left", "stopped"]},
            "readiness": {"enum": ["listening", "joined", "converged"]},
            "endpoint": {"type": "string", "description": "HOST:PORT that gossip is bound to"},
            "advertised": STRING,
            "rpc": {**maybe(STRING), "description": "HOST:PORT of Serf's RPC"},
            "is_alone": FLAG,
            "health_score": {"type": "integer", "minimum": 0, "description": "0 is healthy"},
            "uptime": {"type": "number", "description": "seconds"},
            "seeds": array(
                record(
                    {
                        "address": STRING,
                        "joined": FLAG,
                        "error": STRING,
                        "age": {**maybe(NUMBER), "description": "seconds since it was last tried"},
                        "next": {**maybe(NUMBER), "description": "seconds until a node alone tries a seed"},
                        "failures": INTEGER,
                    }
                )
            ),
            "label": STRING,
            "encrypted": FLAG,
            "keys": {**STRINGS, "description": "fingerprints"},
            "decrypt_failures": mapping(INTEGER),
            "stats": mapping({"type": ["integer", "boolean", "null"]}),
            "metrics": record({"counters": mapping(INTEGER), "gauges": mapping(NUMBER)}),
        }
    ),
    "Join": record(
        {
            "joined": INTEGER,
            "addresses": array(record({"address": STRING, "ok": FLAG, "error": STRING})),
        }
    ),
    "ForceLeave": record(
        {
            "node": STRING,
            "outcome": {"enum": ["left", "leaving", "already-left", "refuted", "pruned"]},
        }
    ),
    "UserEventSent": record({"name": STRING, "bytes": INTEGER, "coalesce": FLAG}),
    "Tags": record({"tags": mapping(STRING)}),
    "QueryLine": {
        "anyOf": [
            record({"event": {"const": "QueryAck"}, "source": STRING}),
            record({"event": {"const": "QueryResponse"}, "source": STRING, "payload": BASE64}),
            record(
                {
                    "event": {"const": "QueryDone"},
                    **dict.fromkeys(("acks", "responses", "lost"), INTEGER),
                    "seconds": NUMBER,
                    "error": STRING,
                }
            ),
            ref("Heartbeat"),
        ]
    },
    "Coordinate": record(
        {
            "vec": {**array(NUMBER), "description": "seconds in each dimension"},
            "error": NUMBER,
            "adjustment": NUMBER,
            "height": NUMBER,
        }
    ),
    "MemberCoordinate": record({"name": STRING, "coordinate": maybe(ref("Coordinate"))}),
    "Coordinates": record({"coordinates": array(ref("MemberCoordinate"))}),
    "Rtt": record(
        {
            "from": STRING,
            "to": STRING,
            "rtt": {**maybe(NUMBER), "description": "seconds"},
            "coordinates": mapping(maybe(ref("Coordinate"))),
        }
    ),
    "ReachabilityLine": {
        "anyOf": [
            record(
                {
                    "name": STRING,
                    "status": STATUS,
                    "is_self": FLAG,
                    "errors": mapping(STRING),
                    **dict.fromkeys(("packet", "stream", "relay"), maybe(NUMBER)),
                }
            ),
            record(
                {
                    "total": INTEGER,
                    "alive": INTEGER,
                    **dict.fromkeys(("acked", "missing", "unexpected"), maybe(STRINGS)),
                }
            ),
            ref("Heartbeat"),
        ]
    },
    "Keyring": record(
        {
            "members": INTEGER,
            "responses": INTEGER,
            "problem": STRING,
            "errors": mapping(STRING),
            "messages": mapping(STRING),
            "missing": {**STRINGS, "description": "members that did not answer"},
            "failed": STRINGS,
            "keyrings": {
                **mapping(STRINGS),
                "description": "fingerprints by member; the key that encrypts comes first",
            },
        }
    ),
    "KeyOrFingerprint": {
        "anyOf": [
            ref("Key"),
            record({"Fingerprint": {"type": "string", "pattern": "^[0-9a-f]{12}$"}}),
        ]
    },
}
"""Schemas under ``#/components/schemas/``."""
