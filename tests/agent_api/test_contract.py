"""The acceptance checks that one agent can answer for, by number, over a real socket."""

from __future__ import annotations

import json

import pytest

from swim import MemberStatus
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import JSON, TEXT, Agent, served

MEMBERS = "/v1/agent/members"
STALE_TEXT = "Expect `true` or `false` for `stale` query string parameter"


async def test_01_members_shape(agent: Agent) -> None:
    answer = await agent.get(MEMBERS)
    assert (answer.status, answer.kind) == (200, JSON)
    body = answer.json()
    assert {key: body[key] for key in ("ServerName", "ServerRegion", "ServerDC")} == {
        "ServerName": "n1",
        "ServerRegion": "global",
        "ServerDC": "dc1",
    }
    (member,) = body["Members"]
    tags = {"region": "global", "dc": "dc1", "port": "4647", "build": "0.1.0"}
    assert member == {
        "Name": "n1.global", "Addr": "127.0.0.1", "Port": 4648, "Tags": tags, "Status": "alive",
        "ProtocolMin": 1, "ProtocolMax": 5, "ProtocolCur": 2,
        "DelegateMin": 2, "DelegateMax": 5, "DelegateCur": 5,
    }  # fmt: skip


async def test_02_members_are_sorted_by_region_datacenter_and_name(
    agent: Agent, cluster: FakeCluster
) -> None:
    cluster.add(make_member("b", region="europe", dc="dc2"))
    cluster.add(make_member("c", region="europe", dc="dc1"))
    cluster.add(make_member("a"))
    first, second = await agent.get(MEMBERS), await agent.get(MEMBERS)
    assert first.body == second.body
    assert [member["Name"] for member in first.json()["Members"]] == ["a", "c", "b", "n1.global"]
    assert first.json()["Members"][0]["Tags"] == {}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_03_wrong_method(agent: Agent, method: str) -> None:
    answer = await agent.call(method, MEMBERS)
    assert (answer.status, answer.kind, answer.text) == (405, TEXT, "Invalid method")


async def test_04_head_is_a_wrong_method(agent: Agent) -> None:
    answer = await agent.call("HEAD", MEMBERS)
    assert (answer.status, answer.body) == (405, b"")


@pytest.mark.parametrize(
    "path", ["/v1/agent/members/", "/v1/agent/Members", "/agent/members", "//v1/agent/members"]
)
async def test_05_another_spelling_is_another_path(agent: Agent, path: str) -> None:
    answer = await agent.get(path)
    assert (answer.status, answer.body, answer.kind) == (404, b"", None)
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/agent/nope", "/v1/nope", "/", "/v1/agent/monitor/export", "/v1/jobs"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_06_unknown_path(agent: Agent, path: str, method: str) -> None:
    answer = await agent.call(method, path)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (404, b"", "0")


async def test_07_pretty(agent: Agent) -> None:
    pretty = await agent.get(f"{MEMBERS}?pretty")
    assert pretty.text == json.dumps(pretty.json(), indent=4) + "\n"
    assert (await agent.get(f"{MEMBERS}?pretty=false")).body == pretty.body
    assert (await agent.get(f"{MEMBERS}?pretty=0&pretty=1")).body == (await agent.get(MEMBERS)).body
    assert b"\n" not in (await agent.get(MEMBERS)).body


@pytest.mark.parametrize(
    ("number", "query", "refusal"),
    [
        (8, "stale", None),
        (8, "stale=true", None),
        (8, "stale=f", None),
        (8, "stale=maybe", STALE_TEXT),
        (9, "wait=10", "Invalid wait time"),
        (9, "wait=10s", None),
        (9, "wait=5000ms", None),
        (9, "wait=", None),
        (10, "index=-1", "Invalid index"),
        (10, "index=18446744073709551616", "Invalid index"),
        (10, "index=5", None),
        (11, "per_page=a", "Expect a number for `per_page` query string parameter"),
        (11, "per_page=-2", None),
        (11, "wait=y&stale=x", STALE_TEXT),
        (11, "index=x&wait=y", "Invalid wait time"),
        (12, "region=mars", None),
        (12, "namespace=*&filter=x&reverse=1&next_token=z&unknown=1&token=t", None),
    ],
)
async def test_08_to_12_common_parameters(agent: Agent, number: int, query: str, refusal: str | None) -> None:
    answer = await agent.get(f"{MEMBERS}?{query}")
    if refusal is None:
        assert answer.status == 200
        assert answer.body == (await agent.get(MEMBERS)).body
    else:
        assert (answer.status, answer.kind, answer.text) == (400, TEXT, refusal)


