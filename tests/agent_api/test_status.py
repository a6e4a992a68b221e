"""``/v1/status`` and ``/v1/regions``, and the reload of settings."""

from __future__ import annotations

import pytest

from swim import LocalError, MemberStatus
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served


async def test_leader_peers_and_regions(agent: Agent, cluster: FakeCluster) -> None:
    cluster.add(make_member("n0", status=MemberStatus.FAILED, port="4650"))
    cluster.add(make_member("n9", status=MemberStatus.LEFT, port="4651"))
    cluster.add(make_member("eu", region="eu", port="4652"))
    assert (await agent.get("/v1/status/leader")).json() == "127.0.0.1:4647"
    assert (await agent.get("/v1/status/peers")).json() == ["127.0.0.1:4647", "127.0.0.1:4650"]
    assert (await agent.get("/v1/status/leader?region=eu")).json() == "127.0.0.1:4652"
    assert (await agent.get("/v1/status/peers?region=eu")).json() == ["127.0.0.1:4652"]
    assert (await agent.get("/v1/regions")).json() == ["eu", "global"]


@pytest.mark.parametrize("path", ["leader", "peers"])
async def test_refusals(agent: Agent, path: str) -> None:
    for query, status, text in (
        ("region=mars", 500, "No path to region"),
        ("stale=x", 400, "Expect `true` or `false` for `stale` query string parameter"),
        ("wait=10", 400, "Invalid wait time"),
    ):
        answer = await agent.get(f"/v1/status/{path}?{query}")
        assert (answer.status, answer.text) == (status, text)
    assert (await agent.put(f"/v1/status/{path}")).status == 405


async def test_without_a_quorum_there_is_no_leader(cluster: FakeCluster) -> None:
    async with served(cluster, bootstrap_expect=3) as agent:
        answer = await agent.get("/v1/status/leader")
        assert (answer.status, answer.text) == (500, "No cluster leader")
        assert (await agent.get("/v1/status/leader?stale")).json() == ""


async def test_reload(cluster: FakeCluster) -> None:
    calls: list[int] = []

    async def reload() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise LocalError("the file is gone")

    async with served(cluster, on_reload=reload) as agent:
        answer = await agent.put("/v1/agent/reload")
        assert (answer.status, answer.body, calls) == (200, b"", [1])
        answer = await agent.put("/v1/agent/reload")
        assert (answer.status, answer.text) == (500, "the file is gone")
        assert (await agent.get("/v1/agent/reload")).status == 405
    async with served(cluster) as agent:
        assert (await agent.put("/v1/agent/reload")).status == 501
