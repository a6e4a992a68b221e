"""What a handler receives: environment variables and standard input, byte for byte as Serf gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from swim.events import Member, Query, UserEvent

__all__ = ["HIDDEN", "environment", "member_lines", "payload_lines"]

HIDDEN = (
    "SWIM_ENCRYPT",
    "SWIM_RPC_AUTH",
    "SWIM_TOKEN",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
)
"""Variables of the agent that handlers do not inherit: secrets, and the service manager's."""
_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")


def environment(
    inherited: Mapping[str, str], own: Member, event_type: str, message: UserEvent | Query | None
) -> dict[str, str]:
    """The variables of one run: those inherited, and Serf's.

    Args:
        inherited: the agent's own variables.
        own: this node.
        event_type: Serf's name of the event.
        message: the user event or the query.
    """
    variables = {name: value for name, value in inherited.items() if name not in HIDDEN}
    variables |= {
        "SERF_EVENT": event_type,
        "SERF_SELF_NAME": own.name,
        "SERF_SELF_ROLE": own.tags.get("role", ""),
    }
    for name, value in own.tags.items():
        variables[f"SERF_TAG_{_variable(name)}"] = value
    match message:
        case UserEvent():
            variables |= {"SERF_USER_EVENT": message.name, "SERF_USER_LTIME": str(message.ltime)}
        case Query():
            variables |= {"SERF_QUERY_NAME": message.name, "SERF_QUERY_LTIME": str(message.ltime)}
    return variables


def member_lines(members: Iterable[Member]) -> bytes:
    """One line for each member: name, IP address, role and all tags, separated by tabs."""
    lines = (
        f"{_one_line(member.name)}\t{member.address}\t{_one_line(member.tags.get('role', ''))}\t"
        f"{_one_line(','.join(f'{name}={value}' for name, value in sorted(member.tags.items())))}\n"
        for member in members
    )
    return "".join(lines).encode("utf-8", "surrogateescape")


def payload_lines(payload: bytes) -> bytes:
    """The payload of a user event or a query, with a line feed at the end unless it is empty."""
    return payload if not payload or payload.endswith(b"\n") else payload + b"\n"


def _variable(tag: str) -> str:
    """As in Go, a letter whose upper case is several letters stays as it is."""
    upper = "".join(c.upper() if len(c.upper()) == 1 else c for c in tag)
    return _NOT_IN_NAMES.sub("_", upper)


def _one_line(text: str) -> str:
    return text.replace("\t", "\\t").replace("\n", "\\n")
