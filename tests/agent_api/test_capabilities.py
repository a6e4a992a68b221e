"""The capability of each path: Nomad's own for its paths, one of its names for ours; as documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from starlette.routing import Route

from agent_api import create_app
from agent_api.endpoint import Capability, Endpoint
from agent_api.routes import ROUTES
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent

NOMADS = {
    ("GET", "/v1/agent/members"): "node:read",
    ("GET", "/v1/agent/servers"): "agent:read",
    ("PUT", "/v1/agent/servers"): "agent:write",
    ("GET", "/v1/agent/self"): "agent:read",
    ("PUT", "/v1/agent/join"): "none",
    ("PUT", "/v1/agent/force-leave"): "agent:write",
    ("GET", "/v1/agent/health"): "none",
    ("GET", "/v1/agent/monitor"): "agent:read",
    ("GET", "/v1/agent/host"): "agent:read",
    ("GET", "/v1/agent/pprof/"): "none",
    ("GET", "/v1/agent/pprof/{profile}"): "agent:write",
    ("GET", "/v1/metrics"): "none",
    ("GET", "/v1/event/stream"): "node:read",
    ("PUT", "/v1/agent/reload"): "agent:write",
    ("GET", "/v1/status/leader"): "none",
    ("GET", "/v1/status/peers"): "none",
    ("GET", "/v1/regions"): "none",
    ("GET", "/v1/agent/keyring/list"): "agent:write",
    ("PUT", "/v1/agent/keyring/install"): "agent:write",
    ("PUT", "/v1/agent/keyring/use"): "agent:write",
    ("PUT", "/v1/agent/keyring/remove"): "agent:write",
    ("GET", "/v1/agent/keyring/{operation}"): "agent:write",
    ("PUT", "/v1/agent/keyring/{operation}"): "agent:write",
}
"""Nomad's own table."""
OWN = ("/v1/swim/", "/v1/openapi.json", "/docs")


def capabilities() -> dict[tuple[str, str], str]:
    """Capability by method and path."""
    found: dict[tuple[str, str], str] = {}
    for route in ROUTES:
        endpoint: Any = route.endpoint
        assert isinstance(endpoint, Endpoint)
        for method, action in (("GET", endpoint.get), ("PUT", endpoint.put)):
            if action is not None:
                found[method, route.path_format] = action.capability
    return found


def test_the_paths_of_nomad_take_what_they_take_there() -> None:
    ours = {key: value for key, value in capabilities().items() if not key[1].startswith(OWN)}
    assert ours == NOMADS


def test_every_path_takes_one_of_the_five_and_a_write_no_read_capability() -> None:
    assert set(capabilities().values()) <= set(get_args(Capability))
    for (method, path), capability in capabilities().items():
        assert not (method == "PUT" and capability.endswith(":read")), path
        is_nomads = (method, path) in NOMADS  # it shows keys to writers only
        assert is_nomads or not (method == "GET" and capability.endswith(":write")), path


def test_the_table_lists_every_path_that_the_application_serves(cluster: FakeCluster) -> None:
    app = create_app(cluster)
    served = {route.path_format for route in app.routes if isinstance(route, Route)} - {"/ui", "/ui/{path}"}
    assert served == {path for _, path in capabilities()}


@pytest.mark.parametrize("path", sorted({path for _, path in capabilities()}))
async def test_a_method_without_a_capability_is_refused(agent: Agent, path: str) -> None:
    methods = {method for method, known in capabilities() if known == path}
    for method in {"GET", "PUT", "DELETE"} - methods:
        assert (await agent.call(method, path)).status == 405


def test_the_document_shows_this_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `/") and line.count("|") == 4]
    expected = []
    for path in dict.fromkeys(path for _, path in capabilities()):
        cells = [capabilities().get((method, path), "") for method in ("GET", "PUT")]
        expected.append(f"| `{path}` | " + " | ".join(cell and f"`{cell}`" for cell in cells) + " |")
    assert rows == expected
