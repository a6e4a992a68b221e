"""Tables of members on a terminal, as rich draws them: shared by the live views."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["STYLES", "most_troubled", "rich_table"]

STYLES = {
    "alive": "green",
    "suspect": "yellow",
    "leaving": "yellow",
    "left": "bright_black",
    "failed": "bold red",
    "-": "bright_black",
}
"""How a cell that is one of these words is drawn."""


def rich_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Aligned columns under a title and a header."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in header:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return table


def most_troubled(
    rows: Sequence[list[str]], room: int, is_well: Callable[[list[str]], bool]
) -> Sequence[list[str]]:
    """All rows if there is room; else those that are not well first, and how many more there are."""
    if len(rows) <= room:
        return rows
    return [*sorted(rows, key=is_well)[: room - 1], [f"{len(rows) - room + 1} more"]]
