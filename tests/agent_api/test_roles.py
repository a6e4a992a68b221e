"""Acceptance checks 39 to 52: the server list, health and self."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio

from swim import Config, MemberStatus
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import JSON, TEXT, Agent, served

SERVERS = "/v1/agent/servers"
HEALTH = "/v1/agent/health"
SELF = "/v1/agent/self"
OK = {"ok": True, "message": "ok"}


# -- servers


async def test_39_servers_seen_in_gossip(agent: Agent, cluster: FakeCluster) -> None:
    assert (await agent.get(SERVERS)).body == b'["127.0.0.1:4647"]'
    cluster.add(make_member("b", port="70"))
    cluster.add(make_member("c", port="80", rpc_addr="::1"))
    cluster.add(make_member("not-a-server", port="none"))
    cluster.add(make_member("failed", port="90", status=MemberStatus.FAILED))
    assert (await agent.get(SERVERS)).json() == ["127.0.0.1:4647", "127.0.0.1:70", "[::1]:80"]


async def test_40_41_42_operators_pin_servers(agent: Agent) -> None:
    answer = await agent.call("POST", f"{SERVERS}?address=5.6.7.8:4647&address=1.2.3.4:4647")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    pinned = (await agent.get(SERVERS)).json()
    assert pinned == ["1.2.3.4:4647", "5.6.7.8:4647"]

    answer = await agent.put(SERVERS)
    assert (answer.status, answer.kind, answer.text) == (400, TEXT, "missing server address")
    answer = await agent.put(f"{SERVERS}?address=&address=1.2.3.4:99999&address=[::1")
    assert answer.status == 400
    assert answer.text == (
        "3 errors occurred:\n\t* failed to resolve : '' has no host\n"
        "\t* failed to resolve 1.2.3.4:99999: port '99999' in '1.2.3.4:99999'"
        " is not a number from 0 to 65535\n"
        "\t* failed to resolve [::1: '[::1' has an unbalanced bracket\n\n"
    )
    assert (await agent.get(SERVERS)).json() == pinned

    assert (await agent.put(f"{SERVERS}?address=9.9.9.9&address=::1&address=")).status == 200
    assert (await agent.get(SERVERS)).json() == ["9.9.9.9:4647", "[::1]:4647"]


async def test_42_names_are_resolved(agent: Agent) -> None:
    assert (await agent.put(f"{SERVERS}?address=localhost:80")).status == 200
    assert (await agent.get(SERVERS)).json()[0] in ("127.0.0.1:80", "[::1]:80")


async def test_servers_verified_by_a_connection(cluster: FakeCluster) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with served(cluster, verify_servers=True) as agent:
        assert (await agent.put(f"{SERVERS}?address=127.0.0.1:{port}")).status == 200
        await listener.aclose()
        answer = await agent.put(f"{SERVERS}?address=127.0.0.1:{port}")
        assert answer.status == 400
        assert answer.text.startswith(
            f"1 error occurred:\n\t* Server at address 127.0.0.1:{port} failed ping: "
        )
        assert (await agent.get(SERVERS)).json() == [f"127.0.0.1:{port}"]


async def test_43_client_role_off(agent: Agent, cluster: FakeCluster) -> None:
    assert (await agent.call("DELETE", SERVERS)).status == 405
    async with served(cluster, client_enabled=False) as server_only:
        for method in ("GET", "PUT"):
            answer = await server_only.call(method, f"{SERVERS}?address=x")
            assert (answer.status, answer.kind, answer.text) == (501, TEXT, "Invalid method")
        assert (await server_only.call("DELETE", SERVERS)).status == 405


# -- health


@pytest.mark.parametrize(
    ("number", "query", "status", "halves"),
    [
        (44, "", 200, {"client": OK, "server": OK}),
        (45, "?type=client", 200, {"client": OK}),
        (45, "?type=client&type=server", 200, {"client": OK, "server": OK}),
        (45, "?type=foo", 200, {}),
        (45, "?type=", 200, {}),
        (48, "?region=mars", 500, {"client": OK, "server": {"ok": False, "message": "No path to region"}}),
    ],
)
async def test_44_45_health(agent: Agent, number: int, query: str, status: int, halves: Any) -> None:
    answer = await agent.get(f"{HEALTH}{query}")
    assert (answer.status, answer.kind, answer.json()) == (status, JSON, halves)


async def test_46_disabled_role_is_unhealthy_only_if_named(cluster: FakeCluster) -> None:
    async with served(cluster, client_enabled=False) as agent:
        answer = await agent.get(HEALTH)
        assert (answer.status, answer.json()) == (200, {"server": OK})
        answer = await agent.get(f"{HEALTH}?type=client")
        assert (answer.status, answer.kind) == (500, JSON)
        assert answer.body == b'{"client":{"ok":false,"message":"client not enabled"}}'


async def test_47_no_servers_known(cluster: FakeCluster) -> None:
    async with served(cluster, server_enabled=False) as agent:
        answer = await agent.get(HEALTH)
        message = {"ok": False, "message": "no known servers"}
        assert (answer.status, answer.json()) == (500, {"client": message})
        await agent.put(f"{SERVERS}?address=1.2.3.4")
        assert (await agent.get(HEALTH)).status == 200


async def test_48_no_leader_without_a_majority(cluster: FakeCluster) -> None:
    async with served(cluster, bootstrap_expect=3) as agent:
        cluster.add(make_member("b", region="global"))
        assert (await agent.get(HEALTH)).status == 200
        cluster.add(make_member("b", region="global", status=MemberStatus.FAILED))
        answer = await agent.get(HEALTH)
        assert (answer.status, answer.json()["server"]["message"]) == (500, "No cluster leader")
        answer = await agent.get(f"{HEALTH}?stale&type=server")
        assert (answer.status, answer.json()["server"]["message"]) == (500, "no leader")
        assert (await agent.get(f"{HEALTH}?stale=x")).status == 400
        answer = await agent.call("POST", HEALTH)
        assert (answer.status, answer.text) == (405, "Invalid method")


async def test_48_without_advisory_leader_health_does_not_ask(cluster: FakeCluster) -> None:
    async with served(cluster, bootstrap_expect=3, advisory_leader=False) as agent:
        assert (await agent.get(HEALTH)).status == 200


@pytest.mark.parametrize(
    ("status", "message"),
    [("stopped", "gossip not running"), ("leaving", "agent is leaving"), ("left", "agent is leaving")],
)
async def test_health_of_an_agent_that_goes(
    agent: Agent, cluster: FakeCluster, status: str, message: str
) -> None:
    cluster.status = status
    answer = await agent.get(f"{HEALTH}?type=server")
    assert (answer.status, answer.json()["server"]["message"]) == (500, message)


# -- self


async def test_49_self_shape(agent: Agent, cluster: FakeCluster) -> None:
    document = (await agent.get(SELF)).json()
    assert set(document) == {"config", "member", "stats"}
    assert document["member"]["Name"] == "n1.global"
    stats = document["stats"]
    assert all(isinstance(leaf, str) for section in stats.values() for leaf in section.values())
    assert set(stats["serf"]) == {
        "members", "failed", "left", "health_score", "member_time", "event_time", "query_time",
        "intent_queue", "event_queue", "query_queue", "encrypted",
    }  # fmt: skip
    assert set(stats["runtime"]) == {
        "kernel.name", "arch", "version", "max_procs", "goroutines", "cpu_count",
    }  # fmt: skip
    assert stats["nomad"] == {
        "server": "true", "leader": "true", "leader_addr": "127.0.0.1:4647",
        "bootstrap": "false", "known_regions": "1",
    }  # fmt: skip
    assert stats["raft"] == {"num_peers": "0"}
    assert stats["client"]["known_servers"] == "127.0.0.1:4647"
    assert len(stats["client"]["node_id"]) == 36


async def test_49_self_config(agent: Agent) -> None:
    config = (await agent.get(SELF)).json()["config"]
    port = agent.endpoint[1]
    assert config["Addresses"] == {"HTTP": "127.0.0.1", "RPC": "127.0.0.1", "Serf": "127.0.0.1"}
    assert config["Ports"] == {"HTTP": port, "RPC": 4647, "Serf": 4648}
    assert config["AdvertiseAddrs"]["HTTP"] == f"127.0.0.1:{port}"
    assert (config["Region"], config["Datacenter"], config["NodeName"]) == ("global", "dc1", "n1")
    assert config["UI"] == {"Enabled": False, "ShowCLIHints": False}
    assert (len(config["Consul"]), len(config["Vault"]), len(config["Telemetry"])) == (15, 13, 22)
    assert config["Client"]["GCInterval"] == 600_000_000_000
    assert config["Server"]["RetryInterval"] == "30s"


async def test_self_follows_the_leader_and_the_roles(cluster: FakeCluster) -> None:
    cluster.add(make_member("a", region="global", port="99"))
    cluster.add(make_member("z", region="global", port="98", status=MemberStatus.FAILED))
    cluster.add(make_member("y", region="global", port="97", status=MemberStatus.LEFT))
    async with served(cluster, client_enabled=False) as agent:
        stats = (await agent.get(SELF)).json()["stats"]
        assert (stats["nomad"]["leader"], stats["nomad"]["leader_addr"]) == ("false", "127.0.0.1:99")
        assert stats["raft"] == {"num_peers": "2"}
        assert "client" not in stats
    async with served(cluster, server_enabled=False) as agent:
        assert not {"nomad", "raft"} & set((await agent.get(SELF)).json()["stats"])


@pytest.mark.parametrize("disabled", [True, False])
async def test_50_disable_remote_exec(cluster: FakeCluster, disabled: bool) -> None:
    async with served(cluster, disable_remote_exec=disabled) as agent:
        assert (await agent.get(SELF)).json()["config"]["Client"]["DisableRemoteExec"] is disabled


async def test_51_secrets_are_redacted(agent: Agent, cluster: FakeCluster) -> None:
    secrets = {
        name: f"hunter-{name}"
        for name in ("consul_token", "vault_token", "circonus_api_token", "replication_token")
    }
    headers = {"X-Api-Token": "hunter-header", "X-Frame-Options": "DENY"}
    keyed = FakeCluster(Config(name="n1", keys=[b"hunter-gossipkey"]))
    async with served(keyed, **secrets, http_api_response_headers=headers) as careful:
        answer = await careful.get(SELF)
        config = answer.json()["config"]
        assert "hunter" not in answer.text
        assert config["HTTPAPIResponseHeaders"] == {"X-Api-Token": "<redacted>", "X-Frame-Options": "DENY"}
        assert _secrets(config) == ["<redacted>"] * 4
        info = await careful.get("/v1/swim/info")
        assert "hunter" not in info.text
        assert len(info.json()["keys"]) == 1
        assert (await careful.get("/v1/agent/servers")).headers["x-api-token"] == "hunter-header"
    assert _secrets((await agent.get(SELF)).json()["config"]) == [""] * 4


def _secrets(config: Any) -> list[str]:
    return [
        config["ACL"]["ReplicationToken"],
        config["Consul"]["Token"],
        config["Vault"]["Token"],
        config["Telemetry"]["CirconusAPIToken"],
    ]


async def test_52_self_ignores_common_parameters(agent: Agent) -> None:
    assert (await agent.get(f"{SELF}?wait=10&stale=maybe&index=-1")).status == 200


async def test_self_of_an_untagged_ipv6_node(cluster: FakeCluster) -> None:
    cluster.table["n1.global"] = replace(cluster.local, address="::1", tags={})
    cluster.endpoint = cluster.advertised = ("::1", 4648)
    async with served(cluster, rpc_port=5000) as agent:
        config = (await agent.get(SELF)).json()["config"]
        assert config["AdvertiseAddrs"] == {
            "HTTP": f"127.0.0.1:{agent.endpoint[1]}", "RPC": "[::1]:5000", "Serf": "[::1]:4648",
        }  # fmt: skip
        assert config["Addresses"]["RPC"] == "::1"
