"""What ``swim cluster`` shows: a live table, one line per transition, or one JSON document."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agent_api.shapes import member_shape
from swim.cli.cluster_run import LocalNode, agree
from swim.events import Event, EventsLost, Member, MemberEvent, MemberStatus

__all__ = ["Screen", "document", "line", "views"]

_RECENT = 8
_STYLES = {
    "alive": "green",
    "suspect": "yellow",
    "leaving": "yellow",
    "left": "bright_black",
    "failed": "bold red",
    "-": "bright_black",
}


def document(seed: int, seconds: float, nodes: Sequence[LocalNode]) -> dict[str, Any]:
    """The document of ``swim cluster --json``."""
    return {
        "seed": seed,
        "seconds": round(seconds, 3),
        "agree": agree(nodes),
        "nodes": [
            {
                "name": node.name,
                "state": node.state,
                "http": node.url,
                "members": [member_shape(member) for member in node.members()],
            }
            for node in nodes
        ],
    }


def line(at: float, observer: str, event: Event) -> str:
    """One transition as one line: when, who saw it, about whom, what, and why."""
    if not isinstance(event, MemberEvent):
        lost = event.count if isinstance(event, EventsLost) else 0
        return f"{at:9.3f}  {observer}  lost {lost} events"
    what = type(event).__name__.removeprefix("Member").lower()
    reason = event.reason
    why = ", ".join(filter(None, (reason.cause, reason.accuser and f"by {reason.accuser}", reason.detail)))
    return f"{at:9.3f}  {observer}  {event.member.name} {what}  ({why})"


def views(nodes: Sequence[LocalNode]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table: a row per member, a column for each node's view of it."""
    tables = [{member.name: _state(member) for member in node.members()} for node in nodes]
    names = [node.name for node in nodes]
    names += sorted({name for known in tables for name in known} - set(names))
    header = ["member", "process", *(str(node.number) for node in nodes)]
    states = {node.name: node.state for node in nodes}
    rows = [[name, states.get(name, "-"), *(known.get(name, "-") for known in tables)] for name in names]
    return header, rows


def _state(member: Member) -> str:
    return "suspect" if member.is_suspect and member.status is MemberStatus.ALIVE else str(member.status)


class Screen:
    """The live picture on a terminal: the table, the latest transitions and the prompt.

    Attributes:
        prompt: what the user typed so far.
        message: the answer to the last command.
    """

    def __init__(self, nodes: Sequence[LocalNode]) -> None:
        self.prompt = ""
        self.message = "type a verb (help lists them), quit ends"
        self._nodes = nodes
        self._recent: deque[str] = deque(maxlen=_RECENT)

    def note(self, text: str) -> None:
        """Adds one transition."""
        self._recent.append(text)

    def picture(self, at: float) -> Group:
        """Everything, as of now, ``at`` seconds after the start."""
        header, rows = views(self._nodes)
        table = Table(title=f"swim cluster, {at:.0f} s", title_justify="left")
        for column in header:
            table.add_column(column)
        for row in rows:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        return Group(
            table,
            *(Text(text, style="dim", no_wrap=True, overflow="ellipsis") for text in self._recent),
            Text(self.message),
            Text(f"> {self.prompt}", style="bold"),
        )
