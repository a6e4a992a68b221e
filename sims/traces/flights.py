"""Packets, streams and indirect probes of a trace, over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from sims.traces.text import messages_words
from swim.trace import Record

__all__ = ["Flight", "IndirectProbe", "flights", "indirect_probes"]

_NEWS = ("dead", "suspect", "alive")
_DEFAULT_SECONDS = 0.001


class Flight(NamedTuple):
    """One packet, or one direction of a stream, from one host to another.

    Attributes:
        kind: type of its first message, or ``stream``.
        news: the most severe claim it carries, of ``dead``, ``suspect``, ``alive``; or "".
        sent: when, seconds.
        arrives: when, seconds; for a lost one, when it would have arrived.
        fate: ``arrived``, what the network did to it, or ``unheard``: no process was there to read it.
        words: its messages.
    """

    kind: str
    news: str
    source: str
    target: str
    sent: float
    arrives: float
    fate: str
    words: str

    @property
    def is_routine(self) -> bool:
        """Whether it is a ping or ack that arrived and carried no claims."""
        return self.kind in ("ping", "ack") and not self.news and self.fate == "arrived"


class IndirectProbe(NamedTuple):
    """From the moment a node asks relays until an answer, a suspicion, or its next probe.

    Attributes:
        outcome: ``acked``, ``suspect``, or "" if the trace does not show it.
    """

    node: str
    target: str
    start: float
    end: float
    outcome: str


def flights(records: Iterable[Record]) -> list[Flight]:
    """All packets and streams of a trace in the order in which they were sent; copies count each."""
    sent: dict[int, Record] = {}
    arrivals: dict[int, list[Record]] = {}
    steps: list[Record] = []
    for record in records:
        match record["kind"]:
            case "send":
                sent[record["packet"]] = record
            case "recv":
                arrivals.setdefault(record["packet"], []).append(record)
            case "lost":
                sent[record["packet"]] = sent[record["packet"]] | {"fate": "lost"}
            case "stream":
                steps.append(record)
    usual = _usual_seconds(sent, arrivals)
    found = [f for number, record in sent.items() for f in _packet(record, arrivals.get(number), usual)]
    waiting: dict[int, Record] = {}
    for step in steps:
        found += _stream(step, waiting, usual)
    return sorted(found, key=lambda flight: flight.sent)


def _usual_seconds(sent: dict[int, Record], arrivals: dict[int, list[Record]]) -> float:
    """The time that a lost packet would have taken: as long as others."""
    took = [each["at"] - sent[number]["at"] for number, all_of in arrivals.items() for each in all_of]
    return median(took) if took else _DEFAULT_SECONDS


def _packet(record: Record, arrivals: list[Record] | None, usual: float) -> Iterator[Flight]:
    types = [message["type"] for message in record["messages"]]
    news = next((kind for kind in _NEWS if kind in types), "")
    flight = Flight(
        types[0] if types else "unreadable",
        news,
        record["from"],
        record["to"],
        record["at"],
        record["at"] + usual,
        record["fate"] if record["fate"] not in ("sent", "corrupted") else "unheard",
        messages_words(record),
    )
    if not arrivals:
        yield flight
    for arrival in arrivals or ():
        dropped = f" (dropped: {', '.join(arrival['dropped'])})" if "dropped" in arrival else ""
        yield flight._replace(arrives=arrival["at"], fate="arrived", words=flight.words + dropped)


def _stream(record: Record, waiting: dict[int, Record], usual: float) -> Iterator[Flight]:
    """The request travels from dial to arrival, the answer from then on; a failed one is lost in between."""
    number, at = record["stream"], record["at"]
    dial = waiting.get(number)
    if record["step"] == "dial":
        waiting[number] = record
        return
    if dial is None:
        return
    request = Flight("stream", "", dial["from"], dial["to"], dial["at"], at, "arrived", messages_words(dial))
    if record["step"] == "data" and record["to"] == dial["to"]:
        yield request
        waiting[number] = {**dial, "answered_at": at}
    elif record["step"] == "data":
        since: float = dial.get("answered_at") or at
        yield Flight("stream", "", record["from"], record["to"], since, at, "arrived", messages_words(record))
    elif record["step"] == "end" and "answered_at" not in dial:
        yield request._replace(arrives=min(at, dial["at"] + usual), fate=record["end"])
        del waiting[number]


def indirect_probes(records: Iterable[Record]) -> list[IndirectProbe]:
    """All indirect probes of a trace."""
    found: list[IndirectProbe] = []
    under_way: dict[str, tuple[str, int, float]] = {}
    acks: dict[int, tuple[str, set[int]]] = {}
    asked: dict[int, list[tuple[str, str]]] = {}
    relayed: dict[str, list[str]] = {}

    def end(node: str, at: float, outcome: str) -> None:
        target, _, start = under_way.pop(node)
        found.append(IndirectProbe(node, target, start, at, outcome))

    last = 0.0
    for record in records:
        last = record.get("at", last)
        if record["kind"] == "send":
            node = record["from"]
            for message in record["messages"]:
                if message["type"] == "ping" and message.get("node") in relayed.get(node, ()):
                    relayed[node].remove(message["node"])
                elif message["type"] == "ping" and node in under_way and message.get("source_node") == node:
                    end(node, last, "")
                elif message["type"] == "indirect-ping":
                    asked.setdefault(record["packet"], []).append((record["to"], message.get("node", "")))
                    if node not in under_way:
                        under_way[node] = (message.get("node", ""), message["seq_no"], last)
                elif message["type"] == "ack":
                    acks.setdefault(record["packet"], (record["to"], set()))[1].add(message["seq_no"])
        elif record["kind"] == "recv" and record["packet"] in asked:
            for node, target in asked[record["packet"]]:
                relayed.setdefault(node, []).append(target)
        elif record["kind"] == "recv" and record["packet"] in acks:
            node, numbers = acks[record["packet"]]
            if node in under_way and under_way[node][1] in numbers:
                end(node, last, "acked")
        elif record["kind"] == "event" and record["event"] == "suspected":
            node = record["node"]
            if node in under_way and under_way[node][0] == record["member"]:
                end(node, last, "suspect")
    for node in [*under_way]:
        end(node, last, "")
    return found
