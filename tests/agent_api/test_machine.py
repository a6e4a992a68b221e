"""``/v1/agent/host`` and ``/v1/agent/pprof``: what they show, to which clients, and what they never show."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served


@pytest.fixture
async def debugged(cluster: FakeCluster) -> AsyncIterator[Agent]:
    async with served(cluster, enable_debug=True) as agent:
        yield agent


@pytest.mark.parametrize("path", ["host", "pprof/goroutine", "pprof/cmdline", "pprof/heap"])
async def test_without_tokens_it_takes_a_setting(agent: Agent, path: str) -> None:
    answer = await agent.get(f"/v1/agent/{path}")
    assert (answer.status, answer.text) == (403, "Permission denied")


async def test_host(debugged: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIN", "shown")
    for name in ("A_TOKEN", "my_secret", "API_KEY", "DB_PASSWORD", "SWIM_ENCRYPT", "SWIM_RPC_AUTH"):
        monkeypatch.setenv(name, "hidden-value")
    answer = await debugged.get("/v1/agent/host")
    document = answer.json()
    assert set(document) == {"OS", "Network", "ResolvConf", "Hosts", "Environment", "Disk"}
    assert document["Environment"]["PLAIN"] == "shown"
    assert document["Environment"]["my_secret"] == "<redacted>"
    assert "hidden-value" not in answer.text
    assert set(document["Disk"]["/"]) == {"DiskMB", "UsedMB"}


@pytest.mark.parametrize("query", ["node_id=n1", "server_id=n1.global", "server_id=leader"])
async def test_host_of_a_target_is_wrapped(debugged: Agent, query: str) -> None:
    document = (await debugged.get(f"/v1/agent/host?{query}")).json()
    assert document["AgentID"] == query.partition("=")[2]
    assert document["HostData"]["OS"]


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("node_id=a&server_id=b", 400, "Can only forward to either client node or server"),
        ("node_id=nope", 404, 'Unknown node "nope"'),
        ("server_id=nope", 400, "unknown Nomad server nope"),
    ],
)
async def test_host_of_another_agent(debugged: Agent, query: str, status: int, text: str) -> None:
    answer = await debugged.get(f"/v1/agent/host?{query}")
    assert (answer.status, answer.text) == (status, text)


async def test_stacks_and_the_command_line(debugged: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "thread MainThread:" in (await debugged.get("/v1/agent/pprof/goroutine?debug=1")).text
    monkeypatch.setattr(
        "sys.argv", ["swim", "agent", "--encrypt", "hidden", "--rpc-auth=hidden", "--bind", "a"]
    )
    line = (await debugged.get("/v1/agent/pprof/cmdline")).text
    assert line == "swim\0agent\0--encrypt\0<redacted>\0--rpc-auth=<redacted>\0--bind\0a"


@pytest.mark.parametrize("name", ["profile", "trace", "heap", "allocs", "block", "mutex", "threadcreate"])
async def test_what_only_go_has_is_refused_with_a_reason(debugged: Agent, name: str) -> None:
    answer = await debugged.get(f"/v1/agent/pprof/{name}")
    assert answer.status == 501
    assert answer.text.startswith(f"{name} is a profile in Go's format, which this agent does not have")


async def test_other_profiles(debugged: Agent) -> None:
    answer = await debugged.get("/v1/agent/pprof/nope")
    assert (answer.status, answer.text) == (404, "Invalid method")
    answer = await debugged.get("/v1/agent/pprof/")
    assert (answer.status, answer.text) == (404, "Invalid method")
    assert (await debugged.get("/v1/agent/pprof")).text == ""
    assert (await debugged.put("/v1/agent/pprof/heap")).status == 405
