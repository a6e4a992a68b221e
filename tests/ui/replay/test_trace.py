"""The player's copy of a trace: its tables are those of the nodes, its words those of ``sims``."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.errors import SimError
from sims.faults import Crash, ForceLeave, Leave, Pause, Restart, SetLink, Split
from sims.faults.schedule import Schedule
from sims.replay import parse_trace
from sims.scenarios.registry import run_scenario
from sims.testing.strategies import fault_schedules
from sims.traces.difference import diff
from sims.traces.flights import flights
from sims.traces.text import line_of
from sims.traces.writer import EventTrace, TraceWriter
from sims.world import World
from tests.sims.settings import examples
from tests.ui.javascript import Program

NODES = ["n1", "n2", "n3", "n4"]
SECONDS = 40.0
KINDS = [Crash, Pause, Restart, Split, SetLink, Leave, ForceLeave]

Views = dict[str, dict[str, list[Any]]]


def views_of(world: World) -> Views:
    """Status and incarnation of every member in the table of every process that is up."""
    return {
        host: {m.name: [str(m.state), m.incarnation] for m in node.node.members()}
        for host, node in world.nodes.items()
        if node.is_up
    }


def recorded(
    schedule: Schedule, seed: int, moments: list[float], *, packets: bool
) -> tuple[str, list[int], list[Views]]:
    """The trace of a run, how many records it had at some moments, and the views of all nodes then."""
    lines: list[str] = []
    writer = (TraceWriter if packets else EventTrace)(lines.append)
    world = World(seed, nodes=len(NODES), observers=[writer])
    counts, seen = [], []
    schedule.apply(world)
    for moment in sorted(moments):
        world.run_for(max(0.0, moment - world.now))
        counts.append(len(lines) - 1)
        seen.append(views_of(world))
    return "".join(lines), counts, seen


@pytest.mark.slow
@given(
    fault_schedules(NODES, SECONDS, kinds=KINDS),
    st.integers(0, 2**32),
    st.lists(st.floats(0.0, SECONDS + 20.0), min_size=1, max_size=5),
)
@examples(25)
def test_the_tables_are_those_of_the_nodes(
    js: Program, schedule: Schedule, seed: int, moments: list[float]
) -> None:
    try:
        text, counts, wanted = recorded(schedule, seed, moments, packets=False)
    except SimError:
        return
    found = js.call("views", text, counts)
    for views, expected in zip(found, wanted, strict=True):
        assert {host: views[host]["table"] for host in expected} == expected
        extra = {h: s for h, s in views.items() if h not in expected and s["table"]}
        assert not extra, (extra, schedule, seed, moments)


def run(name: str, seed: int, **options: object) -> str:
    """The whole trace of a scenario."""
    lines: list[str] = []
    run_scenario(name, seed, options, observers=[TraceWriter(lines.append)])
    return "".join(lines)


@pytest.fixture(scope="module")
def partition() -> str:
    """Thousands of records, so that there are keyframes: a partition heals."""
    return run("partition-heal", 7, nodes=5)


@pytest.fixture(scope="module")
def kill() -> str:
    return run("kill-k", 1, nodes=5, kill=1)


@pytest.mark.slow
def test_a_keyframe_and_the_records_after_it_give_the_views_that_all_records_give(
    js: Program, partition: str
) -> None:
    """A trace cut after each count has its own last keyframe; the whole one finds the nearest before."""
    lines = partition.splitlines(keepends=True)
    assert len(lines) > 3000
    counts = sorted({0, 1, 999, 1000, 1001, 2500, len(lines) - 1, *random.Random(1).sample(range(3000), 20)})
    whole = js.call("views", partition, counts)
    for count, found in zip(counts, whole, strict=True):
        by_hand: dict[str, dict[str, str]] = {}
        for record in map(json.loads, lines[1 : count + 1]):
            if record["kind"] == "event":
                by_hand.setdefault(record["node"], {})[record["member"]] = record["after"]
        assert {
            node: {member: status for member, (status, _) in view["table"].items()}
            for node, view in found.items()
            if view["table"]
        } == by_hand


@pytest.mark.slow
def test_records_are_described_in_the_same_words(js: Program, partition: str, kill: str) -> None:
    for text in (partition, kill):
        records = [json.loads(line) for line in text.splitlines()[1:]]
        said = js.call("lines", text)
        for record, line in zip(records, said, strict=True):
            if record["kind"] != "fault":  # a list is written as JSON there, and a cut in short
                assert line == line_of(record)


def test_packets_fly_as_the_pictures_draw_them(js: Program, kill: str) -> None:
    records = [json.loads(line) for line in kill.splitlines()[1:]]
    wanted = [
        [flight.kind, flight.news, flight.source, flight.target, flight.sent, flight.fate]
        for flight in flights(records)
    ]
    found = [[*flight[:5], flight[6]] for flight in js.call("flights", kill)]
    assert sorted(found) == sorted(wanted)


def sent_at_once(packet: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a node sent a packet in the very step of its transition: a step's packets are written first."""
    kinds = (packet["kind"], event["kind"])
    return kinds == ("send", "event") and (packet["from"], packet["at"]) == (event["node"], event["at"])


