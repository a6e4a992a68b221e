"""The application in an asyncio program: every path answers there too."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from agent_api import create_app
from swim import Config, Event, MemberJoined, Reason
from swim.addresses import Endpoint
from tests.agent_api.fakes import FakeCluster, make_member


class AsyncioEvents:
    """An endless subscription."""

    def __init__(self, happened: asyncio.Queue[Event]) -> None:
        self._happened = happened

    def __aiter__(self) -> AsyncioEvents:
        return self

    async def __anext__(self) -> Event:
        return await self._happened.get()

    def close(self) -> None:
        pass


class AsyncioCluster(FakeCluster):
    """The fake, with those of its parts that belong to trio replaced."""

    def now(self) -> float:
        return time.monotonic()

    def events(self) -> Any:
        self.happened: asyncio.Queue[Event] = asyncio.Queue()
        return AsyncioEvents(self.happened)

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
        return [address[:2] for *_, address in found]


async def call(app: Any, method: str, target: str, *, lines: int = 1) -> tuple[int, bytes]:
    """Status and body of one request; the client goes once so many pieces of the body are there."""
    path, _, query = target.partition("?")
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": [],
             "server": ("127.0.0.1", 4646)}  # fmt: skip
    arrived = asyncio.Event()
    messages: list[dict[str, Any]] = []

    requests = [{"type": "http.request"}]

    async def receive() -> dict[str, Any]:
        if requests:
            return requests.pop()
        await arrived.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)
        if sum(bool(message.get("body")) for message in messages) >= lines:
            arrived.set()

    await app(scope, receive, send)
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/v1/agent/members", 200),
        ("GET", "/v1/agent/self", 200),
        ("GET", "/v1/agent/health", 200),
        ("GET", "/v1/agent/servers", 200),
        ("PUT", "/v1/agent/servers?address=localhost&address=127.0.0.1:1", 200),
        ("PUT", "/v1/agent/servers?address=%ff", 400),
        ("PUT", "/v1/agent/join?address=127.0.0.1:4648", 200),
        ("PUT", "/v1/agent/force-leave?node=nobody", 200),
        ("GET", "/v1/swim/members", 200),
        ("GET", "/v1/swim/info", 200),
        ("GET", "/v1/swim/why?name=n1", 200),
        ("PUT", "/v1/swim/leave", 200),
        ("PUT", "/v1/swim/events?name=deploy", 200),
        ("PUT", "/v1/swim/tags?set=a=b", 200),
        ("GET", "/v1/swim/watch", 200),
        ("GET", "/v1/nowhere", 404),
    ],
)
def test_paths(method: str, target: str, status: int) -> None:
    app = create_app(AsyncioCluster(Config(name="n1")))
    answer, body = asyncio.run(call(app, method, target))
    assert answer == status, body


def test_events_as_they_happen_in_an_application_that_mounts_this_one() -> None:
    cluster = AsyncioCluster(Config(name="n1"))
    outer = Starlette(routes=[Mount("/cluster", create_app(cluster))])

    async def watch() -> tuple[int, bytes]:
        request = asyncio.create_task(call(outer, "GET", "/cluster/v1/swim/events", lines=2))
        while not hasattr(cluster, "happened"):  # noqa: ASYNC110  the application subscribes when it answers
            await asyncio.sleep(0)
        member = make_member("n2")
        cluster.happened.put_nowait(MemberJoined(member, None, Reason("claim"), sequence=1))
        return await request

    status, body = asyncio.run(watch())
    first, second = map(json.loads, body.splitlines())
    assert (status, first) == (200, {})
    assert (second["event"], second["member"]["name"]) == ("MemberJoined", "n2")
