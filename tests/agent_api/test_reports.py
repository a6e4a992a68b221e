"""Health, the snapshot, and metrics of the last five minutes."""

from __future__ import annotations

import base64
from dataclasses import fields, replace
from itertools import pairwise

import pytest
import trio
import trio.testing

from agent_api.own.history import SAMPLE_SECONDS, SAMPLES_MAX, MetricsHistory
from agent_api.own.shapes import Observer
from swim import Config
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served


async def test_an_agent_lives_until_its_node_has_ended(agent: Agent, cluster: FakeCluster) -> None:
    for status, code in (("running", 200), ("leaving", 200), ("left", 200), ("stopped", 503)):
        cluster.status = status
        answer = await agent.get("/v1/swim/health/live")
        assert (answer.status, answer.json()) == (code, {"live": code == 200, "status": status})


@pytest.mark.parametrize(
    ("readiness", "reached"),
    [("listening", 1), ("joined", 2), ("converged", 3)],
)
async def test_an_agent_is_ready_from_the_state_asked_for_until_it_leaves(
    cluster: FakeCluster, readiness: str, reached: int
) -> None:
    async with served(cluster, readiness=lambda: readiness) as agent:
        for place, wanted in enumerate(("listening", "joined", "converged")):
            answer = await agent.get(f"/v1/swim/health/ready?state={wanted}")
            assert answer.status == (200 if place < reached else 503)
            assert answer.json() == {
                "ready": place < reached, "readiness": readiness, "wanted": wanted, "status": "running",
            }  # fmt: skip
        for default in ("", "?state="):
            assert (await agent.get(f"/v1/swim/health/ready{default}")).json()["wanted"] == "joined"
        cluster.status = "leaving"
        assert (await agent.get("/v1/swim/health/ready?state=listening")).status == 503
        answer = await agent.get("/v1/swim/health/ready?state=ready")
    assert (answer.status, answer.text) == (
        400, "state: must be one of listening, joined, converged, not 'ready'",
    )  # fmt: skip


async def test_a_snapshot_is_the_first_line_of_a_watch(agent: Agent, cluster: FakeCluster) -> None:
    cluster.add(make_member("b"))
    document = (await agent.get("/v1/swim/snapshot")).json()
    assert (document["event"], document["sequence"]) == ("Snapshot", 0)
    assert [member["name"] for member in document["snapshot"]["members"]] == ["b", "n1.global"]
    assert document["snapshot"]["members"] == (await agent.get("/v1/swim/members")).json()["members"]
    assert "counters" in document["snapshot"]
    assert "counters" not in (await agent.get("/v1/swim/snapshot?level=members")).json()["snapshot"]
    assert (await agent.get("/v1/swim/snapshot?level=x")).status == 400


async def test_a_served_agent_has_samples_of_its_metrics(agent: Agent, cluster: FakeCluster) -> None:
    document = (await agent.get("/v1/swim/metrics/history")).json()
    assert document["seconds"] == SAMPLE_SECONDS
    assert (len(document["at"]), document["members"], document["health_score"]) == (1, [1], [0])


async def test_samples_of_five_minutes_are_kept(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    history = MetricsHistory(Observer(cluster))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(history.run)
        await trio.sleep(SAMPLE_SECONDS / 2)
        for _ in range(SAMPLES_MAX + 20):
            cluster.metrics.count("memberlist.udp.sent", 3)
            await trio.sleep(SAMPLE_SECONDS)
        shape = history.shape()
        nursery.cancel_scope.cancel()
    sent = shape["counters"]["memberlist.udp.sent"]
    assert len(shape["at"]) == len(sent) == SAMPLES_MAX
    assert {after - before for before, after in pairwise(sent)} == {3}


async def test_an_idle_agent_wakes_rarely_and_no_sample_is_missing(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    looks: list[float] = []
    stats = cluster.stats
    cluster.stats = lambda: (looks.append(trio.current_time()), stats())[1]  # type: ignore[method-assign]
    history = MetricsHistory(Observer(cluster))
    cluster.metrics.count("memberlist.udp.sent", 3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(history.run)
        await trio.sleep(601)
        assert len(looks) < 25
        cluster.metrics.count("memberlist.udp.sent", 3)
        await trio.sleep(40)
        shape = history.shape()
        nursery.cancel_scope.cancel()
    sent = shape["counters"]["memberlist.udp.sent"]
    assert len(sent) == SAMPLES_MAX
    assert set(sent) == {3, 6}
    assert sent == sorted(sent)


async def test_what_was_first_counted_late_was_0_before(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    history = MetricsHistory(Observer(cluster))
    history.shape()
    await trio.sleep(SAMPLE_SECONDS)
    cluster.metrics.dropped("decrypt")
    cluster.metrics.gauge("load", 0.5)
    cluster.table["b"] = replace(make_member("b"))
    shape = history.shape()
    assert shape["counters"] == {"swim.dropped.decrypt": [0, 1]}
    queues = {f"serf.queue.{name}": [0, 0] for name in ("Event", "Intent", "Query")}
    assert shape["gauges"] == {"load": [None, 0.5], **queues}
    assert shape["members"] == [1, 2]


async def test_the_configuration_says_where_each_value_came_from_and_shows_no_key() -> None:
    config = Config.wan(name="n1", keys=[bytes(range(16))], tags={"role": "web"})
    origins = {"tags": "--tag", "probe_interval": "--profile wan"}
    async with served(FakeCluster(config), origins=origins) as agent:
        answer = await agent.get("/v1/swim/config")
    found = {each["name"]: (each["value"], each["origin"]) for each in answer.json()["settings"]}
    assert set(found) == {field.name for field in fields(Config)} - {"keys"}
    assert found["tags"] == ({"role": "web"}, "--tag")
    assert found["probe_interval"] == (config.probe_interval, "--profile wan")
    assert found["name"] == ("n1", "program")
    assert found["indirect_checks"] == (config.indirect_checks, "default")
    assert base64.b64encode(config.keys[0]).decode() not in answer.body.decode()
