"""A space-time diagram as SVG: a line per node, time to the right, every packet a slanted arrow.

Lost packets are red and end in a cross. Bars above a node's line show which members it suspects or holds
dead, a bar below shows its indirect probes. Tooltips contain the decoded messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sims.pictures.svg import INK, STATES, Picture, Scale
from sims.pictures.timeline import CONDITIONS, window_of
from sims.traces.flights import Flight, flights, indirect_probes
from sims.traces.history import History, Span, first_world
from sims.traces.text import line_of
from swim.trace import Record

__all__ = ["diagram"]

_WIDTH = 1200
_LEFT = 96
_TOP = 76
_ROW = 92.0
_ROW_OF_MANY = 40.0
_MANY = 12
_ARROWS = 4000
_ARROWS_OF_MANY = 1500
_LANES = 4
_LANE = 11.0
_LANE_OF_MANY = 5.0
_COLOURS = {
    "ping": "#3b82f6",
    "ack": "#7fb2f9",
    "indirect-ping": "#8b5cf6",
    "nack": "#b9a3ee",
    "suspect": "#d98e04",
    "dead": "#b3261e",
    "alive": "#2f9e44",
    "stream": "#0f766e",
}
_OTHER = "#9aa1ab"
_LOST = "#e11d48"
_NEWS = {"dead": "#b3261e", "suspect": "#f5b942", "alive": "#2f9e44"}
_PROBE = "#8b5cf6"
_LAST_LABELS = 0.94
"""Share of the time axis beyond which there is no room for a label to the right."""
_WIDE_FAULTS = ("cut", "heal", "calm", "set-link", "rule-ended", "set-names", "loss")


def diagram(
    records: Sequence[Record],
    *,
    start: float | None = None,
    end: float | None = None,
    nodes: Sequence[str] = (),
    arrows: int | None = None,
    title: str = "",
) -> str:
    """The picture of a trace of level ``all``.

    Args:
        records: of the trace, its first world if the run had several.
        start: left end of the window, seconds; the trace's beginning.
        end: right end; the trace's end.
        nodes: whose lines to show, and the packets between them; all.
        arrows: how many are drawn at most; the picture shows how many are omitted: first those without
            claims, then an even share of the rest. By default 4,000, and 1,500 for more than 12 nodes.
        title: of the run, such as its scenario and seed.

    Raises:
        UsageError: an unknown node, or an empty window.
    """
    records = first_world(records)
    history = History(records)
    start, end = window_of(history, start, end, nodes)
    shown = [node for node in history.nodes if not nodes or node in nodes]
    row, lane = (_ROW, _LANE) if len(shown) <= _MANY else (_ROW_OF_MANY, _LANE_OF_MANY)
    rows = {node: _TOP + row * (index + 0.6) for index, node in enumerate(shown)}
    if arrows is None:
        arrows = _ARROWS if len(shown) <= _MANY else _ARROWS_OF_MANY
    head = "packets between nodes" + (f": {title}" if title else "")
    picture = Picture(Scale(start, end, _LEFT, _WIDTH - 20), width=_WIDTH, title=head)
    picture.text(12, 34, head, f"font-weight:600;fill:{INK};font-size:12px")
    for colour in (*_COLOURS.values(), _OTHER):
        _define_head(picture, colour)
    bottom = _TOP + row * len(shown)
    for node, y in rows.items():
        _draw_node(picture, history, node, y, lane)
    _draw_faults(picture, records, rows, bottom)
    _draw_probes(picture, records, rows)
    left_out = _draw_flights(picture, records, rows, arrows)
    _draw_transitions(picture, records, rows)
    for node, y in rows.items():
        picture.text(_LEFT - 14, y + 4, node, f"text-anchor:end;font-weight:600;fill:{INK}")
    if left_out:
        picture.text(_WIDTH - 20, 34, left_out, f"text-anchor:end;fill:{_LOST};font-size:12px")
    _legend(picture, bottom + 14)
    return picture.render(bottom + 60)


def _define_head(picture: Picture, colour: str) -> None:
    picture.define(
        f'<marker id="{_head(colour)}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" '
        f'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 .8 7.5 4 0 7.2z" fill="{colour}"/></marker>'
    )


def _head(colour: str) -> str:
    return f"head-{colour[1:]}"


# -- nodes


def _draw_node(picture: Picture, history: History, node: str, y: float, lane: float) -> None:
    scale = picture.scale
    for span in history.conditions(node):
        part = span.clipped(scale.start, scale.end)
        if part is not None:
            is_up = span.state in ("running", "leaving")
            thick, colour = (2, CONDITIONS["running"]) if is_up else (8, CONDITIONS[span.state])
            style = f"fill:{colour}"
            picture.bar(part.start, part.end, y - thick / 2, thick, style, title=f"{node} {span.state}")
    lanes: list[float] = []
    spans = [(span, member) for member in history.members for span in history.view(node, member)]
    for span, member in sorted(spans, key=lambda each: each[0].start):
        part = span.clipped(scale.start, scale.end)
        if part is not None and span.state in ("suspect", "failed") and member != node:
            _draw_opinion(picture, part, member, node, y - 8 - lane * (1 + _lane(lanes, part)), lane)


def _lane(lanes: list[float], span: Span) -> int:
    """The lowest lane that is free when the span starts; the last lane if none is."""
    for index, free_from in enumerate(lanes):
        if free_from <= span.start:
            lanes[index] = span.end
            return index
    if len(lanes) < _LANES:
        lanes.append(span.end)
    return len(lanes) - 1


def _draw_opinion(picture: Picture, span: Span, member: str, node: str, y: float, lane: float) -> None:
    word = "suspects" if span.state == "suspect" else "has failed"
    title = f"{node} {word} {member}, {span.start:.3f} to {span.end:.3f} s\n{span.why}"
    picture.bar(span.start, span.end, y, lane - 1, f"fill:{STATES[span.state]}", title=title)
    sign = "?" if span.state == "suspect" else "✕"
    room = picture.scale.x(span.end) - picture.scale.x(span.start)
    if lane < _LANE or room < 6 + 5.6 * (len(member) + 1):
        return
    picture.mark(
        span.start,
        f'<text x="4" y="{y + 8:g}" style="font-size:9px;fill:{INK}">{escape(member)}{sign}</text>',
        title=title,
    )


def _draw_transitions(picture: Picture, records: Sequence[Record], rows: dict[str, float]) -> None:
    for record in _within(picture, records):
        if record["kind"] == "event" and record["node"] in rows:
            colour = STATES.get(record["after"], "#fff")
            markup = f'<circle cy="{rows[record["node"]]:g}" r="3.2" fill="{colour}" stroke="{INK}"/>'
            picture.mark(record["at"], markup, title=f"{record['at']:.6f} s\n{line_of(record)}")


def _draw_probes(picture: Picture, records: Sequence[Record], rows: dict[str, float]) -> None:
    scale = picture.scale
    for probe in indirect_probes(records):
        if probe.node in rows and probe.end > scale.start and probe.start < scale.end:
            start, end = max(probe.start, scale.start), min(probe.end, scale.end)
            outcome = f" ({probe.outcome})" if probe.outcome else ""
            title = f"{probe.node} asks relays about {probe.target}{outcome}, {probe.start:.3f} s"
            style = f"fill:{_PROBE};fill-opacity:.3"
            picture.bar(start, end, rows[probe.node] + 5, 6, style, title=title)


def _draw_faults(picture: Picture, records: Sequence[Record], rows: dict[str, float], bottom: float) -> None:
    wide, beside = _Labels(50, 3), {node: _Labels(0, 1) for node in rows}
    for record in _within(picture, records):
        if record["kind"] != "fault":
            continue
        title = f"{record['at']:.6f} s\n{line_of(record)}"
        node, fault = record.get("node", ""), record["fault"]
        if fault in _WIDE_FAULTS:
            line = f'<line y1="44" y2="{bottom:g}" stroke="{INK}" stroke-dasharray="2 4"/>'
            label = _label(picture, record["at"], 4, wide.place(picture.scale.x(record["at"]), fault), fault)
            picture.mark(record["at"], line + label, title=title)
        elif node in rows and fault != "add":
            y = rows[node]
            mark = f'<path d="M-5 {y - 5:g}l10 10m0 -10l-10 10" stroke="{INK}" stroke-width="2"/>'
            if fault not in ("crash", "stopped"):
                mark = f'<path d="M0 {y - 7:g}v14" stroke="{INK}" stroke-width="2"/>'
            free = beside[node].place(picture.scale.x(record["at"]), fault)
            label = _label(picture, record["at"], 6, None if free is None else y + 22, fault)
            picture.mark(record["at"], mark + label, title=title)


class _Labels:
    """Places labels on one line, or on a few lines, without overlaps."""

    def __init__(self, top: float, levels: int) -> None:
        self._top = top
        self._free_from = [float("-inf")] * levels

    def place(self, x: float, text: str) -> float | None:
        """Where a label at ``x`` goes; None if there is no room (the mark has a tooltip)."""
        for level, free_from in enumerate(self._free_from):
            if x >= free_from:
                self._free_from[level] = x + 8 + 6.4 * len(text)
                return self._top + 11 * level
        return None


def _label(picture: Picture, at: float, x: float, y: float | None, text: str) -> str:
    """A label next to a mark, on the left at the picture's right end; none if there is no room."""
    if y is None:
        return ""
    scale = picture.scale
    if at > scale.start + _LAST_LABELS * (scale.end - scale.start):
        return f'<text x="{-x:g}" y="{y:g}" fill="{INK}" style="font-size:11px;text-anchor:end">{text}</text>'
    return f'<text x="{x:g}" y="{y:g}" fill="{INK}" style="font-size:11px">{text}</text>'


