"""schemathesis against a live agent: requests made from the document, right ones and wrong ones."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import schemathesis
import trio
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_api import AgentSettings, create_app, serve
from swim import Config, open_cluster
from tests.agent_api.access.test_routes import control, secret

RULES_BETWEEN_PARAMETERS = {
    "PUT /v1/agent/servers": "an address must resolve",
    "POST /v1/agent/servers": "an address must resolve",
    "PUT /v1/swim/tags": "there must be something to set or to delete, and not both of one tag",
    "POST /v1/swim/tags": "there must be something to set or to delete, and not both of one tag",
    "GET /v1/agent/host": "not both targets, and only this agent",
    "GET /v1/agent/monitor": "not both targets, and only this agent",
    "PUT /v1/swim/query": "each tag once, with a regular expression; all of it within the node's size limit",
    "POST /v1/swim/query": "each tag once, with a regular expression; all of it within the node's size limit",
    "PUT /v1/swim/reachability": "a timeout is at most 15 s, in any unit",
    "POST /v1/swim/reachability": "a timeout is at most 15 s, in any unit",
    "POST /v1/cluster/command": "it must be a command",
}
"""Rules that OpenAPI cannot express: requests by the document may get a 400 there."""


class FirstPart:
    """ASGI middleware: ends a stream after its first part, since schemathesis reads to the end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_over = False

        async def send_first(message: Message) -> None:
            nonlocal is_over
            if is_over:
                return
            if message["type"] == "http.response.body":
                is_over, message = True, {**message, "more_body": False}
            await send(message)

        await self._app(scope, receive, send_first)


@pytest.fixture(autouse=True)
def no_names_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests have random host names: no name server may be asked for them."""
    ask = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **named: Any) -> Any:
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, f"no such host as {host}")
        return ask(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@asynccontextmanager
async def live_agent() -> AsyncIterator[str]:
    """The address of an agent with all that can be served turned on, tokens and gossip keys too."""
    settings = AgentSettings(http="127.0.0.1:0", access=control(), enable_debug=True, prometheus_metrics=True)
    config = Config.local(name="n1.global", bind="127.0.0.1:0", keys=[bytes(16)])
    async with open_cluster(config) as cluster, trio.open_nursery() as nursery:
        app = FirstPart(create_app(cluster, settings, on_reload=trio.lowlevel.checkpoint))
        host, port = await nursery.start(serve, app, settings)
        yield f"http://{host}:{port}"
        nursery.cancel_scope.cancel()


def problems(
    url: str,
    *,
    examples: int,
    seed: int,
    without: tuple[str, ...] = (),
    left_out: tuple[str, ...] = ("/v1/swim/leave",),
    least: int = 500,
    **headers: str,
) -> Iterator[str]:
    """What schemathesis finds: one text for each.

    Args:
        url: of the server.
        examples: random requests for each operation, beside those that cover its parameters.
        seed: of these.
        without: methods that are left out.
        left_out: paths, since they end the server, or do not end.
        least: fewer requests are a problem too.
        headers: sent with each.
    """
    accepted = ["2xx", "400", "401", "403", "404", "409", "429", "5xx"]
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "headers": headers,
            "request-timeout": 10,
            "generation": {"max-examples": max(examples, 1), "no-shrink": True, "database": "none"},
            "phases": {"fuzzing": {"enabled": examples > 0}, "stateful": {"enabled": False}},
            # A 5xx must be in the document, which another check looks at: Nomad's own answers have some.
            "checks": {"not_a_server_error": {"enabled": False}},
            "operations": [
                {
                    "include-name": name,
                    "checks": {"positive_data_acceptance": {"expected-statuses": accepted}},
                }
                for name in RULES_BETWEEN_PARAMETERS
            ],
        }
    )
    schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json", config=config, headers=headers)
    for path in left_out:
        schema = schema.exclude(path=path)
    for method in without:
        schema = schema.exclude(method=method)
    requests = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.info.format()}"
        elif isinstance(event, events.FatalError):
            yield repr(event.exception)
        elif isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.interactions)
            for check in (each for checks in event.recorder.checks.values() for each in checks):
                if found := check.failure_info:
                    failure = found.failure
                    yield f"{event.recorder.label}: {failure.title}\n{failure.message}\n{found.code_sample}"
    if requests < least:
        yield f"only {requests} requests were made"


async def find(**options: Any) -> list[str]:
    token = {"X-Nomad-Token": secret("management")}
    async with live_agent() as url:
        return await trio.to_thread.run_sync(lambda: list(problems(url, **options, **token)))


@pytest.mark.slow
async def test_schemathesis_finds_nothing() -> None:
    assert await find(examples=0, seed=1, without=("POST",)) == []  # which is the same as PUT


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(5))
async def test_schemathesis_finds_nothing_in_many_requests(seed: int) -> None:
    assert await find(examples=200, seed=seed) == []
