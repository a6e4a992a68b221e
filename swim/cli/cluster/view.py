"""What ``swim cluster`` shows: a live table, one line per transition, or one JSON document."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.text import Text

from agent_api.shapes import member_shape
from swim.cli.cluster.node import LocalNode, agree
from swim.cli.pictures import most_troubled, rich_table
from swim.events import Event, EventsLost, Member, MemberStatus, Query, UserEvent, UserMessage
from swim.text import brief, printable, shown

__all__ = ["Screen", "document", "line", "views"]

_RECENT = 8
_WIDEST = 10_000
_FRAME_LINES = 5
"""Title, header, rule and prompt, and a line left free for other output."""


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
    """One event as one line: time, observer, subject, reason."""
    match event:
        case EventsLost(count):
            return f"{at:9.3f}  {observer}  lost {count} events"
        case UserEvent():
            return f"{at:9.3f}  {observer}  user event {shown(event.name)}  ({len(event.payload)} bytes)"
        case Query():
            return f"{at:9.3f}  {observer}  query {shown(event.name)}  (from {shown(event.source)})"
        case UserMessage():
            what = "broadcast" if event.is_broadcast else "message"
            return f"{at:9.3f}  {observer}  {what} from {shown(event.source)}  ({len(event.payload)} bytes)"
    what = type(event).__name__.removeprefix("Member").lower()
    reason = event.reason
    accuser = reason.accuser and f"by {shown(reason.accuser)}"
    why = ", ".join(filter(None, (reason.cause, accuser, brief(reason.detail))))
    return f"{at:9.3f}  {observer}  {shown(event.member.name)} {what}  ({why})"


def views(nodes: Sequence[LocalNode]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table: a row per member, a column for each node's view of it."""
    tables = [{member.name: _state(member) for member in node.members()} for node in nodes]
    names = [node.name for node in nodes]
    names += sorted({name for known in tables for name in known} - set(names))
    header = ["member", "process", *(str(node.number) for node in nodes)]
    states = {node.name: node.state for node in nodes}
    rows = [
        [printable(name), states.get(name, "-"), *(known.get(name, "-") for known in tables)]
        for name in names
    ]
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
        self.message = "type a command (help lists them); quit ends"
        self._nodes = nodes
        self._recent: deque[str] = deque(maxlen=_RECENT)

    def note(self, text: str) -> None:
        """Adds one transition."""
        self._recent.append(text)

    def picture(self, at: float, console: Console) -> Group:
        """Everything as of now, ``at`` seconds after the start, cut to the size of the terminal.

        A table that is too wide becomes a count per status. If it is too high, lines are left out: first the
        oldest transitions, then members that every node lists as alive.
        """
        header, rows = views(self._nodes)
        title = f"swim cluster, {at:.0f} s"
        message = Text("\n".join(map(printable, self.message.splitlines())))
        room = max(1, console.height - _FRAME_LINES - len(console.render_lines(message)))
        shown = most_troubled(rows, room, _is_well)
        table = rich_table(title, header, shown)
        unbounded = console.options.update(max_width=_WIDEST)
        if console.measure(table, options=unbounded).maximum > console.width:
            table = rich_table(title, [*header[:2], "seen as"], [_counted(row) for row in shown])
        recent = list(self._recent)[-(room - len(shown)) :] if room > len(shown) else []
        return Group(
            table,
            *(Text(text, style="dim", no_wrap=True, overflow="ellipsis") for text in recent),
            message,
            Text(f"> {printable(self.prompt)}", style="bold"),
        )


def _is_well(row: Sequence[str]) -> bool:
    return set(row[1:]) <= {"running", "alive", "-"}


def _counted(row: Sequence[str]) -> list[str]:
    """The row with the views of all nodes as one cell: ``alive``, or ``9 failed, 2 suspect``."""
    counts = Counter(cell for cell in row[2:] if cell != "-").most_common()
    words = [counts[0][0]] if len(counts) == 1 else [f"{count} {status}" for status, count in counts]
    return [*row[:2], ", ".join(words)]
