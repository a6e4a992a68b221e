"""Every path, every kind of token: the exact status and text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import trio

from agent_api.access.control import AccessControl
from agent_api.access.rules import CAPABILITIES, AccessRules, Token, hash_of
from agent_api.client import AgentClient
from agent_api.endpoint import Action, Endpoint
from agent_api.routes import ROUTES
from swim import UserEvent
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served

GRANTS = {
    "none": {"none"},
    "unknown": {"none"},
    "expired": {"none"},
    "node:read": {"none", "node:read"},
    "node:write": {"none", "node:read", "node:write"},
    "agent:read": {"none", "agent:read"},
    "agent:write": {"none", "agent:read", "agent:write"},
    "management": {"none", *CAPABILITIES},
}
"""What each client may do; written out here, not computed."""
PARAMETERS = {
    ("PUT", "/v1/agent/servers"): "address=1.2.3.4:5",
    ("PUT", "/v1/agent/join"): "address=127.0.0.1:4648",
    ("GET", "/v1/event/stream"): "topic=Member",
}
"""What is checked before the token."""


def secret(kind: str) -> str:
    return f"secret-of-{kind}"


def token(kind: str, *, expires: str = "") -> Token:
    policies = ("management",) if kind == "expired" else (kind,)
    return Token(f"{len(kind):08x}", kind, policies, hash_of(secret(kind)), expires=expires)


def rules(**policies: tuple[str, ...]) -> AccessRules:
    expired = token("expired", expires="2026-01-01T00:00:00Z")
    made = [Token(f"{n:08x}", kind, (kind,), hash_of(secret(kind))) for n, kind in enumerate(CAPABILITIES)]
    return AccessRules((expired, *made), policies)


def control(**policies: tuple[str, ...]) -> AccessControl:
    return AccessControl(rules(**policies), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def closed(cluster: FakeCluster) -> AsyncIterator[Agent]:
    async with served(cluster, access=control(), enable_debug=True) as agent:
        yield agent


def headers(kind: str) -> dict[str, str]:
    return {} if kind == "none" else {"X_Nomad_Token": secret(kind)}


def actions() -> list[tuple[str, str, Action]]:
    found: list[tuple[str, str, Action]] = []
    for route in ROUTES:
        endpoint: Any = route.endpoint
        assert isinstance(endpoint, Endpoint)
        for method, action in (("GET", endpoint.get), ("PUT", endpoint.put)):
            if action is not None:
                found.append((method, route.path, action))
    return found


@pytest.mark.parametrize("kind", GRANTS)
@pytest.mark.parametrize(
    ("method", "path", "action"), actions(), ids=lambda value: value if isinstance(value, str) else ""
)
async def test_every_path_with_every_kind_of_token(
    closed: Agent, cluster: FakeCluster, method: str, path: str, action: Action, kind: str
) -> None:
    if action.capability in GRANTS[kind]:
        answer = await closed.head(method, f"{path}?{PARAMETERS.get((method, path), '')}", **headers(kind))
        assert answer not in (401, 403)
        assert not cluster.metrics.counters["swim.dropped.http-denied"]
        return
    answer = await closed.call(method, f"{path}?{PARAMETERS.get((method, path), '')}", **headers(kind))
    text = "ACL token expired" if kind == "expired" else "Permission denied"
    assert (answer.status, answer.text, answer.kind) == (403, text, "text/plain; charset=utf-8")
    assert cluster.metrics.counters["swim.dropped.http-denied"] == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"X_Nomad_Token": " agent:read "}, 200),
        ({"Authorization": "Bearer agent:read"}, 200),
        ({"Authorization": "bearer   agent:read  more words"}, 200),
        ({"Authorization": "BEARER agent:read"}, 200),
        ({"Authorization": "agent:read"}, 403),
        ({"Authorization": "Basic agent:read"}, 403),
        ({"Authorization": "Bearer"}, 403),
        ({"X_Nomad_Token": "bad", "Authorization": "Bearer agent:read"}, 403),
        ({"X_Nomad_Token": "  ", "Authorization": "Bearer agent:read"}, 200),
        ({"X_Nomad_Token": "x" * 5000}, 403),
        ({"X_Nomad_Token": "\xff\xfe"}, 403),
    ],
)
async def test_where_the_token_is_looked_for(closed: Agent, sent: dict[str, str], status: int) -> None:
    wanted = {name: value.replace("agent:read", secret("agent:read")) for name, value in sent.items()}
    assert (await closed.get("/v1/agent/self", **wanted)).status == status


async def test_never_in_the_query_or_the_body(closed: Agent) -> None:
    mine = secret("management")
    assert (await closed.get(f"/v1/agent/self?token={mine}")).status == 403
    answer = await closed.call("PUT", "/v1/swim/leave", body=f"token={mine}".encode())
    assert answer.status == 403


async def test_nomads_order_of_checks(closed: Agent) -> None:
    assert (await closed.get("/v1/agent/members?stale=x")).status == 400
    assert (await closed.put("/v1/agent/servers")).text == "missing server address"
    assert (await closed.put("/v1/agent/force-leave")).status == 403
    assert (await closed.put("/v1/agent/force-leave", **headers("agent:write"))).status == 400
    assert (await closed.put("/v1/agent/self")).status == 405
    for target in ("node_id=nope", "server_id=nope", "node_id=a&server_id=b"):
        assert (await closed.get(f"/v1/agent/host?{target}")).status == 403
    assert (await closed.get("/v1/agent/monitor?node_id=nope")).status == 403
    assert (await closed.get("/v1/agent/monitor?node_id=a&server_id=b")).status == 400


async def test_a_path_that_there_is_not(closed: Agent) -> None:
    answers = [await closed.get("/v1/job/x", **headers(kind)) for kind in ("none", "node:read", "unknown")]
    assert [answer.status for answer in answers] == [404, 404, 403]
    assert answers[-1].text == "Permission denied"


async def test_roles_are_checked_first(cluster: FakeCluster) -> None:
    async with served(cluster, access=control(), server_enabled=False) as agent:
        assert (await agent.put("/v1/agent/force-leave?node=a")).status == 501
        assert (await agent.put("/v1/agent/join?address=a")).status == 501
    async with served(cluster, access=control(), client_enabled=False) as agent:
        assert (await agent.get("/v1/agent/servers")).status == 501


WARNING = "anonymous server join is deprecated and will be removed in a future version of Nomad"


@pytest.mark.parametrize(
    ("mode", "kind", "status", "warning"),
    [
        ("warn", "none", 200, WARNING), ("warn", "unknown", 200, WARNING),
        ("warn", "agent:read", 200, WARNING),
        ("warn", "agent:write", 200, ""), ("allow", "none", 200, ""), ("allow", "agent:write", 200, ""),
        ("enforce", "none", 403, None), ("enforce", "node:write", 403, None),
        ("enforce", "agent:write", 200, ""),
        ("enforce", "management", 200, ""),
    ],
)  # fmt: skip
async def test_joins(cluster: FakeCluster, mode: Any, kind: str, status: int, warning: str | None) -> None:
    access = AccessControl(rules(), join=mode)
    async with served(cluster, access=access) as agent:
        answer = await agent.put("/v1/agent/join?address=127.0.0.1:4648", **headers(kind))
        assert answer.status == status
        if warning is not None:
            assert answer.json() == {"num_joined": 1, "error": "", "warning": warning}
        else:
            assert answer.text == "Permission denied"


async def test_without_access_control_any_token_may_do_everything(agent: Agent) -> None:
    assert (await agent.get("/v1/agent/self", **headers("unknown"))).status == 200
    joined = await agent.put("/v1/agent/join?address=127.0.0.1:4648")
    assert joined.json()["warning"] == ""


async def test_the_anonymous_policy_is_for_clients_without_a_token_only(cluster: FakeCluster) -> None:
    async with served(cluster, access=control(anonymous=("node:read",))) as agent:
        assert (await agent.get("/v1/agent/members")).status == 200
        assert (await agent.get("/v1/agent/self")).status == 403
        assert (await agent.get("/v1/agent/members", **headers("unknown"))).status == 403
        assert (await agent.get("/v1/agent/members", **headers("agent:write"))).status == 403


async def test_rules_are_replaced_while_the_agent_runs(cluster: FakeCluster) -> None:
    access = control()
    async with served(cluster, access=access) as agent:
        assert (await agent.get("/v1/agent/self", **headers("agent:read"))).status == 200
        access.rules = AccessRules()
        assert (await agent.get("/v1/agent/self", **headers("agent:read"))).status == 403
        access.rules = None
        assert (await agent.get("/v1/agent/self")).status == 200


async def test_denials_are_logged_without_the_secret(
    closed: Agent, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="swim.http")
    for kind in GRANTS:
        await closed.put("/v1/swim/leave", X_Request_Id="r-1", **headers(kind))
    texts = [record.getMessage() for record in caplog.records if "denied" in record.getMessage()]
    assert texts[:3] == [
        f"denied PUT /v1/swim/leave to {bearer} at 127.0.0.1: it needs agent:write, request r-1"
        for bearer in ("no token", "an unknown token", f"the expired token {token('expired').accessor}")
    ]
    assert len(texts) == cluster.metrics.counters["swim.dropped.http-denied"] == 6
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("node:read", ["Snapshot", "MemberJoined"]), ("management", ["Snapshot", "UserEvent", "MemberJoined"])],
)
async def test_watch_shows_members_alone_unless_the_token_may_see_everything(
    closed: Agent, cluster: FakeCluster, kind: str, expected: list[str]
) -> None:
    client = AgentClient("http://{}:{}".format(*closed.endpoint), token=secret(kind))

    def watch() -> list[str]:
        # In this order, or it waits for one more line: a heartbeat.
        return [line["event"] for _, line in zip(expected, client.watch(), strict=False)]

    async def happen() -> None:
        while not cluster.subscriptions:
            await trio.lowlevel.checkpoint()
        cluster.publish(UserEvent("deploy"))
        cluster.add(make_member("b"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(happen)
        assert await trio.to_thread.run_sync(watch) == expected


async def test_what_applications_send_is_watched_with_management_only(closed: Agent) -> None:
    for path in ("watch", "snapshot"):
        answer = await closed.get(f"/v1/swim/{path}?level=members,events", **headers("node:read"))
        assert (answer.status, answer.text) == (403, "Permission denied")
        assert await closed.head("GET", f"/v1/swim/{path}?level=events", **headers("management")) == 200


async def test_no_answer_repeats_a_secret(closed: Agent) -> None:
    assert "secret" not in (await closed.get("/v1/agent/self", **headers("management"))).text
    assert hash_of(secret("management")) not in repr(rules())
