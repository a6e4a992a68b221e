"""Pages of other sites in a browser can neither read nor write."""

from __future__ import annotations

from typing import Any

import pytest

from agent_api import AgentSettings
from swim import ConfigError
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import TEXT, Agent, Answer, served

MEMBERS = "/v1/agent/members"
POLICY = "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
WRITES = [
    "/v1/agent/join?address=127.0.0.1:4648",
    "/v1/agent/force-leave?node=a",
    "/v1/agent/servers?address=::1",
    "/v1/swim/join?address=127.0.0.1:4648",
    "/v1/swim/force-leave?node=a",
    "/v1/swim/leave",
]


async def call(agent: Agent, method: str, target: str, host: str | None = None, **headers: str) -> Answer:
    """A request with one ``Host`` of its own, or with the agent's."""
    return await agent.call(method, target, host=host or "{}:{}".format(*agent.endpoint), **headers)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4646", "127.0.0.1.evil.example", "evil.example.", "EVIL.EXAMPLE",
     "localhost.evil.example", "a b.example", "[evil.example]", "127.0.0.1@evil.example", "user@localhost",
     "xn--nxasmq6b.example", "1.2.3", "0x7f.1", "a.localhost.example", "[::1", "\xff.example", "localhost/",
     "n1.evil"],
)  # fmt: skip
@pytest.mark.parametrize("target", [MEMBERS, "/v1/agent/self", "/v1/nope", "/v1/swim/events"])
async def test_a_name_that_a_page_may_own_reads_nothing(
    agent: Agent, cluster: FakeCluster, host: str, target: str
) -> None:
    answer = await call(agent, "GET", target, host)
    assert (answer.status, answer.kind) == (403, TEXT)
    assert host not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert cluster.metrics.counters["swim.dropped.http-host"] == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:4646", "[::1]:4646", "[::1]", "10.1.2.3:80", "localhost", "LocalHost:1",
     "localhost.", "a.localhost", "agent", "web-1:4646", "my_host", "n1.global", "N1.Global:4646",
     "ui.example", ""],
)  # fmt: skip
async def test_other_names_are_answered(cluster: FakeCluster, host: str) -> None:
    async with served(cluster, http_hosts=["ui.example"]) as agent:
        assert (await agent.call("GET", MEMBERS, host=host)).status == 200


async def test_any_name_if_the_operator_says_so(cluster: FakeCluster) -> None:
    async with served(cluster, http_hosts=["*"]) as agent:
        assert (await call(agent, "GET", MEMBERS, "anything.example")).status == 200
        evil = {"Origin": "http://evil.example"}
        assert (await call(agent, "PUT", WRITES[-1], "anything.example", **evil)).status == 403


FOREIGN: list[dict[str, str]] = [
    {"Origin": "http://evil.example"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost"},
    {"Origin": "file://"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "CROSS-SITE"},
    {"Sec-Fetch-Site": "anything"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "null", "Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_page_of_another_origin_changes_nothing(
    agent: Agent, cluster: FakeCluster, headers: dict[str, str]
) -> None:
    before = cluster.status, cluster.members(), (await agent.get("/v1/agent/servers")).json()
    for method in ("PUT", "POST", "DELETE"):
        for target in WRITES:
            answer = await call(agent, method, target, **headers)
            assert (answer.status, answer.kind) == (403, TEXT)
            assert "evil" not in answer.text
    assert before == (cluster.status, cluster.members(), (await agent.get("/v1/agent/servers")).json())
    assert cluster.metrics.counters["swim.dropped.http-origin"] == 3 * len(WRITES)


async def test_a_page_of_another_origin_may_read_what_it_cannot_see(agent: Agent) -> None:
    answer = await call(
        agent, "GET", MEMBERS, **{"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status == 200
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_own_pages_and_other_clients_write(agent: Agent) -> None:
    own = "http://{}:{}".format(*agent.endpoint)
    allowed: list[dict[str, str]] = [{}, {"Origin": own}, {"Origin": own, "Sec-Fetch-Site": "same-origin"}]
    for headers in [*allowed, {"Sec-Fetch-Site": "none"}]:
        assert (await call(agent, "PUT", WRITES[0], **headers)).status == 200


async def test_a_trusted_page_writes(cluster: FakeCluster) -> None:
    async with served(cluster, http_hosts=["ui.example"]) as agent:
        headers = {"Origin": "https://ui.example:8443", "Sec-Fetch-Site": "cross-site"}
        assert (await call(agent, "PUT", WRITES[0], **headers)).status == 200
        for origin in ("https://evil.ui.example", "file://ui.example", "https://ui.example/", "ui.example"):
            headers["Origin"] = origin
            assert (await call(agent, "PUT", WRITES[0], **headers)).status == 403


@pytest.mark.parametrize("target", [MEMBERS, "/v1/nope", "/v1/agent/self", "/v1/agent/join"])
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
async def test_every_answer_tells_browsers_to_be_careful(agent: Agent, method: str, target: str) -> None:
    headers = (await agent.call(method, target)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == POLICY
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


async def test_the_operator_has_the_last_word_on_headers(cluster: FakeCluster) -> None:
    async with served(cluster, http_api_response_headers={"X-Frame-Options": "SAMEORIGIN"}) as agent:
        assert (await agent.get(MEMBERS)).headers["x-frame-options"] == "SAMEORIGIN"
        assert (await agent.call("CONNECT", "a:1")).headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize("host", ["a:1", "http://a", "", "a b", "a..b", ".a", "a.*"])
def test_names_are_checked(host: str) -> None:
    settings: Any = {"http_hosts": [host]}
    with pytest.raises(ConfigError) as refusal:
        AgentSettings(**settings)
    assert refusal.value.field == "http_hosts"
