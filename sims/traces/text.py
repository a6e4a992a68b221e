"""Records of a trace as text: one line each, for golden traces, differences and tooltips.

``n3@2`` is the member n3 at incarnation 2. Sequence numbers are left out: they are drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from swim.trace import Record

__all__ = ["line_of", "message_words", "messages_words", "reason_words", "run_title"]

_COMMON = frozenset({"at", "kind", "fault"})
_STREAM_STEPS = {"accept": "accepts the stream of", "data": "answers", "end": "ends the stream with"}


def run_title(header: Record) -> str:
    """How the run of a trace was made, in one line: scenario, options, seed."""
    made = header.get("made", {})
    name = made.get("name") or made.get("by") or "run"
    chosen = {**made.get("options", {}), **made.get("settings", {})}
    options = [f"{option}={value}" for option, value in chosen.items() if len(str(value)) <= 20]
    return ", ".join([str(name), *options, f"seed {header.get('seed', '?')}"])


def line_of(record: Record) -> str:
    """The record without its time."""
    return _LINES.get(record["kind"], _other)(record)


def messages_words(record: Record) -> str:
    """All messages of a packet or stream."""
    return ", ".join(message_words(message) for message in record.get("messages", ()))


def message_words(message: Mapping[str, Any]) -> str:
    """One message."""
    kind = message["type"]
    return _MESSAGES.get(kind, _plain_message)(message)


def reason_words(record: Record) -> str:
    """Why a transition happened."""
    by = f" by {record['accuser']}" if "accuser" in record else ""
    detail = f": {record['detail']}" if "detail" in record else ""
    return f"{record['cause']}{by}{detail}"


# -- messages


def _claim(message: Mapping[str, Any]) -> str:
    node, accuser = message.get("node", ""), message.get("accuser", "")
    claim = f"{message['type']} {node}@{message['incarnation']}"
    if message["type"] == "dead" and accuser == node:
        return f"left {node}@{message['incarnation']}"
    return f"{claim} by {accuser}" if accuser else claim


def _push_pull(message: Mapping[str, Any]) -> str:
    states = ", ".join(
        f"{record.get('name', '')}@{record['incarnation']} {record['state']}" for record in message["records"]
    )
    return f"{'join' if message['join'] else 'push-pull'} ({states})"


def _plain_message(message: Mapping[str, Any]) -> str:
    about = message.get("name") or message.get("node") or message.get("why") or message.get("error") or ""
    return f"{message['type']} {about}".rstrip()


_MESSAGES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "ack": lambda message: "ack",
    "alive": _claim,
    "dead": _claim,
    "indirect-ping": lambda message: f"indirect-ping of {message.get('node', '')}",
    "ping": lambda message: "ping",
    "push-pull": _push_pull,
    "relayed": lambda message: f"relayed {message_words(message['inner'])}",
    "suspect": _claim,
}

# -- records


def _send(record: Record) -> str:
    fate = record["fate"]
    to = record["to"] or record.get("endpoint", "?")
    return f"{record['from']} -> {to}: {messages_words(record)}" + ("" if fate == "sent" else f"  [{fate}]")


def _recv(record: Record) -> str:
    dropped = f", drops: {', '.join(record['dropped'])}" if "dropped" in record else ""
    return f"{record['to']} receives packet {record['packet']} of {record['from']}{dropped}"


def _stream(record: Record) -> str:
    step, end = record["step"], record.get("end", "")
    words = messages_words(record)
    if step == "dial":
        return f"{record['from']} => {record['to'] or '?'}: {words}"
    if step == "data" and words:
        return f"{record['from']} => {record['to']}: {words}"
    verb = _STREAM_STEPS.get(step, step)
    return f"{record['from']} {verb} {record['to']}" + (f": {end}" if end else "")


def _event(record: Record) -> str:
    change = f"{record['before']} -> {record['after']}"
    if record["before"] == record["after"]:
        change = record["event"]
    return f"{record['node']}: {record['member']}@{record['incarnation']} {change} ({reason_words(record)})"


def _fault(record: Record) -> str:
    node = record.get("node", "")
    rest = " ".join(
        f"{name}={value}"
        for name, value in record.items()
        if name not in _COMMON and name != "node" and value not in (None, "", [], False)
    )
    return " ".join(filter(None, ("*", record["fault"], node, rest)))


def _violation(record: Record) -> str:
    return f"{record['checker']}: {record['problem']}"


def _other(record: Record) -> str:
    return " ".join(f"{name}={value}" for name, value in record.items() if name != "at")


_LINES: dict[str, Callable[[Record], str]] = {
    "event": _event,
    "fault": _fault,
    "recv": _recv,
    "send": _send,
    "stream": _stream,
    "violation": _violation,
}
