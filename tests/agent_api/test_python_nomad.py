"""python-nomad, as it is on PyPI: every call of its agent, status, regions, metrics and events."""

from __future__ import annotations

import queue
from collections.abc import AsyncIterator, Callable
from typing import Any

import nomad
import pytest
import trio
from nomad.api import exceptions

from tests.agent_api.access.test_routes import control, secret
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served


@pytest.fixture(params=[False, True], ids=["open", "tokens"])
async def api(request: pytest.FixtureRequest, cluster: FakeCluster) -> AsyncIterator[nomad.Nomad]:
    settings: dict[str, Any] = {"access": control()} if request.param else {}
    async with served(cluster, **settings) as agent:
        yield client(agent, "management")


def client(agent: Agent, kind: str) -> nomad.Nomad:
    host, port = agent.endpoint
    return nomad.Nomad(host=host, port=port, timeout=5, token=secret(kind))


async def ask(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await trio.to_thread.run_sync(lambda: call(*args, **kwargs))


async def test_agent(api: nomad.Nomad, cluster: FakeCluster) -> None:
    assert set(await ask(api.agent.get_agent)) == {"config", "member", "stats"}
    assert [one["Name"] for one in (await ask(api.agent.get_members))["Members"]] == ["n1.global"]
    assert await ask(api.agent.get_servers) == ["127.0.0.1:4647"]
    joined = await ask(api.agent.join_agent, ["127.0.0.1:4648", "nope"])
    assert joined == {"num_joined": 1, "error": "", "warning": ""}
    assert await ask(api.agent.update_servers, ["10.0.0.1:4647"]) == 200
    cluster.add(make_member("b.global"))
    assert await ask(api.agent.force_leave, "nope") == 200


async def test_status(api: nomad.Nomad, cluster: FakeCluster) -> None:
    leader, peers = api.status.leader, api.status.peers
    address = await ask(leader.get_leader)
    assert address == "127.0.0.1:4647"
    assert await ask(lambda: (address in leader, len(leader))) == (True, len(address))
    assert await ask(peers.get_peers) == [address]
    found = await ask(lambda: (address in peers, "nope" in peers, len(peers), peers[address], list(peers)))
    assert found == (True, False, 1, address, [address])


async def test_regions(api: nomad.Nomad) -> None:
    regions = api.regions
    found = await ask(
        lambda: (regions.get_regions(), "global" in regions, len(regions), regions["global"], [*regions])
    )
    assert found == (["global"], True, 1, "global", ["global"])


async def test_metrics(api: nomad.Nomad) -> None:
    assert set(await ask(api.metrics.get_metrics)) == {"Timestamp", "Gauges", "Points", "Counters", "Samples"}


async def test_events(api: nomad.Nomad, cluster: FakeCluster) -> None:
    events: queue.Queue[Any] = queue.Queue()
    thread, ended, _ = api.event.stream.get_stream(topic={"Member": "*"}, event_queue=events, timeout=5)
    thread.daemon = True
    thread.start()
    with trio.fail_after(10):
        while not cluster.subscriptions:
            await trio.lowlevel.checkpoint()
        cluster.add(make_member("b"))
        frame = await ask(events.get, timeout=5)
        ended.set()
        cluster.add(make_member("c"))
        await ask(thread.join)
    assert frame["Events"][0]["Type"] == "MemberJoined"
    assert frame["Events"][0]["Payload"]["Member"]["Name"] == "b"


@pytest.mark.parametrize("kind", ["unknown", "node:read"])
async def test_tokens_that_may_not(cluster: FakeCluster, kind: str) -> None:
    async with served(cluster, access=control()) as agent:
        api = client(agent, kind)
        denied = ((api.agent.get_agent, ()), (api.agent.get_servers, ()), (api.agent.force_leave, ("a",)))
        for call, arguments in denied:
            with pytest.raises(exceptions.URLNotAuthorizedNomadException, match="Permission denied"):
                await ask(call, *arguments)
        assert await ask(api.status.leader.get_leader) == "127.0.0.1:4647"
        unknown = exceptions.URLNotAuthorizedNomadException
        with pytest.raises(unknown if kind == "unknown" else exceptions.URLNotFoundNomadException):
            await ask(api.job.get_job, "example")


async def test_refusals_become_its_exceptions(cluster: FakeCluster) -> None:
    async with served(cluster, client_enabled=False) as agent:
        api = client(agent, "management")
        with pytest.raises(exceptions.BadRequestNomadException, match="missing address to join"):
            await ask(api.agent.join_agent, [])
        with pytest.raises(exceptions.URLNotFoundNomadException):
            await ask(api.jobs.get_jobs)
        with pytest.raises(exceptions.BaseNomadException, match="Invalid method"):
            await ask(api.agent.get_servers)
