"""Pictures show what the trace says: arrows, losses, opinions and processes, each with its words."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest

from sims.errors import UsageError
from sims.pictures.diagram import diagram
from sims.pictures.timeline import timeline
from sims.traces.flights import flights, indirect_probes
from sims.traces.history import History, Span
from sims.traces.text import run_title
from sims.traces.writer import TraceWriter
from sims.world import World
from sims.world.latency import Constant
from sims.world.network import Link, Network

SVG = "{http://www.w3.org/2000/svg}"
Records = list[dict[str, Any]]


def traced(play: Callable[[World], None], nodes: int = 5) -> Records:
    lines: list[str] = []
    network = Network(Link(latency=Constant(0.01)))
    play(World(1, nodes=nodes, network=network, observers=[TraceWriter(lines.append)]))
    return [json.loads(line) for line in lines[1:]]


@cache
def crash() -> Records:
    def play(world: World) -> None:
        world.settle()
        world.run_for(3)
        world.crash("n3")
        world.pause("n5", 1.0)
        world.run_for(12)

    return traced(play)


@cache
def partition() -> Records:
    def play(world: World) -> None:
        world.settle()
        world.network.cut(["n1", "n2"], ["n3"])
        world.tell_fault("cut", sources=["n1", "n2"], targets=["n3"])
        world.run_for(5)

    return traced(play, nodes=3)


def titles(svg: str, tag: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [
        title.text or "" for element in root.iter(f"{SVG}{tag}") for title in element.findall(f"{SVG}title")
    ]


def test_every_packet_flies_once_and_says_what_it_carries() -> None:
    records = crash()
    sent = [record for record in records if record["kind"] == "send"]
    packets = [flight for flight in flights(records) if flight.kind != "stream"]
    assert len(packets) == len(sent)
    arrived = [flight for flight in packets if flight.fate == "arrived" and flight.target != "n5"]
    assert {round(flight.arrives - flight.sent, 6) for flight in arrived} == {0.01}
    unheard = [flight for flight in packets if flight.fate == "unheard"]
    assert unheard
    assert {flight.target for flight in unheard if flight.sent < 14} == {"n3"}
    assert any(flight.kind == "ping" and flight.news == "suspect" for flight in packets)


def test_streams_fly_there_and_back_and_refused_ones_are_lost() -> None:
    streams = [flight for flight in flights(crash()) if flight.kind == "stream"]
    first, answer = [flight for flight in streams if {flight.source, flight.target} == {"n1", "n2"}][:2]
    assert (first.source, first.target, answer.source, answer.target) == ("n2", "n1", "n1", "n2")
    assert first.arrives == answer.sent < answer.arrives
    lost = [flight for flight in streams if flight.fate != "arrived"]
    assert {(flight.target, flight.fate) for flight in lost} == {("n3", "connection refused")}


def test_indirect_probes_end_with_their_answer() -> None:
    def play(world: World) -> None:
        world.settle()
        world.network.cut(["n1"], ["n2"])
        world.run_for(8)
        world.crash("n4")
        world.run_for(8)

    probes = indirect_probes(traced(play))
    about = [probe for probe in probes if (probe.node, probe.target) == ("n1", "n2")]
    assert {probe.outcome for probe in about} == {"acked"}
    assert all(probe.end - probe.start < 0.1 for probe in about)
    assert any(probe.target == "n4" and probe.outcome != "acked" for probe in probes)


def test_history_has_spans_of_processes_and_opinions() -> None:
    history = History(crash())
    assert history.nodes == ["n1", "n2", "n3", "n4", "n5"]
    assert [span.state for span in history.conditions("n3")] == ["running", "crashed"]
    assert [span.state for span in history.conditions("n5")] == ["running", "paused", "running"]
    view = history.view("n1", "n3")
    assert [span.state for span in view] == ["alive", "suspect", "failed"]
    assert view[-1].end == history.end
    assert view[0].end == view[1].start
    assert history.view("n3", "n1")[-1].end == history.conditions("n3")[-1].start
    assert history.is_doubted("n3", 0, 99)
    assert not history.is_doubted("n3", 0, 3)
    assert not history.is_doubted("n2", 0, 99)


def test_who_left_has_no_opinions_until_it_is_back() -> None:
    def play(world: World) -> None:
        world.settle()
        world.leave("n2", stop=False)
        world.run_for(10)
        world.nodes["n2"].rejoin()
        world.run_for(5)

    history = History(traced(play, nodes=3))
    assert [span.state for span in history.conditions("n2")] == ["running", "leaving", "left", "running"]
    left = history.conditions("n2")[2]
    assert all(span.end <= left.start or span.start >= left.end for span in history.view("n2", "n1"))
    assert [span.state for span in history.view("n1", "n2")] == ["alive", "leaving", "left", "alive"]


def test_a_new_life_has_no_old_opinions() -> None:
    def play(world: World) -> None:
        world.settle()
        world.crash("n2")
        world.crash("n3")
        world.run_for(5)
        world.restart("n3", snapshot=False)
        world.run_for(60)

    history = History(traced(play, nodes=3))
    back = history.conditions("n3")[-1].start
    assert all(span.end < back or span.state != "alive" for span in history.view("n3", "n2"))


def test_a_span_is_clipped_to_a_window() -> None:
    span = Span("alive", 1.0, 5.0)
    assert span.clipped(2.0, 9.0) == Span("alive", 2.0, 5.0)
    assert span.clipped(5.0, 9.0) is None


def test_diagram_draws_every_packet_between_the_nodes() -> None:
    records = crash()
    svg = diagram(records)
    lines = titles(svg, "line")
    assert len(lines) == len([flight for flight in flights(records) if flight.target])
    assert any("→ n3: ping" in title and "unheard" in title for title in lines)
    bars = titles(svg, "rect")
    assert any(" suspects n3, " in title and "claim by" in title for title in bars)
    assert any(title.startswith("n1 has failed n3, ") for title in bars)
    assert "n3 crashed" in bars
    assert any("asks relays about n3" in title for title in bars)
    assert any("* crash n3" in title for title in titles(svg, "g"))


def test_diagram_shows_what_the_network_stopped() -> None:
    svg = diagram(partition(), start=0.5, end=4.0)
    assert any(title.endswith("cut") for title in titles(svg, "line"))
    assert any("* cut" in title for title in titles(diagram(partition()), "g"))
    assert "#e11d48" in svg


def test_a_window_and_a_choice_of_nodes_draw_less() -> None:
    records = crash()
    few = diagram(records, start=3.0, end=6.0, nodes=["n1", "n3"])
    assert all(("n1" in title and "n3" in title and "n4 →" not in title) for title in titles(few, "line"))
    assert len(few) < len(diagram(records)) / 4
    root = ElementTree.fromstring(few)
    for line in root.iter(f"{SVG}line"):
        if "data-a" in line.attrib:
            assert float(line.attrib["data-b"]) >= 3.0
            assert float(line.attrib["data-a"]) <= 6.0


def test_too_many_arrows_leave_out_the_routine_ones_and_say_so() -> None:
    svg = diagram(crash(), start=3.0, end=9.0, arrows=60)
    assert re.search(r"not drawn: \d+ packets without news", svg)
    drawn = titles(svg, "line")
    assert 0 < len(drawn) <= 60
    assert any("suspect" in title for title in drawn)


def test_timeline_has_a_row_per_observer_and_names_who_was_never_doubted() -> None:
    svg = timeline(crash())
    bars = titles(svg, "rect")
    assert "alive in every view that listed them: n1, n2, n4, n5" in svg
    for observer in ("n1", "n2", "n4", "n5"):
        assert any(title.startswith(f"{observer} has n3 failed, ") for title in bars)
    assert any("n3 itself: crashed" in title for title in bars)
    everybody = timeline(crash(), everybody=True)
    assert any(title.startswith("n1 has n2 alive") for title in titles(everybody, "rect"))
    assert "alive all the time" not in everybody


PICTURES = """
from hashlib import sha256
from sims.pictures.diagram import diagram
from sims.pictures.timeline import timeline
from tests.sims.pictures.test_pictures import partition
print(*(sha256(draw(partition()).encode()).hexdigest() for draw in (diagram, timeline)))
"""


@pytest.mark.slow
def test_pictures_are_the_same_bytes_under_every_hash_seed() -> None:
    found = set()
    for hash_seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", PICTURES], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.parametrize("picture", [diagram, timeline])
def test_of_several_worlds_the_first_is_drawn(picture: Callable[..., str]) -> None:
    records = [*partition(), {"kind": "world", "seed": 2}, *crash()]
    assert picture(records) == picture(partition())
    with pytest.raises(UsageError, match="there is no node 'n5'"):
        picture(records, nodes=["n5"])


@pytest.mark.parametrize("picture", [diagram, timeline])
def test_bad_windows_and_nodes_are_refused(picture: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="there is no node 'n9' in the trace"):
        picture(crash(), nodes=["n9"])
    with pytest.raises(UsageError, match="nothing happened between 7 s and 7 s"):
        picture(crash(), start=7.0, end=7.0)


def test_names_cannot_break_out_of_the_picture() -> None:
    records = crash()
    text = json.dumps(records).replace('"n3"', '"<n3&>"')
    for picture in (diagram, timeline):
        ElementTree.fromstring(picture(json.loads(text)))


def test_pictures_say_of_which_run_they_are() -> None:
    made = {"by": "scenario", "name": "kill-k", "options": {"nodes": "30", "arm": "swim"}}
    title = run_title({"made": made, "seed": 7})
    assert title == "kill-k, nodes=30, arm=swim, seed 7"
    for picture in (diagram(crash(), title=title), timeline(crash(), title=title)):
        assert f": {title}</text>" in picture


def test_a_timeline_of_many_nodes_keeps_their_names() -> None:
    def play(world: World) -> None:
        world.run_for(1.0)
        world.crash("n3")
        world.run_for(30.0)

    records = traced(play, nodes=20)
    names = re.findall(r">(n\d+)</text>", timeline(records))
    assert names.count("n20") >= 1
    assert "not drawn: " in diagram(records)
    assert "not drawn: " not in diagram(records, arrows=1_000_000)


def test_labels_do_not_run_into_each_other() -> None:
    def play(world: World) -> None:
        for _ in range(5):
            world.network.cut(["n1"], ["n2"])
            world.network.heal()
            world.run_for(0.01)
        world.run_for(30.0)

    svg = diagram(traced(play))
    labels = re.findall(r'y="(\d+)"[^>]*>(?:cut|heal)</text>', svg)
    assert labels == ["50", "61", "72"]  # ten faults at once: three below each other, the rest as tooltips
