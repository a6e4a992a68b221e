"""Every route of the agent has a call, and the blocking, trio and asyncio clients do the same with each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, closing
from typing import Any, TypeVar

import httpx
import pytest
import trio

from agent_api import create_app
from agent_api.client import AgentClient, AgentError, AsyncAgentClient, NotAnAgent
from agent_api.client.calls import OwnCalls
from agent_api.client.nomad import NomadCalls
from agent_api.client.requests import BlockingCalls, Request, Stream, json_of
from agent_api.routes import ROUTES
from swim import Config, MemberStatus, QueryAck
from tests.agent_api.access.test_routes import control, secret
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served

T = TypeVar("T")
FRONTS = ("blocking", "trio", "asyncio")
KEY = b"k" * 16

CALLS: dict[str, Callable[[Any], Any]] = {
    "GET /v1/agent/members": lambda c: c.nomad.members(),
    "GET /v1/agent/servers": lambda c: c.nomad.servers(),
    "PUT /v1/agent/servers": lambda c: c.nomad.set_servers(["1.2.3.4:5"]),
    "GET /v1/agent/self": lambda c: c.nomad.self_(),
    "PUT /v1/agent/join": lambda c: c.nomad.join(["127.0.0.1:4648", "nope"]),
    "PUT /v1/agent/force-leave": lambda c: c.nomad.force_leave("pruned", prune=True),
    "GET /v1/agent/health": lambda c: c.nomad.health("client", "server"),
    "GET /v1/agent/monitor": lambda c: c.nomad.monitor("debug", is_json=True),
    "GET /v1/agent/host": lambda c: c.nomad.host(),
    "GET /v1/agent/pprof/{profile}": lambda c: c.nomad.profile("cmdline"),
    "GET /v1/metrics": lambda c: c.nomad.metrics(),
    "GET /v1/event/stream": lambda c: c.nomad.event_stream("Member:gone", index=1),
    "PUT /v1/agent/reload": lambda c: c.nomad.reload(),
    "GET /v1/status/leader": lambda c: c.nomad.leader("global"),
    "GET /v1/status/peers": lambda c: c.nomad.peers(),
    "GET /v1/regions": lambda c: c.nomad.regions(),
    "GET /v1/agent/keyring/list": lambda c: c.nomad.list_keys(),
    "PUT /v1/agent/keyring/install": lambda c: c.nomad.install_key(KEY[::-1]),
    "PUT /v1/agent/keyring/use": lambda c: c.nomad.use_key(KEY),
    "PUT /v1/agent/keyring/remove": lambda c: c.nomad.remove_key(b"x" * 16),
    "GET /v1/openapi.json": lambda c: c.openapi(),
    "GET /v1/swim/members": lambda c: c.members(),
    "GET /v1/swim/info": lambda c: c.info(),
    "PUT /v1/swim/join": lambda c: c.join(["127.0.0.1:4648"]),
    "PUT /v1/swim/force-leave": lambda c: c.force_leave("ä&b c"),
    "GET /v1/swim/why": lambda c: c.why("gone"),
    "GET /v1/swim/events": lambda c: c.events(),
    "PUT /v1/swim/events": lambda c: c.user_event("deploy", b"\x00\xff", coalesce=True),
    "GET /v1/swim/watch": lambda c: c.watch(),
    "PUT /v1/swim/query": lambda c: c.query("load", b"?", nodes=["gone"], ack=True, timeout=1.0),
    "GET /v1/swim/tags": lambda c: c.tags(),
    "PUT /v1/swim/tags": lambda c: c.set_tags({"a": "b=c"}, remove=["dc"]),
    "GET /v1/swim/coordinate": lambda c: c.coordinate("gone"),
    "GET /v1/swim/rtt": lambda c: c.rtt("gone"),
    "PUT /v1/swim/reachability": lambda c: c.reachability(["gone"], ping_timeout=0.5),
    "GET /v1/swim/keyring": lambda c: c.keyring(),
    "PUT /v1/swim/keyring/install": lambda c: c.change_keyring("install", key=KEY[::-1]),
    "PUT /v1/swim/keyring/use": lambda c: c.change_keyring("use", key=KEY),
    "PUT /v1/swim/keyring/remove": lambda c: c.change_keyring("remove", key=b"x" * 16),
    "GET /v1/swim/coordinates": lambda c: c.coordinates(),
    "GET /v1/swim/snapshot": lambda c: c.snapshot("members"),
    "GET /v1/swim/views": lambda c: c.views(),
    "GET /v1/swim/partitions": lambda c: c.partitions(),
    "GET /v1/swim/health/live": lambda c: c.live(),
    "GET /v1/swim/health/ready": lambda c: c.ready(),
    "GET /v1/swim/config": lambda c: c.config(),
    "GET /v1/swim/metrics/history": lambda c: c.metrics_history(),
    # last, since the cluster is gone after it
    "PUT /v1/swim/leave": lambda c: c.leave(),
}
"""By route: a call."""
OTHERS = {"GET /v1/agent/keyring/{operation}", "PUT /v1/agent/keyring/{operation}",
          "GET /v1/agent/pprof/", "GET /v1/swim/why/{name:path}", "GET /docs"}  # fmt: skip
"""Routes that have no call: what is never answered, another spelling of a path, and what is for people."""
STREAMS = {"GET /v1/agent/monitor", "GET /v1/event/stream", "GET /v1/swim/events", "GET /v1/swim/watch",
           "PUT /v1/swim/query", "PUT /v1/swim/reachability"}  # fmt: skip


class Recorder(OwnCalls, BlockingCalls):
    """A client that sends nothing."""

    def __init__(self, sent: list[str] | None = None) -> None:
        self.sent: list[str] = [] if sent is None else sent
        self.nomad = _NomadRecorder(self.sent)

    def send(self, request: Request[T]) -> Any:
        self.sent.append(f"{request.method} {request.path}")

    def follow(self, stream: Stream[T]) -> Any:
        self.sent.append(f"{stream.method} {stream.path}")


class _NomadRecorder(NomadCalls, BlockingCalls):
    def __init__(self, sent: list[str]) -> None:
        self.sent = sent

    send = Recorder.send
    follow = Recorder.follow


def routes() -> Iterable[str]:
    for route in ROUTES:
        for method, action in (("GET", route.endpoint.get), ("PUT", route.endpoint.put)):
            if action is not None:
                yield f"{method} {route.path}"


def test_every_route_of_nomads_has_a_call() -> None:
    served = set(routes())
    assert CALLS.keys() <= served
    assert {route for route in served - CALLS.keys() if "/v1/swim/" not in route} <= OTHERS


@pytest.mark.parametrize("route", CALLS)
def test_a_call_sends_the_method_and_the_path_of_its_route(route: str) -> None:
    recorder = Recorder()
    CALLS[route](recorder)
    pattern = re.sub(r"\{\w+\}", r"[a-z]+", route)
    assert re.fullmatch(pattern, recorder.sent[0])


def test_every_call_is_in_the_table() -> None:
    """So each is compared below."""

    def names(calls: type) -> set[str]:
        return {name for name in vars(calls) if not name.startswith("_")}

    source = "".join(str(CALLS[route].__code__.co_names) for route in CALLS)
    for name in names(OwnCalls) | names(NomadCalls):
        assert f"'{name}'" in source or name in ("request", "prometheus"), name


@pytest.fixture
async def full(cluster: FakeCluster) -> AsyncIterator[Agent]:
    keyed = FakeCluster(Config(name="n1.global", keys=[KEY], tags=dict(cluster.local.tags)))
    for name in ("gone", "pruned", "ä&b c"):
        keyed.add(make_member(name, status=MemberStatus.FAILED))
    keyed.replies.put.send_nowait(QueryAck("gone"))
    keyed.replies.put.close()

    async def reload() -> None:
        pass

    async with served(keyed, access=control(), on_reload=reload) as agent:
        yield agent


async def ask(
    front: str, agent: Agent, call: Callable[[Any], Any], *, token: str = "management", region: str = ""
) -> Any:
    """The reply of a call on a front; of a stream the first item."""
    address = "http://{}:{}".format(*agent.endpoint)
    return await on(front, call, address, token=secret(token), region=region, timeout=5.0)


async def on(front: str, call: Callable[[Any], Any], address: str, **settings: Any) -> Any:
    """The same, of any client."""
    if front == "blocking":
        return await trio.to_thread.run_sync(lambda: _blocking(AgentClient(address, **settings), call))
    client = AsyncAgentClient(address, **settings)
    if front == "trio":
        return await _awaited(client, call)
    return await trio.to_thread.run_sync(lambda: asyncio.run(_awaited(client, call)))


def _blocking(client: AgentClient, call: Callable[[Any], Any]) -> Any:
    found = call(client)
    if hasattr(found, "__next__"):
        with closing(found) as items:
            return next(items)
    return found


async def _awaited(client: AsyncAgentClient, call: Callable[[Any], Any]) -> Any:
    async with client:
        found = call(client)
        if isinstance(found, Awaitable):
            return await found
        async with aclosing(found) as items:
            return await anext(items)


@pytest.mark.parametrize("front", FRONTS)
async def test_every_call_is_answered_on_every_front(full: Agent, front: str) -> None:
    """The agent checks tokens; whatever a method returns fits its type, or ``NotAnAgent`` is raised."""
    silent = {"GET /v1/swim/events", "GET /v1/event/stream"}
    for route, call in CALLS.items():
        if route not in silent:
            await ask(front, full, call)
    assert full.cluster.status == "left"


@pytest.mark.parametrize("front", FRONTS)
async def test_the_first_items_of_streams(full: Agent, front: str) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_add_once_subscribed, full.cluster)
        frame = await ask(front, full, lambda c: c.nomad.event_stream())
    assert frame["Events"][0]["Type"] in ("MemberJoined", "MemberFailed")
    snapshot = await ask(front, full, lambda c: c.watch())
    assert {member["name"] for member in snapshot["snapshot"]["members"]} >= {"gone", "n1.global"}
    assert await ask(front, full, lambda c: c.nomad.monitor()) == {}
    ack = await ask(front, full, lambda c: c.query("load"))
    assert (ack["event"], ack["source"]) == ("QueryAck", "gone")


async def _add_once_subscribed(cluster: FakeCluster) -> None:
    with trio.fail_after(5):
        while not cluster.subscriptions:
            await trio.lowlevel.checkpoint()
    cluster.add(make_member("b"))


@pytest.mark.parametrize("front", FRONTS)
async def test_refusals_are_the_same_on_every_front(full: Agent, front: str) -> None:
    refused: tuple[tuple[Callable[[Any], Any], str, int, str], ...] = (
        (lambda c: c.nomad.members(), "unknown", 403, "Permission denied"),
        (lambda c: c.watch(), "unknown", 403, "Permission denied"),
        (lambda c: c.why("nope"), "management", 404, "no member named 'nope'"),
        (lambda c: c.nomad.set_servers([]), "management", 400, "missing server address"),
        (lambda c: c.nomad.leader("mars"), "management", 500, "No path to region"),
        (lambda c: c.query("x", nodes=["nope"]), "management", 404, "no member named 'nope'"),
    )
    for call, token, status, text in refused:
        with pytest.raises(AgentError) as refusal:
            await ask(front, full, call, token=token)
        assert (refusal.value.status, refusal.value.text, str(refusal.value)) == (status, text, text)


@pytest.mark.parametrize("front", FRONTS)
async def test_health_is_a_reply_even_if_it_is_bad(full: Agent, front: str) -> None:
    full.cluster.status = "leaving"
    health = await ask(front, full, lambda c: c.nomad.health("server"))
    assert health == {"server": {"ok": False, "message": "agent is leaving"}}
    full.cluster.broken = ValueError("bug")
    with pytest.raises(AgentError, match="internal error: ValueError"):
        await ask(front, full, lambda c: c.nomad.health("client"))


@pytest.mark.parametrize("front", FRONTS)
async def test_the_region_is_sent_with_every_request(full: Agent, front: str) -> None:
    with pytest.raises(AgentError, match="No path to region"):
        await ask(front, full, lambda c: c.nomad.leader(), region="mars")
    assert await ask(front, full, lambda c: c.nomad.leader("global"), region="mars") == "127.0.0.1:4647"


@pytest.mark.parametrize("front", FRONTS)
async def test_an_answer_of_another_shape_is_no_agents(full: Agent, front: str) -> None:
    wrong = Request("GET", "/v1/regions", json_of(dict[str, int]))
    with pytest.raises(NotAnAgent, match="is not a swim agent"):
        await ask(front, full, lambda c: c.send(wrong))


async def test_an_application_in_this_process(cluster: FakeCluster) -> None:
    transport = httpx.ASGITransport(create_app(cluster))
    async with AsyncAgentClient("http://127.0.0.1", transport=transport) as client:
        assert (await client.nomad.members())["ServerName"] == "n1"
