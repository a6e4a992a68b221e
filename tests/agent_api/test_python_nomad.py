"""python-nomad, as it is on PyPI, against our agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nomad
import pytest
import trio
from nomad.api import exceptions

from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served


def _client(agent: Agent) -> nomad.Nomad:
    return nomad.Nomad(host=agent.endpoint[0], port=agent.endpoint[1], timeout=5)


async def _ask(call: Callable[..., Any], *args: Any) -> Any:
    return await trio.to_thread.run_sync(call, *args)


async def test_agent_calls(agent: Agent) -> None:
    api = _client(agent).agent
    document = await _ask(api.get_agent)
    assert isinstance(document, dict)
    members = await _ask(api.get_members)
    assert [member["Name"] for member in members["Members"]] == ["n1.global"]
    assert await _ask(api.get_servers) == ["127.0.0.1:4647"]
    assert await _ask(api.join_agent, ["127.0.0.1:4648"]) == {"num_joined": 1, "error": "", "warning": ""}
    assert (await _ask(api.join_agent, "nope"))["num_joined"] == 0
    assert await _ask(api.update_servers, ["192.168.33.10:4647", "10.1.10.200:4647"]) == 200
    assert await _ask(api.get_servers) == ["10.1.10.200:4647", "192.168.33.10:4647"]
    assert await _ask(api.force_leave, "nope") == 200
    health = await _ask(lambda: api.request("health", method="get").json())
    assert health["server"]["ok"]


async def test_refusals_become_its_exceptions(cluster: FakeCluster) -> None:
    async with served(cluster, client_enabled=False) as agent:
        client = _client(agent)
        with pytest.raises(exceptions.BadRequestNomadException, match="missing address to join"):
            await _ask(client.agent.join_agent, [])
        with pytest.raises(exceptions.URLNotFoundNomadException):
            await _ask(client.jobs.get_jobs)
        with pytest.raises(exceptions.BaseNomadException, match="Invalid method"):
            await _ask(client.agent.get_servers)