async def test_13_gzip_only_if_offered_and_worth_it(agent: Agent) -> None:
    plain = await agent.get("/v1/agent/self")
    packed = await agent.get("/v1/agent/self", Accept_Encoding="deflate, gzip;q=0.5")
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(packed.body) < len(plain.body)
    assert packed.json()["config"] == plain.json()["config"] | {
        key: packed.json()["config"][key] for key in ("Addresses", "AdvertiseAddrs", "Ports")
    }
    for refused in ("gzip;q=0", "identity"):
        answer = await agent.get("/v1/agent/self", Accept_Encoding=refused)
        assert "content-encoding" not in answer.headers
    for small in ("/v1/agent/servers", "/v1/agent/nope"):
        answer = await agent.get(small, Accept_Encoding="gzip")
        assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "path", [MEMBERS, f"{MEMBERS}?stale=x", "/v1/nope", "/v1/agent/join", "/v1/agent/self"]
)
async def test_13_14_headers_of_every_answer(agent: Agent, path: str) -> None:
    headers = (await agent.get(path)).headers
    assert headers["vary"] == "Accept-Encoding"
    assert not [name for name in headers if name.startswith("x-nomad")]
    assert "server" not in headers


async def test_configured_headers_are_on_every_answer(cluster: FakeCluster) -> None:
    async with served(cluster, http_api_response_headers={"X-Frame-Options": "DENY"}) as agent:
        for path in (MEMBERS, f"{MEMBERS}?stale=x", "/v1/nope", "/v1/agent/join"):
            assert (await agent.get(path)).headers["x-frame-options"] == "DENY"


# -- join


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_15_join_without_address(agent: Agent, method: str) -> None:
    answer = await agent.call(method, "/v1/agent/join")
    assert (answer.status, answer.kind, answer.text) == (400, TEXT, "missing address to join")


async def test_16_join_is_not_read(agent: Agent) -> None:
    answer = await agent.get("/v1/agent/join?address=x")
    assert (answer.status, answer.text) == (405, "Invalid method")
    assert answer.headers["allow"] == "PUT, POST"


@pytest.mark.parametrize(
    ("number", "addresses", "joined"),
    [
        (17, ["127.0.0.1:7001"], 1),
        (18, ["127.0.0.1:7001", "127.0.0.1:7001"], 2),
        (19, ["127.0.0.1:7001", "nope"], 1),
        (24, ["127.0.0.1:4648"], 1),
        (25, ["127.0.0.1"], 1),
    ],
)
async def test_17_to_25_join_counts_endpoints(
    agent: Agent, cluster: FakeCluster, number: int, addresses: list[str], joined: int
) -> None:
    cluster.reachable.add(("127.0.0.1", 7001))
    answer = await agent.put("/v1/agent/join?" + "&".join(f"address={address}" for address in addresses))
    assert (answer.status, answer.kind) == (200, JSON)
    assert answer.body == b'{"num_joined":%d,"error":"","warning":""}' % joined


@pytest.mark.parametrize(
    ("number", "query", "error"),
    [
        (20, "address=nope", "1 error occurred:\n\t* failed to resolve nope: no such host\n\n"),
        (
            21,
            "address=nope&address=127.0.0.1:9",
            "2 errors occurred:\n\t* failed to resolve nope: no such host\n"
            "\t* failed to join 127.0.0.1:9: connection refused\n\n",
        ),
        (
            22,
            "address=127.0.0.1:7001,127.0.0.1:7002",
            "1 error occurred:\n\t* failed to resolve 127.0.0.1:7001,127.0.0.1:7002: no such host\n\n",
        ),
        (23, "address=", "1 error occurred:\n\t* failed to resolve : no such host\n\n"),
    ],
)
async def test_20_to_23_join_explains_a_complete_failure(
    agent: Agent, number: int, query: str, error: str
) -> None:
    answer = await agent.put(f"/v1/agent/join?{query}")
    assert answer.status == 200
    assert answer.json() == {"num_joined": 0, "error": error, "warning": ""}


async def test_26_bodies_are_not_read(agent: Agent) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    answer = await agent.call("POST", "/v1/agent/join", body=b"address=127.0.0.1:4648", **form)
    assert (answer.status, answer.text) == (400, "missing address to join")


async def test_27_37_server_role_off(cluster: FakeCluster) -> None:
    async with served(cluster, server_enabled=False) as agent:
        for path in ("/v1/agent/join?address=x", "/v1/agent/join", "/v1/agent/force-leave"):
            answer = await agent.put(path)
            assert (answer.status, answer.kind, answer.text) == (501, TEXT, "Invalid method")
        assert (await agent.get("/v1/agent/join")).status == 405
        assert (await agent.get(MEMBERS)).status == 200


