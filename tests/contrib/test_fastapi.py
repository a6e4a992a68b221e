"""The FastAPI adapter in real applications, without a server: each test is an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

import pytest

pytest.importorskip("fastapi")

from fastapi import Depends, FastAPI, WebSocket

import swim
from swim.asyncio import Cluster
from swim.contrib.fastapi import cluster_lifespan, cluster_router, get_cluster

ThisCluster = Annotated[Cluster, Depends(get_cluster)]


def config() -> swim.Config:
    return swim.Config.local(bind="127.0.0.1:0", name="web-\udcff")


def application(**lifespan: Any) -> FastAPI:
    app = FastAPI(lifespan=cluster_lifespan(config, leave_timeout=0, **lifespan))
    app.include_router(cluster_router())

    @app.get("/leave")
    async def leave(cluster: ThisCluster) -> None:
        await cluster.leave()

    @app.websocket("/names")
    async def names(socket: WebSocket, cluster: ThisCluster) -> None:
        await socket.accept()
        await socket.send_json([ascii(member.name) for member in cluster.members()])

    return app


class Client:
    """Requests to a running application, as a server makes them."""

    def __init__(self, app: FastAPI, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON body of the answer."""
        sent = await self._exchange("http", path, {"type": "http.request"}, method="GET")
        return sent[0]["status"], json.loads(sent[1]["body"])

    async def hear(self, path: str) -> Any:
        """What a websocket sends first."""
        sent = await self._exchange("websocket", path, {"type": "websocket.connect"}, subprotocols=[])
        return json.loads(sent[1]["text"])

    async def _exchange(
        self, kind: str, path: str, received: dict[str, Any], **more: Any
    ) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return received

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": kind,
            "path": path,
            "query_string": b"",
            "headers": [],
            "state": dict(self._state),
            **more,
        }
        await self._app(scope, receive, send)
        return sent


def served(app: FastAPI, use: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    """Runs an application with its lifespan, and uses it."""

    async def main() -> None:
        async with app.router.lifespan_context(app) as state:
            await use(Client(app, dict(state or {})))

    asyncio.run(main())


def test_the_router_shows_what_the_worker_sees() -> None:
    async def use(client: Client) -> None:
        _, document = await client.get("/cluster/members")
        [member] = document["members"]
        assert (member["name"], member["status"]) == ("web-\ufffd", "alive")
        health = {"ok": True, "name": "web-\ufffd", "status": "running", "alive": 1, "health_score": 0}
        assert await client.get("/cluster/health") == (200, health)
        _, metrics = await client.get("/cluster/metrics")
        assert set(metrics) == {"counters", "gauges", "stats"}
        assert metrics["stats"]["members"] == 1
        assert await client.hear("/names") == [ascii(config().name)]

    served(application(), use)


def test_a_member_that_has_left_is_not_healthy() -> None:
    async def use(client: Client) -> None:
        await client.get("/leave")
        status, health = await client.get("/cluster/health")
        assert (status, health["ok"], health["status"]) == (503, False, "left")

    served(application(), use)


def test_each_start_makes_its_own_configuration() -> None:
    made: list[swim.Config] = []

    def remember() -> swim.Config:
        made.append(swim.Config.local(bind="127.0.0.1:0"))
        return made[-1]

    async def use(client: Client) -> None:
        assert (await client.get("/health"))[1]["name"] == made[-1].name

    app = FastAPI(lifespan=cluster_lifespan(remember, leave_timeout=0))
    app.include_router(cluster_router(prefix=""))
    served(app, use)
    served(app, use)
    assert len({config.name for config in made}) == 2


def test_a_lifespan_of_ones_own_adds_its_state() -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
        async with cluster_lifespan(config, leave_timeout=0)(app) as state:
            yield {**state, "answer": 42}

    async def use(client: Client) -> None:
        assert (await client.get("/cluster/health"))[0] == 200
        assert (await client.get("/inner/cluster/health"))[0] == 200  # a mounted one shares the state

    app = FastAPI(lifespan=lifespan)
    app.mount("/inner", application())
    app.include_router(cluster_router())
    served(app, use)


def test_without_the_lifespan_the_error_says_what_is_missing() -> None:
    async def use(client: Client) -> None:
        with pytest.raises(swim.LocalError, match=r"FastAPI\(lifespan=cluster_lifespan"):
            await client.get("/cluster/health")

    app = FastAPI()
    app.include_router(cluster_router())
    served(app, use)


def test_a_setting_that_is_wrong_ends_the_start() -> None:
    async def use(_client: Client) -> None:
        pytest.fail("it started")

    with pytest.raises(swim.ConfigError, match="isolation"):
        served(application(isolation="both"), use)


@pytest.mark.parametrize("prefix", ["cluster", "/cluster/", "/", 7, None])
def test_a_wrong_prefix_is_named(prefix: Any) -> None:
    with pytest.raises(swim.ConfigError, match=r"^prefix: "):
        cluster_router(prefix=prefix)


@pytest.mark.parametrize("wrong", [None, "lan", {}, 7])
def test_a_wrong_configuration_is_named(wrong: Any) -> None:
    with pytest.raises(swim.ConfigTypeError, match=r"^config: "):
        cluster_lifespan(wrong)
