"""``swim cluster --trace``: real nodes leave the same records as simulated ones, and they can be drawn."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from sims.errors import UsageError
from sims.pictures.diagram import diagram
from sims.pictures.timeline import timeline
from sims.replay import read_trace, replay
from sims.traces.flights import flights
from sims.traces.history import History
from swim.addresses import join_host_port
from swim.config import Config
from swim.events import UserEvent
from swim.net.faults import LinkFaults
from swim.net.running import open_cluster
from swim.net.trace import ClusterTrace
from swim.net.transport import FaultyTransport
from swim.trace import encode
from tests.cli.processes import run
from tests.net.memory import MemoryNetwork

FREE = ("--bind-base", "0", "--http-base", "0")


@pytest.mark.slow
def test_a_live_cluster_leaves_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "live.jsonl"
    script = "0s loss 90%; 1.5s heal; 1.5s kill node-3; 1.5s partition 1 2"
    arguments = (
        "--nodes",
        "3",
        "--for",
        "3.5",
        "--script",
        script,
        "--encrypt",
        "--label",
        "x",
        "--seed",
        "3",
    )
    finished = run("cluster", "--json", *FREE, *arguments, "--trace", str(path))
    assert json.loads(finished.stdout)["seed"] == 3
    trace = read_trace(path)
    assert trace.header["seed"] == 3
    assert path.read_text().splitlines()[-1] + "\n" == encode(trace.records[-1])
    records = trace.records
    types = {message["type"] for record in records for message in record.get("messages", ())}
    assert {"ping", "ack", "push-pull"} <= types
    assert "unreadable" not in types
    fates = {flight.fate for flight in flights(records) if flight.kind != "stream"}
    assert {"arrived", "lost", "cut"} <= fates
    assert all(flight.arrives >= flight.sent for flight in flights(records))
    streams = [flight for flight in flights(records) if flight.kind == "stream"]
    assert {"node-1", "node-2", "node-3"} <= {flight.source for flight in streams}
    history = History(records)
    assert [span.state for span in history.conditions("node-3")] == ["running", "crashed"]
    assert history.view("node-1", "node-2")
    assert "node-3 crashed" in diagram(records)
    assert "node-1" in timeline(records, everybody=True)
    with pytest.raises(UsageError, match="a run made by 'cluster' cannot be made again"):
        replay(trace)


async def test_an_event_is_dated_when_it_happened_however_late_it_is_read() -> None:
    lines: list[str] = []
    async with open_cluster(Config.local(name="a", bind="127.0.0.1:0")) as cluster:
        events = cluster.events()
        await cluster.set_tags({"role": "web"})
        event = await anext(events)
        [*_, last] = cluster.history("a")
        told = replace(last, at=last.at + 1000)
        trace = ClusterTrace(lines.append, dict, seed=1, made={})
        for history in ([last], [told], []):
            trace.event("a", event, history)
    before, after, now = (json.loads(line)["at"] for line in lines[1:])
    assert before <= now
    assert after - before == pytest.approx(1000)


@pytest.mark.slow
@pytest.mark.parametrize("from_file", [False, True])
async def test_a_rotation_of_keys_hides_nothing(tmp_path: Path, from_file: bool) -> None:
    configured, filed, new = bytes(16), bytes(range(16)), bytes(32)
    old, file = (filed, tmp_path / "keyring") if from_file else (configured, None)
    if file is not None:
        file.write_text(json.dumps([b64encode(filed).decode()]))
    lines: list[str] = []
    binds: dict[str, str] = {}
    trace, faults = ClusterTrace(lines.append, lambda: binds, seed=1, made={}), LinkFaults()
    config = Config.local(name="a", bind="127.0.0.1:0", keys=[configured])
    faults.tap = trace.tap("a", config, faults)
    async with (
        open_cluster(config, faults=faults, keyring_file=file) as a,
        open_cluster(config.with_changes(name="b", keys=[old])) as b,
    ):
        binds["b"] = join_host_port(*b.endpoint)
        events = b.events(kinds=UserEvent)
        await a.join([binds["b"]])
        await a.install_key(new)
        await a.use_key(new)
        await a.remove_key(old)
        await a.user_event("deploy")
        await anext(events)
        faults.tap = trace.tap("a", config, faults)
        await a.user_event("again")
        await anext(events)
    shown = [message for line in lines[1:] for message in json.loads(line).get("messages", ())]
    assert {"push-pull", "query"} <= {message["type"] for message in shown}
    assert {"deploy", "again"} <= {m["name"] for m in shown if m["type"] == "user-event"}
    assert not [message for message in shown if message["type"] == "unreadable"]


async def test_a_stream_that_faults_stop_is_in_the_trace(autojump_clock: trio.testing.MockClock) -> None:
    lines: list[str] = []
    peer = ("10.0.0.2", 7946)
    trace = ClusterTrace(lines.append, lambda: {"b": "10.0.0.2:7946"}, seed=1, made={})
    faults = LinkFaults()
    faults.block([peer])
    faults.tap = trace.tap("a", Config.local(name="a"), faults)
    transport = FaultyTransport(MemoryNetwork().transport("10.0.0.1"), faults)
    with trio.move_on_after(5.0):
        await transport.connect(peer)
    async with trio.open_nursery() as node:
        node.start_soon(transport.connect, peer)
        await trio.sleep(1.0)
        node.cancel_scope.cancel()
    steps = [json.loads(line) for line in lines[1:]]
    assert [(step["step"], step["at"], step.get("end")) for step in steps] == [
        ("dial", 0.0, None),
        ("end", 5.0, "timed out"),
        ("dial", 5.0, None),
        ("end", 6.0, "closed"),
    ]
    assert {(step["from"], step["to"]) for step in steps} == {("a", "b")}
    assert [flight.fate for flight in flights(steps)] == ["timed out", "closed"]


@pytest.mark.slow
def test_a_trace_that_cannot_be_written_is_a_wrong_option(tmp_path: Path) -> None:
    finished = run("cluster", *FREE, "--nodes", "1", "--trace", str(tmp_path / "no" / "where"))
    assert finished.returncode == 2
    assert "--trace" in finished.stderr
    assert "No such file" in finished.stderr
