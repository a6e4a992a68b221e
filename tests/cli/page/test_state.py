"""What pages read of ``swim cluster``: the state, its changes, each node's own API, the trace."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import trio

from agent_api.streams.lines import STREAM_LINES_MAX, Feed
from sims.replay import parse_trace
from sims.traces.history import History
from swim.cli.cluster.commands import Commands
from swim.cli.cluster.node import ClusterPlan, agree
from swim.cli.cluster.page.board import Board
from swim.cli.cluster.page.watch import BoardSource
from swim.cli.cluster.run import LocalCluster
from swim.errors import LocalError
from tests.cli.page.conftest import Line, Served, serving
from tests.interop.processes import eventually


def views_of(state: Line) -> dict[str, dict[str, Any]]:
    """Every view whole, as a page computes it."""
    found, first = {}, state["views"]["first"]
    for name, other in {first: {}, **state["views"]["others"]}.items():
        merged = {**state["views"]["members"], **other}
        found[name] = {member: cell for member, cell in merged.items() if cell is not None}
    return found


def believed(views: dict[str, dict[str, Any]]) -> dict[str, dict[str, tuple[Any, ...]]]:
    return {
        observer: {
            name: (cell["status"], cell["is_suspect"], cell["incarnation"], cell["tags"])
            for name, cell in cells.items()
        }
        for observer, cells in views.items()
    }


def follow(snapshot: Line, changes: list[Line]) -> tuple[dict[str, Any], dict[str, str], Line]:
    """Views, process states and network after changes."""
    views, links = views_of(snapshot), snapshot["links"]
    states = {node["name"]: node["state"] for node in snapshot["nodes"]}
    for change in changes:
        match change["event"]:
            case "Node":
                states[change["name"]] = change["state"]
                if change.get("view", ...) is None:
                    views.pop(change["name"], None)
                elif "view" in change:
                    views[change["name"]] = change["view"]
            case "View" if change["cell"] is None:
                del views[change["observer"]][change["member"]]
            case "View":
                views[change["observer"]][change["member"]] = change["cell"]
            case "Links":
                links = {key: change[key] for key in ("cuts", "loss", "delay")}
    return views, states, links


async def test_every_nodes_view_is_in_the_state(served: Served) -> None:
    state = await served.state()
    assert [(node["name"], node["state"]) for node in state["nodes"]] == [
        (f"node-{number}", "running") for number in (1, 2, 3)
    ]
    assert state["is_ready"] is True

    async def is_agreed() -> bool:
        """A node may be suspected between two answers."""
        state = await served.state()
        seen = {
            name: {each: (cell["status"], cell["incarnation"]) for each, cell in cells.items()}
            for name, cells in views_of(state).items()
        }
        own = {}
        for node in served.cluster.nodes:
            answer = (await served.get(f"/v1/cluster/nodes/{node.name}/v1/swim/members")).json()
            own[node.name] = {m["name"]: (m["status"], m["incarnation"]) for m in answer["members"]}
        return seen == own and state["views"]["others"] == {"node-2": {}, "node-3": {}}

    await eventually(is_agreed, 30)
    for node in served.cluster.nodes:
        for path in ("/v1/swim/why/node-3", "/v1/swim/why?name=node-3"):
            why = (await served.get(f"/v1/cluster/nodes/{node.name}{path}")).json()
            assert why["name"] == "node-3"


@pytest.mark.slow
async def test_the_changes_after_a_snapshot_give_the_state(served: Served) -> None:
    async with served.lines("/v1/cluster/watch") as lines:
        first = await lines.next()
        await served.command("kill 3")
        await served.command("cut 1 -> 2; loss 10%")
        changes = await lines.until(
            lambda line: line["event"] == "View" and (line["cell"] or {}).get("status") == "failed"
        )
        await served.command("restart 3; heal; add")
        await served.until(lambda: all(node.alive() == 4 for node in served.cluster.nodes))
        state = await served.state()
        changes += await lines.until(
            lambda line: line["event"] != "Heartbeat" and line["sequence"] >= state["sequence"]
        )
    changes = [line for line in changes if line["event"] != "Heartbeat"]
    numbers = [change["sequence"] for change in changes]
    assert numbers == list(range(first["sequence"] + 1, state["sequence"] + 1))
    views, states, links = follow(first["snapshot"], changes)
    assert believed(views) == believed(views_of(state))
    assert states == {node["name"]: node["state"] for node in state["nodes"]}
    assert links == state["links"]
    assert len(state["nodes"]) == 4
    suspicion = next(
        change
        for change in changes
        if change.get("kind") == "MemberSuspected" and change["member"] == "node-3"
    )
    assert suspicion["reason"]["cause"]
    assert "is_suspect" in suspicion["before"]


@pytest.mark.slow
async def test_last_acks_and_round_trips(served: Served) -> None:
    def acked() -> bool:
        first = served.cluster.nodes[0].cluster
        found = first and first.detection("node-2")
        return bool(found and found.last_ack)

    await served.until(acked)
    document = (await served.get("/v1/cluster/measured")).json()
    measured = document["views"]["node-1"]["node-2"]
    assert measured["last_ack"] <= document["time"]
    assert 0 < measured["rtt"] < 10


async def test_a_killed_node_has_no_view_and_a_restarted_one_has(served: Served) -> None:
    await served.command("kill 2")
    state = await served.state()
    assert [node["state"] for node in state["nodes"]] == ["running", "killed", "running"]
    assert "node-2" not in views_of(state)
    answer = await served.get("/v1/cluster/nodes/node-2/v1/swim/members")
    assert (answer.status, answer.text) == (503, "node-2 is killed: it has no view")
    await served.command("restart 2")
    assert (await served.get("/v1/cluster/nodes/node-2/v1/swim/members")).status == 200
    assert (await served.get("/v1/cluster/nodes/node-9/v1/swim/members")).status == 404


async def test_a_reader_that_reads_nothing_loses_lines_and_then_gets_the_state_again() -> None:
    cluster = LocalCluster(ClusterPlan(2, "local", 0, 0, label="", keys=(), seed=1))
    board, feed = Board(cluster, Commands(cluster, lambda _: None, lambda _: None)), Feed()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(BoardSource(board), feed)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3 * STREAM_LINES_MAX):
            board.links()
        lines = [json.loads(await feed.next() or b"") for _ in range(STREAM_LINES_MAX)]
        cluster.links.cuts.add(("node-1", "node-2"))
        again = json.loads(await feed.next() or b"")
        board.links()
        after = json.loads(await feed.next() or b"")
        nursery.cancel_scope.cancel()
    assert [line["sequence"] for line in lines] == list(range(STREAM_LINES_MAX))
    assert again["lost"] == 3 * STREAM_LINES_MAX - (STREAM_LINES_MAX - 1)
    assert again["snapshot"]["links"]["cuts"] == [["node-1", "node-2"]]
    assert after["sequence"] == again["sequence"] + 1


async def test_while_nobody_reads_changes_cost_nothing_but_a_number() -> None:
    cluster = LocalCluster(ClusterPlan(2, "local", 0, 0, label="", keys=(), seed=1))
    board = Board(cluster, Commands(cluster, lambda _: None, lambda _: None))
    board.links()
    assert board.sequence == 1
    assert json.loads(board.heartbeat())["sequence"] == 1


@pytest.mark.slow
async def test_the_trace_has_everything_since_the_start_and_packets_while_they_are_read(
    served: Served,
) -> None:
    await served.command("kill 3")
    whole = (await served.get("/v1/cluster/trace")).body.decode()
    trace = parse_trace(whole.splitlines(), "page")
    assert trace.header["level"] == "events"
    history = History(trace.records)
    assert history.conditions("node-3")[-1].state == "crashed"
    assert history.view("node-1", "node-2")
    assert not any(node.faults.tap for node in served.cluster.nodes)
    async with served.lines("/v1/cluster/trace?level=all&follow=true") as lines:
        await served.until(lambda: all(node.faults.tap for node in served.cluster.nodes))
        records = b""
        while b'"kind":"recv"' not in records:
            records += await lines._chunk()
    assert json.loads(records.splitlines()[0])["level"] == "all"
    await served.until(lambda: not any(node.faults.tap for node in served.cluster.nodes))


@pytest.mark.slow
async def test_a_node_that_comes_after_a_rotation_has_the_new_key() -> None:
    old, new = bytes(16), bytes(range(16))
    async with serving(2, old) as served:
        first = served.cluster.nodes[0].cluster
        assert first is not None
        await served.until(lambda: len(first.members()) == 2)
        for change in (first.install_key(new), first.use_key(new), first.remove_key(old)):
            assert not (await change).problem
        await served.command("restart 2; add")
        await served.until(lambda: served.cluster.nodes[-1].alive() == 3 and agree(served.cluster.nodes))


async def test_a_wrong_trace_is_refused(served: Served) -> None:
    for query, complaint in (
        ("level=most", "level must be one of events, all, not 'most'"),
        ("follow=1", "follow must be true or false, not '1'"),
        ("level=all", "packets are not kept: add follow=true"),
    ):
        answer = await served.get(f"/v1/cluster/trace?{query}")
        assert answer.status == 400
        assert complaint in answer.text


async def test_a_slow_reader_of_the_trace_is_cut_off_and_a_long_run_has_no_beginning(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swim.cli.cluster.page.tape._WAITING_BYTES_MAX", 10)
    async with served.lines("/v1/cluster/trace?follow=true") as lines:
        await lines._chunk()
        await served.command("heal")
        assert await lines._chunk() in (b"", b"\n")
    monkeypatch.setattr("swim.cli.cluster.page.tape.KEPT_BYTES_MAX", 10)
    await served.command("heal")
    answer = await served.get("/v1/cluster/trace")
    assert answer.status == 507
    assert "--trace FILE" in answer.text


@pytest.mark.deep
async def test_fifty_nodes_have_a_small_state() -> None:
    async with serving(50) as served:
        state = await served.state()
        assert len(state["nodes"]) == 50
        assert len(json.dumps(state)) < 40_000
        await served.command("split 1-25 26-50")
        await served.until(lambda: any(node.alive() < 50 for node in served.cluster.nodes))
        state = await served.state()
        assert len(state["links"]["cuts"]) == 2 * 25 * 25
        assert all(len(cells) == 50 for cells in views_of(state).values())


async def test_commands_need_nodes_that_run() -> None:
    cluster = LocalCluster(ClusterPlan(1, "local", 0, 0, label="", keys=(), seed=1))
    commands = Commands(cluster, lambda _: None, lambda _: None)
    with pytest.raises(LocalError, match="still starting"):
        await commands.obey("heal", "page")
    commands.end()
    with pytest.raises(LocalError, match="is ending"):
        await commands.obey("heal", "page")
    assert math.isfinite(commands.now())