async def test_28_join_after_leave(agent: Agent, cluster: FakeCluster) -> None:
    await cluster.leave()
    answer = await agent.put("/v1/agent/join?address=127.0.0.1:4648")
    error = "Serf can't Join after Leave or Shutdown"
    assert answer.status == 200
    assert answer.json() == {"num_joined": 0, "error": error, "warning": ""}


# -- force-leave


@pytest.mark.parametrize("query", ["", "?node=", "?prune=1", "?node=&node=n2.global"])
async def test_30_force_leave_without_node(agent: Agent, query: str) -> None:
    answer = await agent.put(f"/v1/agent/force-leave{query}")
    assert (answer.status, answer.text) == (400, "missing node to force leave")


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_31_force_leave_of_an_unknown_name(agent: Agent, method: str) -> None:
    answer = await agent.call(method, "/v1/agent/force-leave?node=nope")
    assert (answer.status, answer.body, answer.kind) == (200, b"", None)
    assert answer.headers["content-length"] == "0"


async def test_32_prune_is_a_boolean(agent: Agent, cluster: FakeCluster) -> None:
    cluster.add(make_member("n2.global", status=MemberStatus.FAILED))
    answer = await agent.put("/v1/agent/force-leave?node=n2.global&prune=yes")
    assert (answer.status, answer.text) == (400, "invalid prune value")
    assert (await agent.put("/v1/agent/force-leave?node=n2.global&prune=")).status == 200
    assert cluster.table["n2.global"].status is MemberStatus.LEFT


async def test_33_34_force_leave_then_prune(agent: Agent, cluster: FakeCluster) -> None:
    cluster.add(make_member("n2.global", status=MemberStatus.FAILED))
    for _ in range(2):
        assert (await agent.put("/v1/agent/force-leave?node=n2.global")).status == 200
        assert cluster.table["n2.global"].status is MemberStatus.LEFT
    assert (await agent.put("/v1/agent/force-leave?node=n2.global&prune=1")).status == 200
    assert "n2.global" not in cluster.table


async def test_35_force_leave_that_takes_too_long_counts_as_done(agent: Agent, cluster: FakeCluster) -> None:
    cluster.add(make_member("n2.global"))
    assert (await agent.put("/v1/agent/force-leave?node=n2.global")).status == 200


async def test_37_force_leave_of_oneself(agent: Agent, cluster: FakeCluster) -> None:
    assert (await agent.put("/v1/agent/force-leave?node=n1.global")).status == 200
    assert cluster.local.status is MemberStatus.ALIVE
    assert (await agent.get("/v1/agent/force-leave?node=x")).status == 405


async def test_38_only_the_first_node_counts(agent: Agent, cluster: FakeCluster) -> None:
    cluster.add(make_member("n2.global", status=MemberStatus.FAILED))
    assert (await agent.put("/v1/agent/force-leave?node=a&node=n2.global")).status == 200
    assert cluster.table["n2.global"].status is MemberStatus.FAILED


async def test_names_that_are_not_utf8_survive(agent: Agent, cluster: FakeCluster) -> None:
    name = b"n\xff2".decode("utf-8", "surrogateescape")
    cluster.add(make_member(name, status=MemberStatus.FAILED))
    names = [member["Name"] for member in (await agent.get(MEMBERS)).json()["Members"]]
    assert names == ["n\ufffd2", "n1.global"]
    assert (await agent.put("/v1/agent/force-leave?node=n%FF2")).status == 200
    assert cluster.table[name].status is MemberStatus.LEFT


async def test_exceptions_are_logged_and_not_shown(
    agent: Agent, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.broken = RuntimeError("the key is hunter2")
    answer = await agent.get(MEMBERS)
    assert (answer.status, answer.kind, answer.text) == (500, TEXT, "internal error: RuntimeError")
    assert "hunter2" in caplog.text


@pytest.mark.parametrize(
    "address",
    ["%ff", "%00", "a%00b", ".", "..", "a..b", "a" * 64, "a" * 64 + ".example", "%ed%a0%80", "%c3%28",
     "x" * 5000, "[", "[::1", "[::1]x", "::1]:4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:99999", "1.2.3.4:a",
     "0", "0x7f.1",
     "%20", "a%20b", "a:b:c", "http://a", "%E2%80%A8", "xn--%ff", "%EF%BC%8E", "%C3%9F" * 64,
     "%F0%9F%92%A9" * 40],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/agent/servers", "/v1/agent/join", "/v1/swim/join"])
async def test_an_address_that_cannot_be_one_is_an_answer_and_no_failure(
    cluster: FakeCluster, path: str, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(cluster) as agent:
        answer = await agent.put(f"{path}?address={address}")
        assert answer.status == (400 if path == "/v1/agent/servers" else 200)
        answer.body.decode()
        assert (await agent.get("/v1/agent/servers")).json() == ["127.0.0.1:4647"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
