"""The document lists what is served: every path and method of the application, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from agent_api import create_app
from agent_api.endpoint import Endpoint
from agent_api.openapi.document import OPERATIONS, document
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent


def served(cluster: FakeCluster) -> dict[tuple[str, str], str]:
    """The capability of each method and path. The files of the page under ``/ui`` are not part of the API."""
    found = {}
    for route in create_app(cluster).routes:
        assert isinstance(route, Route)
        if route.path.startswith("/ui"):
            continue
        endpoint: Any = route.endpoint
        assert isinstance(endpoint, Endpoint)
        for method, action in (("get", endpoint.get), ("put", endpoint.put), ("post", endpoint.put)):
            if action:
                found[route.path_format, method] = action.capability
    return found


async def test_every_route_is_described_and_every_description_has_a_route(
    agent: Agent, cluster: FakeCluster
) -> None:
    paths = (await agent.get("/v1/openapi.json")).json()["paths"]
    assert {(path, method) for path, item in paths.items() for method in item} == set(served(cluster))
    described = {tuple(name.split(" ")) for name in OPERATIONS}
    assert described == {(method.upper(), path) for path, method in served(cluster) if method != "post"}, (
        "describe a route in agent_api/openapi/own.py (or nomad.py)"
    )


def test_the_security_of_an_operation_is_the_capability_of_its_route(cluster: FakeCluster) -> None:
    paths = document(create_app(cluster).routes)["paths"]
    for (path, method), capability in served(cluster).items():
        needed = [] if capability == "none" else [capability]
        with_token = [{"token": needed}, {"bearer": needed}]
        assert paths[path][method]["security"] == [*([{}] if not needed else []), *with_token]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from [each] if key == "$ref" else references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_references_lead_somewhere_and_every_schema_is_used(cluster: FakeCluster) -> None:
    whole = document(create_app(cluster).routes)
    names = {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}
    assert set(references(whole)) == names
    json.dumps(whole, allow_nan=False)
    identifiers = [each["operationId"] for item in whole["paths"].values() for each in item.values()]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("role", ["server", "client"])
async def test_a_role_that_can_be_off_is_a_501_where_it_counts(cluster: FakeCluster, role: str) -> None:
    from tests.agent_api.http import served as serving

    paths = document(create_app(cluster).routes)["paths"]
    async with serving(cluster, **{f"{role}_enabled": False}) as agent:
        for path, item in paths.items():
            for method, operation in item.items():
                texts = operation["responses"].get("501", {}).get("description", "")
                if f"{role} role" in texts:
                    assert (await agent.call(method.upper(), path)).status == 501, (method, path)
