"""The live view of ``swim watch`` on a terminal: the members, and the latest events below them."""

from __future__ import annotations

from collections import deque

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from swim.addresses import join_host_port
from swim.cli.agent.following import followed
from swim.cli.agent.watching import Table, sentence, state
from swim.cli.common import Globals
from swim.cli.pictures import most_troubled, rich_table
from swim.text import printable

__all__ = ["Screen", "show"]

_RECENT = 8
_FRAME_LINES = 4
"""Title, header, rule and message."""


class Screen:
    """Everything that is shown.

    Attributes:
        table: the members.
        message: the state of the stream.
    """

    def __init__(self) -> None:
        self.table: Table = Table()
        self.message: str = ""
        self._recent: deque[str] = deque(maxlen=_RECENT)

    def note(self, text: str) -> None:
        """Adds the lines of one event."""
        self._recent.extend(text.splitlines())

    def picture(self, console: Console) -> Group:
        """The view as of now, cut to the height of the terminal: the oldest events go first."""
        rows = [
            [
                printable(name),
                join_host_port(member["address"], member["port"]),
                state(member),
                printable(",".join(f"{key}={value}" for key, value in sorted(member["tags"].items()))),
            ]
            for name, member in sorted(self.table.members.items())
        ]
        room = max(1, console.height - _FRAME_LINES)
        listed = most_troubled(rows, room, lambda row: row[2] == "alive")
        title = f"{printable(self.table.agent)}, {self.table.counts()}"
        recent = list(self._recent)[-(room - len(listed)) :] if room > len(listed) else []
        return Group(
            rich_table(title, ("member", "address", "status", "tags"), listed),
            *(Text(text, style="dim", no_wrap=True, overflow="ellipsis") for text in recent),
            Text(printable(self.message), style="bold", no_wrap=True, overflow="ellipsis"),
        )


def show(wanted: Globals) -> None:
    """Draws the view whenever something happens; ends with an error or an interrupt.

    Raises:
        CliError: as ``followed``.
    """
    console, screen = Console(), Screen()
    with Live(console=console, auto_refresh=False) as live:

        def broke(text: str) -> None:
            screen.message = text
            live.update(screen.picture(console), refresh=True)

        for item in followed(wanted, lambda agent: agent.watch(), broke):
            for event in screen.table.apply(item):
                if event["event"] != "Snapshot":
                    screen.note(sentence(event))
            screen.message = f"as of {item['at']}; Ctrl-C ends"
            live.update(screen.picture(console), refresh=True)
