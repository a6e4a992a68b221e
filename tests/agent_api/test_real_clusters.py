"""Acceptance checks that need a cluster: real nodes, real sockets on loopback, one HTTP API each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import nomad
import pytest
import trio

from agent_api import AgentSettings, serve
from swim import Cluster, Config, MemberStatus, run_cluster
from tests.agent_api.http import Agent

pytestmark = pytest.mark.slow

DEADLINE = 15.0
FAST = {
    "probe_interval": 0.2,
    "probe_timeout": 0.1,
    "suspicion_mult": 2,
    "gossip_interval": 0.05,
    "push_pull_interval": 2.0,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """One agent that can be killed."""

    agent: Agent
    scope: trio.CancelScope

    def kill(self) -> None:
        """Stops node and API at once, without a word to the others."""
        self.scope.cancel()

    def statuses(self) -> dict[str, str]:
        """Status by name, as this node sees the cluster."""
        return {member.name: str(member.status) for member in self.agent.cluster.members()}


@asynccontextmanager
async def machine(name: str, *, bind: str = "127.0.0.1:0", **settings: Any) -> AsyncIterator[Machine]:
    tags = {"region": "global", "dc": "dc1", "port": str(4647 + int(name[1]))}
    config = Config.local(name=f"{name}.global", bind=bind, tags=tags, **FAST)
    chosen = AgentSettings(http="127.0.0.1:0", **settings)
    async with trio.open_nursery() as nursery:
        yield await nursery.start(_run, config, chosen)
        nursery.cancel_scope.cancel()


async def _run(config: Config, settings: AgentSettings, *, task_status: trio.TaskStatus[Machine]) -> None:
    """A machine in a task of its own, so that killing it ends nothing else."""
    async with trio.open_nursery() as nursery:
        cluster: Cluster = await nursery.start(run_cluster, config)
        endpoint = await nursery.start(serve, cluster, settings)
        task_status.started(Machine(Agent(cluster, endpoint), nursery.cancel_scope))


@asynccontextmanager
async def machines(count: int, **settings: Any) -> AsyncIterator[list[Machine]]:
    """``count`` agents n1, n2 ... that joined over HTTP and see each other alive."""
    async with AsyncExitStack() as stack:
        all_of_them = [
            await stack.enter_async_context(machine(f"n{number + 1}", **settings)) for number in range(count)
        ]
        first, *others = all_of_them
        for other in others:
            answer = await other.agent.put(f"/v1/agent/join?address={first.agent.gossip}")
            assert answer.json() == {"num_joined": 1, "error": "", "warning": ""}
        await all_see(all_of_them, {f"n{number + 1}.global": "alive" for number in range(count)})
        yield all_of_them


async def all_see(machines: list[Machine], expected: dict[str, str]) -> None:
    """Waits until each of ``machines`` lists exactly ``expected``; shows what they list if they never do."""
    with trio.move_on_after(DEADLINE):
        while any(each.statuses() != expected for each in machines):  # noqa: ASYNC110  nothing to wait for
            await trio.sleep(0.01)
    assert [each.statuses() for each in machines] == [expected] * len(machines)


async def force_leave(machine: Machine, query: str) -> None:
    answer = await machine.agent.put(f"/v1/agent/force-leave?{query}")
    assert (answer.status, answer.body) == (200, b"")


async def test_17_18_19_join_counts_endpoints() -> None:
    async with machine("n1") as n1, machine("n2") as n2:
        there = n2.agent.gossip
        for query, joined in [
            (f"address={there}", 1),
            (f"address={there}&address={there}", 2),
            (f"address={there}&address=nope.invalid", 1),
            (f"address={n1.agent.gossip}", 1),
            (f"address=n2.global/{there}", 1),
            ("address=127.0.0.1", 1),
        ]:
            answer = await n1.agent.put(f"/v1/agent/join?{query}")
            assert (query, answer.json()) == (query, {"num_joined": joined, "error": "", "warning": ""})
            assert len((await n1.agent.get("/v1/agent/members")).json()["Members"]) == 2


async def test_20_to_23_a_join_that_fails_says_why() -> None:
    async with machine("n1") as n1:
        for query, lines in [
            ("address=nope.invalid", ["failed to resolve nope.invalid: "]),
            (
                "address=nope.invalid&address=127.0.0.1:9",
                ["failed to resolve nope.invalid: ", "failed to join 127.0.0.1:9: "],
            ),
            ("address=127.0.0.1:7001,127.0.0.1:7002", ["failed to resolve 127.0.0.1:7001,127.0.0.1:7002: "]),
            ("address=", ["failed to resolve "]),
            ("address=127.0.0.1:99999", ["failed to resolve 127.0.0.1:99999: "]),
        ]:
            body = (await n1.agent.put(f"/v1/agent/join?{query}")).json()
            assert body["num_joined"] == 0
            count = "1 error" if len(lines) == 1 else "2 errors"
            first, *bullets, blank, end = body["error"].split("\n")
            assert (first, blank, end) == (f"{count} occurred:", "", "")
            for bullet, line in zip(bullets, lines, strict=True):
                assert bullet.startswith(f"\t* {line}")


async def test_24_ipv6() -> None:
    async with machine("n1", bind="[::1]:0") as n1, machine("n2", bind="[::1]:0") as n2:
        port = n2.agent.cluster.endpoint[1]
        answer = await n1.agent.put(f"/v1/agent/join?address=[::1]:{port}")
        assert answer.json() == {"num_joined": 1, "error": "", "warning": ""}
        members = (await n1.agent.get("/v1/agent/members")).json()["Members"]
        assert [member["Addr"] for member in members] == ["::1", "::1"]


async def test_28_after_a_graceful_leave() -> None:
    async with machines(2) as (n1, n2):
        answer = await n1.agent.put("/v1/swim/leave")
        assert answer.json() == {"left": True}
        body = (await n1.agent.put(f"/v1/agent/join?address={n2.agent.gossip}")).json()
        assert body == {"num_joined": 0, "error": "Serf can't Join after Leave or Shutdown", "warning": ""}
        assert (await n1.agent.get("/v1/agent/health?type=server")).status == 500
        await all_see([n2], {"n1.global": "left", "n2.global": "alive"})


async def test_31_unknown_name() -> None:
    async with machine("n1") as n1:
        await force_leave(n1, "node=nope")
        answer = await n1.agent.put("/v1/swim/force-leave?node=nope")
        assert (answer.status, answer.text) == (404, "no member named 'nope'")
        assert n1.statuses() == {"n1.global": "alive"}


async def test_33_34_failed_then_left_then_pruned() -> None:
    async with machines(3) as (n1, n2, n3):
        n2.kill()
        await all_see([n1, n3], {"n1.global": "alive", "n2.global": "failed", "n3.global": "alive"})
        for _ in range(2):
            await force_leave(n1, "node=n2.global")
            await all_see([n1, n3], {"n1.global": "alive", "n2.global": "left", "n3.global": "alive"})
        await force_leave(n1, "node=n2.global&prune=1")
        await all_see([n1, n3], {"n1.global": "alive", "n3.global": "alive"})


@pytest.mark.parametrize(("number", "query"), [(35, ""), (36, "&prune=true")])
async def test_35_36_an_alive_member_comes_back(number: int, query: str) -> None:
    async with machines(3) as everybody:
        n1 = everybody[0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(force_leave, n1, f"node=n2.global{query}")
            with trio.fail_after(2):
                assert (await n1.agent.get("/v1/agent/members")).status == 200
        everyone = {f"n{number}.global": "alive" for number in (1, 2, 3)}
        await all_see(everybody, everyone)
        states = [line.after for line in n1.agent.cluster.history("n2.global")]
        assert states[-2:] == ["leaving", "alive"]


async def test_37_own_name() -> None:
    async with machines(2) as everybody:
        await force_leave(everybody[0], "node=n1.global")
        everyone = {"n1.global": "alive", "n2.global": "alive"}
        await all_see(everybody, everyone)


async def test_39_48_servers_and_the_advisory_leader() -> None:
    async with machines(3, bootstrap_expect=3) as (n1, n2, n3):
        servers = (await n1.agent.get("/v1/agent/servers")).json()
        assert servers == ["127.0.0.1:4648", "127.0.0.1:4649", "127.0.0.1:4650"]
        for each in (n1, n2, n3):
            assert (await each.agent.get("/v1/agent/health")).status == 200
        stats = (await n2.agent.get("/v1/agent/self")).json()["stats"]
        assert (stats["nomad"]["leader"], stats["nomad"]["leader_addr"]) == ("false", "127.0.0.1:4648")
        assert (stats["serf"]["members"], stats["raft"]["num_peers"]) == ("3", "2")
        n1.kill()
        n2.kill()
        gone = {"n1.global": "failed", "n2.global": "failed", "n3.global": "alive"}
        await all_see([n3], gone)
        answer = await n3.agent.get("/v1/agent/health")
        assert (answer.status, answer.json()["server"]["message"]) == (500, "No cluster leader")


async def test_why_tells_the_reason() -> None:
    async with machines(2) as (n1, n2):
        n2.kill()
        await all_see([n1], {"n1.global": "alive", "n2.global": "failed"})
        why = (await n1.agent.get("/v1/swim/why?name=n2.global")).json()
        assert why["member"]["status"] == MemberStatus.FAILED
        assert [line["after"] for line in why["history"]][-2:] == ["suspect", "failed"]
        assert all(line["cause"] and line["age"] >= 0 for line in why["history"])
        info = (await n1.agent.get("/v1/swim/info")).json()
        assert (info["is_alone"], info["stats"]["failed"]) == (True, 1)


async def test_python_nomad_on_a_real_agent() -> None:
    async with machine("n1") as n1:
        api = nomad.Nomad(host=n1.agent.endpoint[0], port=n1.agent.endpoint[1]).agent
        ask = trio.to_thread.run_sync
        assert isinstance(await ask(api.get_agent), dict)
        assert len((await ask(api.get_members))["Members"]) == 1
        assert await ask(api.get_servers) == ["127.0.0.1:4648"]
        assert (await ask(api.join_agent, "nope"))["num_joined"] == 0
        assert await ask(api.force_leave, "nope") == 200


@pytest.mark.parametrize(
    "address",
    [
        "web-1..example.com",
        ".",
        "a" * 64,
        "%ff",
        "%00",
        "%F0%9F%92%A9" * 70,
        "a%2Cb",
        "http%3A%2F%2Fx",
        "x%3A0",
    ],
)
async def test_a_name_that_no_resolver_takes_ends_nothing(address: str) -> None:
    """Python's IDNA codec refuses some, the system others; either is an error of this one request."""
    async with machine("n1") as n1:
        answer = await n1.agent.put(f"/v1/agent/join?address={address}")
        assert answer.status == 200
        assert answer.json()["num_joined"] == 0
        assert "failed to" in answer.json()["error"]
        answer = await n1.agent.put(f"/v1/swim/join?address={address}")
        assert (answer.status, answer.json()["joined"]) == (200, 0)
        answer = await n1.agent.put(f"/v1/agent/servers?address={address}")
        assert (answer.status, "failed to resolve" in answer.text) == (400, True)
        assert (await n1.agent.get("/v1/agent/members")).status == 200
