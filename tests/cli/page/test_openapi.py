"""The document of the cluster's server lists what is served, and what is served is as documented."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
import trio
from starlette.routing import Mount, Route

from agent_api.openapi.page import page
from swim.cli.cluster.commands import Commands
from swim.cli.cluster.node import ClusterPlan
from swim.cli.cluster.page.app import page_app
from swim.cli.cluster.page.board import Board
from swim.cli.cluster.page.openapi import cluster_document
from swim.cli.cluster.page.tape import Tape
from swim.cli.cluster.run import LocalCluster
from tests.agent_api.openapi.test_document import references
from tests.cli.page.conftest import Served


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster_document()["paths"][path][method.lower()]
    return found


def validator(path: str, method: str = "GET") -> Any:
    """Refuses what the document does not describe: an answer, or a line of it."""
    [content] = operation(method, path)["responses"]["200"]["content"].values()
    schema = content.get("schema") or content["x-itemSchema"]
    return jsonschema_rs.validator_for(schema | {"components": cluster_document()["components"]})


async def test_every_path_and_method_is_described_and_nothing_else() -> None:
    cluster = LocalCluster(ClusterPlan(1, "local", 0, 0, label="", keys=(), seed=1))
    commands = Commands(cluster, lambda _: None, lambda _: None)
    board = Board(cluster, commands)
    app = page_app(cluster, commands, board, Tape(cluster, None), "127.0.0.1")
    served = set()
    for route in app.routes:
        assert isinstance(route, Route | Mount)
        methods = (getattr(route, "methods", None) or {"GET"}) - {"HEAD"}
        if not (route.path.startswith("/ui") or route.path == "/"):
            served |= {(route.path, method.lower()) for method in methods}
    paths = cluster_document()["paths"]
    assert {(path, method) for path, item in paths.items() for method in item} == served
    validator("/v1/cluster/watch").validate(json.loads(board.heartbeat()))


def test_it_refers_to_what_it_has_and_is_shown_to_people() -> None:
    whole = cluster_document()
    names = {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}
    assert set(references(whole)) == names
    shown = page(whole)
    assert all(f'id="schema-{name}"' in shown for name in whole["components"]["schemas"])
    assert "no token" in shown


@pytest.mark.slow
async def test_what_is_served_is_as_documented(served: Served) -> None:
    assert (await served.get("/v1/openapi.json")).json() == json.loads(json.dumps(cluster_document()))
    assert (await served.get("/v1/openapi.json?pretty")).text.startswith('{\n    "openapi"')
    assert (await served.get("/docs")).text == page(cluster_document())
    seen = set()
    async with served.lines("/v1/cluster/watch") as lines:
        check = validator("/v1/cluster/watch")
        check.validate(await lines.next())
        for verb in ("cut 1 2", "heal", "help", "kill 3", "9s heal"):
            validator("/v1/cluster/command", "POST").validate(await served.command(verb))
        while seen < {"Node", "View", "Links", "Commands"}:
            line = await lines.next()
            check.validate(line)
            seen.add(line["event"])
    for path in ("/v1/cluster/state", "/v1/cluster/measured"):
        validator(path).validate((await served.get(path)).json())
    for line in (await served.get("/v1/cluster/trace")).text.splitlines():
        validator("/v1/cluster/trace").validate(json.loads(line))
    for method, path, query, status in [
        ("GET", "/v1/cluster/trace", "?level=x", 400),
        ("GET", "/v1/cluster/nodes/{name}", "/v1/swim/members", 503),
    ]:
        answer = await served.get(path.replace("{name}", "node-3") + query)
        assert answer.status == status
        assert str(status) in operation(method, path)["responses"]
        assert answer.kind == "text/plain; charset=utf-8"
    assert (await served.get("/v1/cluster/nodes/node-1/v1/openapi.json")).status == 200


@pytest.mark.deep
async def test_schemathesis_finds_nothing(served: Served) -> None:
    from tests.agent_api.openapi.test_live import problems  # it takes seconds to import

    url = "http://{}:{}".format(*served.endpoint)
    streams = ("/v1/cluster/watch", "/v1/cluster/trace")
    found = await trio.to_thread.run_sync(
        lambda: list(problems(url, examples=50, seed=1, left_out=streams, least=60, Host="localhost"))
    )
    assert found == []