def test_the_chain_of_a_failure_leads_to_its_fault(js: Program, kill: str) -> None:
    records = [json.loads(line) for line in kill.splitlines()[1:]]
    chains = js.call("why", kill, ["suspect", "failed"])
    assert len(chains) == 8, "each of four nodes suspects one member, and declares it failed"
    for chain in chains:
        first, last = records[chain[0]["at"]], records[chain[-1]["at"]]
        assert (last["kind"], last["fault"], last["node"]) == ("fault", "crash", "n2")
        for effect, cause in pairwise(chain):
            assert cause["at"] < effect["at"] or sent_at_once(records[effect["at"]], records[cause["at"]])
        kinds = [step["kind"] for step in chain]
        assert kinds[-2:] == ["probe", "fault"]
        if first["cause"] == "claim":
            assert kinds[1] == "packet"
    parts = [part["text"] for part in chains[0][-2]["parts"]]
    assert any(part.endswith("ping n1 → n2: not read") for part in parts)
    assert sum("nack of" in part for part in parts) == 3


def test_the_chain_of_a_partition_leads_to_the_cut_and_of_a_return_to_its_end(
    js: Program, partition: str
) -> None:
    records = [json.loads(line) for line in partition.splitlines()[1:]]
    roots = {
        (status, records[chain[-1]["at"]].get("fault"))
        for status in ("failed", "alive")
        for chain in js.call("why", partition, [status])
        if records[chain[0]["at"]]["at"] > 1
    }
    assert ("failed", "cut") in roots
    assert ("alive", "heal") in roots
    assert ("failed", "heal") not in roots
    assert ("failed", None) not in roots


def test_behind_a_packet_is_what_its_sender_believes(js: Program, kill: str) -> None:
    records = [json.loads(line) for line in kill.splitlines()[1:]]
    found = js.call("behind", kill)
    words = {"suspect": "suspect", "dead": "failed", "alive": "alive"}
    for packet, transition in found:
        sent, event = records[packet], records[transition]
        assert (event["node"], event["at"] <= sent["at"]) == (sent["from"], True)
        claims = {(m["node"], words[m["type"]]) for m in sent["messages"] if m["type"] in words}
        assert (event["member"], event["after"]) in claims
    with_claims = [
        index
        for index, record in enumerate(records)
        if record["kind"] == "send" and any(m["type"] in ("suspect", "dead") for m in record["messages"])
    ]
    assert with_claims
    assert set(with_claims) <= {packet for packet, _ in found}


def test_without_packets_the_chain_goes_from_accuser_to_accuser(js: Program, kill: str) -> None:
    lines = kill.splitlines(keepends=True)
    text = "".join(line for line in lines if json.loads(line)["kind"] not in ("send", "recv", "stream"))
    records = [json.loads(line) for line in text.splitlines()[1:]]
    for chain in js.call("why", text, ["failed"]):
        assert records[chain[-1]["at"]]["fault"] == "crash"


def test_two_traces_differ_where_the_command_says(js: Program, kill: str) -> None:
    """The rule of ``swim sim replay --diff``: line, fields, and the views at the end."""
    lines = kill.splitlines(keepends=True)
    others = [
        kill,
        "".join(lines[:300]),
        kill.replace('"fate":"sent"', '"fate":"lost"', 50).replace('"seed":1', '"seed":2', 1),
        kill.replace('"after":"failed"', '"after":"left"'),
        run("kill-k", 2, nodes=5, kill=1),
        kill.replace("}\n", "}\n" + lines[5], 1),
    ]
    for other in others:
        for left, right in ((kill, other), (other, kill)):
            wanted = diff(parse_trace(left.splitlines(), "a"), parse_trace(right.splitlines(), "b"))
            found = js.call("difference", left, right)
            if wanted is None:
                assert found is None
                continue
            assert found["line"] == wanted.number
            for name in ("changes", "made"):
                changes = [(each["place"], each["left"], each["right"]) for each in found[name]]
                assert changes == [tuple(change) for change in getattr(wanted, name)]
            views = [(v["observer"], v["member"], v["left"], v["right"]) for v in found["views"]]
            assert sorted(views) == sorted(wanted.views)


@given(st.lists(st.floats(0.0001, 5.0), min_size=2, max_size=60), st.booleans())
@examples(50)
def test_the_axis_goes_both_ways(js: Program, steps: list[float], warped: bool) -> None:
    """Every time has its place, every place its time, in the same order; no silence lasts."""
    times = [round(sum(steps[: index + 1]), 6) for index in range(len(steps))]
    text = "".join(
        [
            json.dumps({"format": 1, "kind": "trace", "made": {}, "seed": 1}) + "\n",
            *(json.dumps({"at": at, "fault": "x", "kind": "fault"}) + "\n" for at in times),
        ]
    )
    walls, back, total = js.call("pace", text, times, warped)
    assert walls == sorted(walls)
    assert back == pytest.approx(times, abs=1e-6)
    assert walls[-1] == pytest.approx(total)
    if warped:
        assert total <= len(times) * (0.4 + 0.4) + 1e-6