# -- packets


def _draw_flights(picture: Picture, records: Sequence[Record], rows: dict[str, float], arrows: int) -> str:
    """Draws the arrows that fit; returns a text about those omitted."""
    scale = picture.scale
    drawn = [
        flight
        for flight in flights(records)
        if flight.source in rows
        and flight.target in rows
        and flight.sent < scale.end
        and flight.arrives > scale.start
    ]
    total = len(drawn)
    if total > arrows:
        drawn = [flight for flight in drawn if not flight.is_routine]
    routine, telling = total - len(drawn), len(drawn)
    if telling > arrows:
        drawn = [drawn[index * telling // arrows] for index in range(arrows)]
    for flight in drawn:
        _draw_flight(picture, flight, rows[flight.source], rows[flight.target])
    parts = [f"{routine:,} packets without news"] if routine else []
    parts += [f"{telling - len(drawn):,} of {telling:,} others"] if telling > len(drawn) else []
    return f"not drawn: {' and '.join(parts)}" if parts else ""


def _draw_flight(picture: Picture, flight: Flight, y1: float, y2: float) -> None:
    title = f"{flight.source} → {flight.target}: {flight.words}\nsent {flight.sent:.6f} s, "
    middle = (flight.sent + flight.arrives) / 2
    width = "1.6" if flight.kind == "stream" else "1.1"
    if flight.fate == "arrived":
        colour = _COLOURS.get(flight.kind, _OTHER)
        dashes = ";stroke-dasharray:6 3" if flight.kind == "stream" else ""
        style = f"stroke:{colour};stroke-width:{width}{dashes};marker-end:url(#{_head(colour)})"
        title += f"arrives {flight.arrives:.6f} s"
        picture.line(flight.sent, flight.arrives, y1, y2, style, title=title)
        if flight.news and flight.kind != flight.news:
            bead = f'<circle cy="{(y1 + y2) / 2:g}" r="2.6" fill="{_NEWS[flight.news]}"/>'
            picture.mark(middle, bead, title=title)
        return
    # A packet that no process reads passes the network, but is not received.
    share = 0.86 if flight.fate == "unheard" else 0.5
    at, y = flight.sent + share * (flight.arrives - flight.sent), y1 + share * (y2 - y1)
    title += flight.fate
    style = f"stroke:{_LOST};stroke-width:{width};stroke-opacity:.75"
    picture.line(flight.sent, at, y1, y, style, title=title)
    cross = f'<path d="M-3.5 {y - 3.5:g}l7 7m0 -7l-7 7" stroke="{_LOST}" stroke-width="1.5"/>'
    picture.mark(at, cross, title=title)


def _within(picture: Picture, records: Sequence[Record]) -> list[Record]:
    scale = picture.scale
    return [r for r in records if "at" in r and scale.start <= r["at"] <= scale.end]


def _legend(picture: Picture, y: float) -> None:
    x = 12.0
    for name, colour in (*_COLOURS.items(), ("lost", _LOST)):
        picture.fixed(
            f'<line x1="{x:g}" x2="{x + 18:g}" y1="{y:g}" y2="{y:g}" stroke="{colour}" stroke-width="2"/>'
        )
        picture.text(x + 23, y + 4, name, f"fill:{INK};font-size:11px")
        x += 36 + 6.2 * len(name)
    y += 18
    boxes = (("suspects", STATES["suspect"]), ("has given up", STATES["failed"]), ("asks relays", "#d8cbfb"))
    x = 12.0
    for name, colour in (*boxes, ("paused", CONDITIONS["paused"])):
        picture.fixed(f'<rect x="{x:g}" y="{y - 5:g}" width="18" height="7" style="fill:{colour}"/>')
        picture.text(x + 23, y + 2, name, f"fill:{INK};font-size:11px")
        x += 40 + 6.2 * len(name)
    note = "a bead is news that rides along; wheel: zoom, drag: move, double click: all"
    picture.text(x + 8, y + 2, note, "fill:#9ca3af;font-size:11px")
