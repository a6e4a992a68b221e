"""Each node's view of every other node over time, as an SVG picture.

One block per member: first the true state of its process, then a row for each observer. Members that every
observer always listed as alive are named, not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sims.errors import UsageError
from sims.pictures.svg import INK, STATES, Picture, Scale
from sims.traces.history import History, Span, first_world
from swim.trace import Record

__all__ = ["CONDITIONS", "timeline", "window_of"]

CONDITIONS: dict[str, str] = {
    "running": "#5b6470",
    "leaving": "#a9bddb",
    "left": "#d5dae1",
    "paused": "#b58ad6",
    "crashed": "#f3dede",
    "stopped": "#f3dede",
}
"""Colour of each state of a process."""

_WIDTH = 1200
_LEFT = 150
_TOP = 50
_ROW_OF_MANY = 9.0
_MANY = 12
_SUBJECTS_MAX = 200
_NAMED = 15


def timeline(
    records: Iterable[Record],
    *,
    start: float | None = None,
    end: float | None = None,
    nodes: Sequence[str] = (),
    everybody: bool = False,
    title: str = "",
) -> str:
    """The picture of a trace.

    Args:
        records: of the trace, its first world if the run had several; transitions and faults are enough.
        start: left end of the window, seconds; the trace's beginning.
        end: right end; the trace's end.
        nodes: observers and members to show; all.
        everybody: also draw members that every observer always listed as alive.
        title: of the run, such as its scenario and seed.

    Raises:
        UsageError: an unknown node, or an empty window.
    """
    records = first_world(records)
    history = History(records)
    start, end = window_of(history, start, end, nodes)
    observers = [node for node in history.nodes if not nodes or node in nodes]
    listed = sorted(history.members, key=lambda m: history.nodes.index(m) if m in history.nodes else 1 << 30)
    wanted = [member for member in listed if not nodes or member in nodes]
    subjects = [m for m in wanted if everybody or history.is_doubted(m, start, end)][:_SUBJECTS_MAX]
    quiet = [member for member in wanted if member not in subjects]
    row = 13.0 if len(observers) <= _MANY else _ROW_OF_MANY
    head = "views of each member over time" + (f": {title}" if title else "")
    picture = Picture(Scale(start, end, _LEFT, _WIDTH - 16), width=_WIDTH, title=head)
    picture.text(12, 34, head, f"font-weight:600;fill:{INK};font-size:12px")
    y = float(_TOP)
    for member in subjects:
        y = _block(picture, history, member, observers, y, row)
    if quiet:
        shown = ", ".join(quiet[:_NAMED])
        shown += f" and {len(quiet) - _NAMED} more" if len(quiet) > _NAMED else ""
        picture.text(12, y + 14, f"alive in every view that listed them: {shown}", "fill:#6b7280")
        y += 24
    _legend(picture, y + 8)
    return picture.render(y + 38)


def window_of(
    history: History, start: float | None, end: float | None, nodes: Sequence[str]
) -> tuple[float, float]:
    """The window of a picture, checked.

    Raises:
        UsageError: an unknown node, or an empty window.
    """
    for node in nodes:
        if node not in history.nodes and node not in history.members:
            raise UsageError(f"there is no node {node!r} in the trace")
    begins = 0.0 if start is None else start
    ends = history.end if end is None else end
    if not begins < ends:
        raise UsageError(f"nothing happened between {begins:g} s and {ends:g} s")
    return begins, ends


def _block(
    picture: Picture, history: History, member: str, observers: Sequence[str], y: float, row: float
) -> float:
    """One member; returns where the next may begin."""
    picture.text(12, y + 10, member, f"font-weight:600;fill:{INK}")
    picture.text(_LEFT - 12, y + 10, "process", "text-anchor:end;fill:#6b7280;font-size:10px")
    for span in history.conditions(member):
        colour = CONDITIONS[span.state]
        _draw(picture, span, y + 2, 9, colour, f"{member} itself: {span.state}")
    y += 14
    for observer in observers:
        if observer == member:
            continue
        spans = history.view(observer, member)
        size = 10 if row > _ROW_OF_MANY else 8
        style = f"text-anchor:end;fill:#6b7280;font-size:{size}px"
        picture.text(_LEFT - 12, y + row - 2, observer, style)
        picture.bar(picture.scale.start, picture.scale.end, y, row - 1, "fill:#f6f7f9")
        for span in spans:
            words = f"{observer} has {member} {span.state}"
            _draw(picture, span, y, row - 1, STATES.get(span.state, INK), words)
        y += row
    return y + 12


def _draw(picture: Picture, span: Span, y: float, height: float, colour: str, words: str) -> None:
    shown = span.clipped(picture.scale.start, picture.scale.end)
    if shown is not None:
        title = f"{words}, {span.start:.3f} to {span.end:.3f} s"
        title += f"\n{span.why}" if span.why else ""
        picture.bar(shown.start, shown.end, y, height, f"fill:{colour}", title=title)


def _legend(picture: Picture, y: float) -> None:
    x = 12.0
    entries = [(f"process {name}", CONDITIONS[name]) for name in ("running", "paused", "crashed")]
    entries += [(name, colour) for name, colour in STATES.items() if name != "unknown"]
    for name, colour in entries:
        picture.fixed(f'<rect x="{x:g}" y="{y:g}" width="16" height="10" style="fill:{colour}"/>')
        picture.text(x + 21, y + 9, name, f"fill:{INK};font-size:11px")
        x += 38 + 6.2 * len(name)
    picture.text(x + 8, y + 9, "wheel: zoom, drag: move, double click: all", "fill:#9ca3af;font-size:11px")
