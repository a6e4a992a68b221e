"""What ``swim watch`` makes of the agent's lines: a table of members, and a sentence for each event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from agent_api.client import AgentUnreachable
from swim.addresses import join_host_port
from swim.text import brief, of_bytes, shown

__all__ = ["Table", "cells", "sentence", "state"]

_SENT = {"UserEvent": "user event", "Query": "query", "UserMessage": "message"}


class Table:
    """The members as the agent lists them.

    Attributes:
        agent: the agent's name; "" before the first line.
        members: by name.
    """

    def __init__(self) -> None:
        self.agent: str = ""
        self.members: dict[str, Mapping[str, Any]] = {}

    def apply(self, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Applies one line; yields what there is to show.

        That is each event as it is. A snapshot comes with its ``changes``: a ``MemberListed`` for each member
        whose state differs from what was shown before, which are all of them at first, and a
        ``MemberReaped`` for each that is not listed any more.

        Raises:
            AgentUnreachable: the line is not one that an agent sends.
        """
        try:
            yield from self._apply(item)
        except (KeyError, TypeError, AttributeError):
            raise AgentUnreachable("the server does not send what a swim agent sends") from None

    def counts(self) -> str:
        """How many members there are in each state."""
        states = Counter(state(member) for member in self.members.values())
        words = ", ".join(f"{count} {word}" for word, count in sorted(states.items()))
        return f"{len(self.members)} members: {words}"

    def _apply(self, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        kind = item.get("event")
        if kind == "Snapshot":
            members = {member["name"]: member for member in item["snapshot"]["members"]}
            changes = [
                {"event": "MemberListed", "at": item["at"], "member": member}
                for name, member in members.items()
                if name not in self.members or state(self.members[name]) != state(member)
            ]
            changes += [
                {"event": "MemberReaped", "at": item["at"], "member": member}
                for name, member in self.members.items()
                if name not in members
            ]
            self.agent, self.members = item["snapshot"]["name"], members
            yield item | {"changes": changes}
        elif kind == "MemberReaped":
            self.members.pop(item["member"]["name"], None)
            yield item
        elif "member" in item:
            self.members[item["member"]["name"]] = item["member"]
            yield item
        elif kind not in (None, "Heartbeat"):
            yield item


def state(member: Mapping[str, Any]) -> str:
    """The status, or ``suspect``."""
    return "suspect" if member["is_suspect"] and member["status"] == "alive" else str(member["status"])


def sentence(event: Mapping[str, Any]) -> str:
    """One event as one line; a snapshot as one line for itself and one for each change."""
    head = f"{event['at']}  "
    kind = str(event["event"])
    if kind == "Snapshot":
        snapshot = event["snapshot"]
        lines = [f"{head}{shown(snapshot['name'])} lists {len(snapshot['members'])} members"]
        return "\n".join([*lines, *(sentence(change) for change in event["changes"])])
    if kind == "EventsLost":
        return f"{head}{event['count']} events were lost: this command did not keep up"
    if kind in _SENT:
        what = "broadcast" if event.get("broadcast") else _SENT[kind]
        name = f" {shown(event['name'])}" if "name" in event else ""
        source = f" from {shown(event['source'])}" if event.get("source") else ""
        size = 3 * len(event["payload"]) // 4 - event["payload"].count("=")
        return f"{head}{what}{name}{source} ({of_bytes(size)})"
    member = event["member"]
    if kind == "MemberListed":
        where = join_host_port(member["address"], member["port"])
        return f"{head}{shown(member['name'])} {state(member)} ({where})"
    accuser = event.get("accuser") and f"by {shown(event['accuser'])}"
    detail = brief(event["detail"]) if event.get("detail") else ""
    why = ", ".join(filter(None, (event.get("cause"), accuser, detail)))
    verb = kind.removeprefix("Member").lower()
    return f"{head}{shown(member['name'])} {verb}" + (f" ({why})" if why else "")


def cells(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """One event as time, kind, subject, state, cause, accuser and detail."""
    member = event.get("member")
    subject = member["name"] if member else event.get("name") or event.get("source") or ""
    after = state(member) if member else event.get("count", "")
    reason = (event.get(key, "") for key in ("cause", "accuser", "detail"))
    return (event["at"], event["event"], subject, after, *reason)
