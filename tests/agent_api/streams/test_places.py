"""One client has only so many streams open at once, and which answers are streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio

from agent_api.access.control import AccessControl
from agent_api.access.rules import AccessRules, Token, hash_of
from agent_api.endpoint import Endpoint
from agent_api.limits import HttpLimits
from agent_api.routes import ROUTES
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served

WATCH = "/v1/swim/watch"
PARAMETERS = {
    "/v1/swim/query": "name=load",
    "/v1/agent/force-leave": "node=n1.global",
    "/v1/swim/force-leave": "node=n1.global",
}


@asynccontextmanager
async def opened(agent: Agent, target: str, method: str = "GET", **headers: str) -> AsyncIterator[bytes]:
    """The head of an answer that goes on until the block ends."""
    lines = [f"{method} {target} HTTP/1.1", "Host: agent", "Content-Length: 0"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        await stream.send_all("\r\n".join([*lines, "", ""]).encode())
        received = b""
        with trio.fail_after(10):
            while b"\r\n\r\n" not in received:
                received += await stream.receive_some()
        yield received


def rules(*secrets: str) -> AccessControl:
    tokens = [Token(f"{n:08x}", one, ("management",), hash_of(one)) for n, one in enumerate(secrets)]
    return AccessControl(AccessRules(tuple(tokens), {"anonymous": ("node:read",)}))


async def test_a_token_has_so_many_streams_and_another_one_its_own(cluster: FakeCluster) -> None:
    limits = HttpLimits(max_streams_per_token=3)
    async with served(cluster, access=rules("a", "b"), limits=limits) as agent:
        for headers in ({"X_Nomad_Token": "a"}, {"X_Nomad_Token": "b"}, {}):
            async with AsyncExitStack() as streams:
                for path in (WATCH, WATCH, "/v1/event/stream?topic=Member"):
                    assert b" 200 " in await streams.enter_async_context(opened(agent, path, **headers))
                refused = await agent.get(WATCH, **headers)
                assert refused.status == 429
                assert refused.text == "too many open streams (max_streams_per_token)"
                assert (await agent.get("/v1/agent/members", **headers)).status == 200
            with trio.fail_after(10):
                while await agent.head("GET", WATCH, **headers) != 200:
                    await trio.lowlevel.checkpoint()
    assert cluster.metrics.counters["swim.dropped.http-streams"] >= 3


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_what_is_sent_in_parts_counts_as_a_stream(cluster: FakeCluster, route: Any) -> None:
    endpoint: Endpoint = route.endpoint
    path = route.path.replace("{profile}", "cmdline").replace("{operation}", "x")
    async with served(cluster, enable_debug=True) as agent:
        for method, action in (("GET", endpoint.get), ("PUT", endpoint.put)):
            if action is not None:
                async with opened(agent, f"{path}?{PARAMETERS.get(path, '')}", method) as head:
                    assert (b"transfer-encoding: chunked" in head.lower()) == action.is_stream
