"""``/v1/metrics``, in both forms."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio
import trio.testing

from agent_api.telemetry.intervals import Intervals
from swim import MemberStatus
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served

SUMMARY_KEYS = {"Name", "Count", "Rate", "Sum", "Min", "Max", "Mean", "Stddev", "Labels"}
SAMPLED = [
    "nomad.memberlist.gossip",
    "nomad.memberlist.probeNode",
    "nomad.memberlist.pushPullNode",
    "nomad.serf.msgs.received",
    "nomad.serf.msgs.sent",
    "nomad.serf.queue.Event",
    "nomad.serf.queue.Intent",
    "nomad.serf.queue.Query",
]
"""Shown from the start."""


async def test_json_has_nomads_five_lists(agent: Agent, cluster: FakeCluster) -> None:
    cluster.add(make_member("b", status=MemberStatus.FAILED))
    cluster.metrics.count("memberlist.udp.sent", 70)
    cluster.metrics.dropped("decrypt", 3)
    cluster.metrics.gauge("memberlist.queue.broadcasts", 2)
    document = (await agent.get("/v1/metrics")).json()
    assert set(document) == {"Timestamp", "Gauges", "Points", "Counters", "Samples"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", document["Timestamp"])
    states = {
        gauge["Labels"]["node_state"]: gauge["Value"]
        for gauge in document["Gauges"]
        if gauge["Name"] == "nomad.memberlist.node.instances"
    }
    assert states == {"alive": 1, "suspect": 0, "leaving": 0, "left": 0, "failed": 1}
    names = [gauge["Name"] for gauge in document["Gauges"]]
    assert {"nomad.memberlist.health.score", "nomad.memberlist.queue.broadcasts"} <= set(names)
    counters = {counter["Name"]: counter for counter in document["Counters"]}
    assert counters["nomad.memberlist.udp.sent"]["Sum"] == 70
    assert counters["nomad.swim.dropped"]["Labels"] == {"reason": "decrypt"}
    assert [sample["Name"] for sample in document["Samples"]] == SAMPLED
    for key in ("Gauges", "Counters", "Samples"):
        listed = [value["Name"] for value in document[key]]
        assert listed == sorted(listed)
    for value in document["Counters"] + document["Samples"]:
        assert set(value) == SUMMARY_KEYS
        assert isinstance(value["Count"], int)


async def test_counters_are_those_since_a_reading_at_least_ten_seconds_ago(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    cluster.started_at = trio.current_time()
    intervals, seen = Intervals(cluster), []
    for seconds in (5, 5, 5, 5, 20):
        await trio.sleep(seconds)
        cluster.metrics.count("x", seconds)
        spent, grown = intervals.latest()
        seen.append((round(spent), grown["x"]))
    assert seen == [(5, 5), (10, 10), (15, 15), (10, 10), (20, 20)]


async def test_samples_are_those_of_the_last_interval_that_has_ended(
    agent: Agent, cluster: FakeCluster, mock_clock: trio.testing.MockClock
) -> None:
    async def shown() -> dict[str, Any]:
        document = (await agent.get("/v1/metrics")).json()
        [found] = [one for one in document["Samples"] if one["Name"] == "nomad.memberlist.probeNode"]
        return dict(found)

    mock_clock.jump(1000 - trio.current_time())
    cluster.started_at = cluster.now()
    for milliseconds in (10.0, 20.0, 60.0):
        cluster.metrics.sample(cluster.now(), "memberlist.probeNode", milliseconds)
    wanted = {
        "Name": "nomad.memberlist.probeNode", "Count": 3, "Rate": 9.0, "Sum": 90.0, "Min": 10.0, "Max": 60.0,
        "Mean": 30.0, "Stddev": pytest.approx(700**0.5), "Labels": {},
    }  # fmt: skip
    assert await shown() == wanted, "the first one is shown as it runs"
    mock_clock.jump(10)
    cluster.metrics.sample(cluster.now(), "memberlist.probeNode", 5.0)
    assert await shown() == wanted
    mock_clock.jump(10)
    assert (await shown())["Sum"] == 5.0
    mock_clock.jump(10)
    assert await shown() == dict.fromkeys(wanted, 0) | {"Name": wanted["Name"], "Labels": {}}


_LABEL = r'[a-z_]+="([^"\\]|\\.)*"'
LINE = re.compile(rf"[A-Za-z_:]+({{{_LABEL}(,{_LABEL})*}})? -?[0-9.e+-]+")


async def test_prometheus_takes_a_setting(agent: Agent, cluster: FakeCluster) -> None:
    answer = await agent.get("/v1/metrics?format=prometheus")
    assert (answer.status, answer.text) == (415, "Prometheus is not enabled")
    assert (await agent.get("/v1/metrics?format=other")).status == 200
    assert (await agent.put("/v1/metrics")).status == 405


async def test_the_exposition_has_a_type_for_each_name_and_one_value_a_line(cluster: FakeCluster) -> None:
    cluster.metrics.count("memberlist.udp.sent", 2**60)
    cluster.metrics.dropped('odd"reason\\\n')
    cluster.metrics.dropped("decrypt")
    cluster.metrics.gauge("memberlist.x-y", 0.5)
    for milliseconds in (1.5, 2.0):
        cluster.metrics.sample(cluster.now(), "memberlist.gossip", milliseconds)
    async with served(cluster, prometheus_metrics=True) as agent:
        answer = await agent.get("/v1/metrics?format=prometheus")
    assert answer.kind == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    types = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(types) == len(set(types))
    for line in lines:
        assert line.startswith(("# TYPE ", "# HELP ")) or LINE.fullmatch(line), line
    assert f"nomad_memberlist_udp_sent {2**60}" in lines
    assert f'swim_bytes_total{{direction="sent"}} {2**60}' in lines
    assert 'swim_dropped_total{reason="decrypt"} 1' in lines
    assert r'swim_dropped_total{reason="odd\"reason\\\n"} 1' in lines
    assert "nomad_memberlist_x_y 0.5" in lines
    assert 'nomad_memberlist_node_instances{node_state="alive"} 1' in lines
    assert "nomad_serf_queue_Event_count 1" in lines
    found = lines.index("# TYPE nomad_memberlist_gossip summary")
    assert lines[found + 1 : found + 3] == [
        "nomad_memberlist_gossip_sum 3.5",
        "nomad_memberlist_gossip_count 2",
    ]
    assert "nomad_memberlist_probeNode_count 0" in lines
