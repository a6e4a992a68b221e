"""The requests of Nomad's Go package ``api``: every method of Agent, Status and Regions, and the metrics.

A row is a call, what its source sends, and whether Go takes the answer: 200 only (but for ``Health``), a body
that decodes into the Go type, no null where the commands index a map.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import trio

from agent_api.client.fitting import fits
from agent_api.client.nomad import Health, Host, HostReply, NomadKeyring, NomadMember, NomadMembers, NomadSelf
from swim import Config, MemberStatus
from tests.agent_api.access.test_routes import control, secret
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, Answer, served

KEY, OTHER = b"k" * 16, bytes(range(16))
CONFIG = {"region": "global", "namespace": "default", "wait": "5000ms"}
"""What a client sends with every call if its configuration has a region, a namespace and a wait time."""
BYTE, PORT = range(256), range(65536)


class Row(NamedTuple):
    """One call.

    Attributes:
        call: as it is written in Go.
        method: of the request.
        path: without query string.
        accept: whether Go, and a command that uses the call, take the answer.
        query: parameters, which Go sorts by name.
        body: of the request.
        status: of the answer.
    """

    call: str
    method: str
    path: str
    accept: Callable[[Any], bool]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    status: int = 200


def is_empty(body: Any) -> bool:
    return bool(body == b"")


def of(kind: Any, test: Callable[[Any], bool] = lambda document: True) -> Callable[[Any], bool]:
    return lambda document: fits(document, kind) and test(document)


def is_member(member: NomadMember) -> bool:
    versions = [value for name, value in member.items() if name.startswith(("Protocol", "Delegate"))]
    return member["Port"] in PORT and all(value in BYTE for value in versions)


def key(value: bytes) -> bytes:
    """What Go's encoder makes of a ``KeyringRequest``, newline included."""
    return b'{"Key":"' + b64encode(value) + b'"}\n'


def pprof(call: str, profile: str, accept: Callable[[Any], bool], *, status: int = 200) -> Row:
    query = (("debug", "1"), ("gc", "0"), ("node_id", ""), ("seconds", "1"), ("server_id", ""))
    return Row(call, "GET", f"/v1/agent/pprof/{profile}", accept, query, status=status)


ONE_JOIN = {"num_joined": 1, "error": "", "warning": ""}
ROWS = [
    Row("Agent.Self", "GET", "/v1/agent/self", of(NomadSelf, lambda d: is_member(d["member"])
        and isinstance(d["config"]["Datacenter"], str) and isinstance(d["config"]["Region"], str))),
    Row("Agent.NodeName", "GET", "/v1/agent/self",
        of(NomadSelf, lambda d: d["member"]["Name"] == "n1.global")),
    Row("Agent.Datacenter", "GET", "/v1/agent/self",
        of(NomadSelf, lambda d: d["config"]["Datacenter"] == "dc1")),
    Row("Agent.Region", "GET", "/v1/agent/self", of(NomadSelf, lambda d: d["config"]["Region"] == "global")),
    Row("Agent.Members", "GET", "/v1/agent/members",
        of(NomadMembers, lambda d: all(map(is_member, d["Members"])))),
    Row("Agent.MembersOpts", "GET", "/v1/agent/members", of(NomadMembers), (
        ("filter", "Name == n1"), ("index", "7"), ("next_token", "t"), ("per_page", "2"), ("prefix", "n"),
        ("reverse", "true"), ("stale", ""))),
    Row("Agent.Join", "PUT", "/v1/agent/join", lambda d: bool(d == ONE_JOIN),
        (("address", "127.0.0.1:4648"),)),
    Row("Agent.Join, two addresses", "PUT", "/v1/agent/join", lambda d: bool(d == ONE_JOIN),
        (("address", "nope"), ("address", "127.0.0.1:4648"))),
    Row("Agent.Join, none", "PUT", "/v1/agent/join", lambda text: bool(text == b"missing address to join"),
        status=400),
    Row("Agent.ForceLeave", "PUT", "/v1/agent/force-leave", is_empty, (("node", "gone.global"),)),
    Row("Agent.ForceLeaveWithOptions", "PUT", "/v1/agent/force-leave", is_empty,
        (("node", "gone.global"), ("prune", "1"))),
    Row("Agent.Servers", "GET", "/v1/agent/servers", of(list[str], lambda d: d == ["127.0.0.1:4647"])),
    Row("Agent.SetServers", "PUT", "/v1/agent/servers", is_empty,
        (("address", "10.0.0.1"), ("address", "[::1]:4647"))),
    Row("Agent.ListKeys", "GET", "/v1/agent/keyring/list", of(NomadKeyring, lambda d: d["NumNodes"] == 1)),
    Row("Agent.InstallKey", "PUT", "/v1/agent/keyring/install", of(NomadKeyring), body=key(OTHER)),
    Row("Agent.UseKey", "PUT", "/v1/agent/keyring/use", of(NomadKeyring), body=key(KEY)),
    Row("Agent.RemoveKey", "PUT", "/v1/agent/keyring/remove", of(NomadKeyring), body=key(OTHER)),
    Row("Agent.Reload", "PUT", "/v1/agent/reload", is_empty, (("idempotency_token", "once"),)),
    Row("Agent.Health", "GET", "/v1/agent/health",
        of(Health, lambda d: d["client"]["ok"] and d["server"]["ok"])),
    Row("Agent.Host", "GET", "/v1/agent/host", of(Host)),
    Row("Agent.Host, of a server", "GET", "/v1/agent/host", of(HostReply), (("server_id", "leader"),)),
    Row("Agent.Host, of a node", "GET", "/v1/agent/host", of(HostReply), (("node_id", "n1"),)),
    Row("Agent.Monitor", "GET", "/v1/agent/monitor", lambda frame: bool(frame == {}), (
        ("log_include_location", "false"), ("log_json", "false"), ("log_level", "debug"), ("node_id", ""),
        ("plain", "false"), ("server_id", ""))),
    Row("Agent.MonitorExport", "GET", "/v1/agent/monitor/export", is_empty, status=404),
    pprof("Agent.CPUProfile", "profile", lambda text: b"in Go's format" in text, status=501),
    pprof("Agent.Trace", "trace", lambda text: b"in Go's format" in text, status=501),
    pprof("Agent.Lookup, heap", "heap", lambda text: b"in Go's format" in text, status=501),
    pprof("Agent.Lookup, goroutine", "goroutine", lambda text: b"thread MainThread:" in text),
    pprof("Agent.Lookup, unknown", "nope", lambda text: bool(text == b"Invalid method"), status=404),
    Row("Agent.GetSchedulerWorkerConfig", "GET", "/v1/agent/schedulers/config", is_empty, status=404),
    Row("Agent.SetSchedulerWorkerConfig", "PUT", "/v1/agent/schedulers/config", is_empty,
        body=b'{"num_schedulers":1,"enabled_schedulers":["_core"]}\n', status=404),
    Row("Agent.GetSchedulerWorkersInfo", "GET", "/v1/agent/schedulers", is_empty, status=404),
    Row("Status.Leader", "GET", "/v1/status/leader", of(str, lambda d: d == "127.0.0.1:4647")),
    Row("Status.RegionLeader", "GET", "/v1/status/leader", of(str), (("region", "global"),)),
    Row("Status.RegionLeader, unknown", "GET", "/v1/status/leader",
        lambda text: bool(text == b"No path to region"), (("region", "mars"),), status=500),
    Row("Status.Peers", "GET", "/v1/status/peers", of(list[str], lambda d: d == ["127.0.0.1:4647"])),
    Row("Regions.List", "GET", "/v1/regions", of(list[str], lambda d: d == ["global"])),
    Row("Operator.MetricsSummary", "GET", "/v1/metrics",
        of(dict[str, Any], lambda d: all(isinstance(each["Count"], int) for each in d["Samples"]))),
    Row("Operator.Metrics, for Prometheus", "GET", "/v1/metrics",
        lambda text: bool(text == b"Prometheus is not enabled"), (("format", "prometheus"),), status=415),
    Row("EventStream.Stream", "GET", "/v1/event/stream", lambda frame: bool(frame == {}),
        (("index", "0"), ("topic", "Member:*"))),
]  # fmt: skip


@pytest.fixture
async def agent(cluster: FakeCluster) -> AsyncIterator[Agent]:
    keyed = FakeCluster(Config(name="n1.global", keys=(KEY,), tags=dict(cluster.local.tags)))
    keyed.keyring.add(OTHER)
    keyed.add(make_member("gone.global", status=MemberStatus.FAILED, region="global"))

    async def reload() -> None:
        pass

    async with served(keyed, access=control(), on_reload=reload) as agent:
        yield agent


def target(row: Row, config: dict[str, str]) -> str:
    """As Go's ``Values.Encode`` writes it, sorted by name; what the call gives wins over the settings."""
    given = {name for name, _ in row.query}
    pairs = [*((name, value) for name, value in config.items() if name not in given), *row.query]
    query = urlencode(sorted(pairs, key=lambda pair: pair[0]))
    return f"{row.path}?{query}" if query else row.path


@pytest.mark.parametrize("config", [{}, CONFIG], ids=["bare", "configured"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.call)
async def test_every_call_of_the_package(agent: Agent, row: Row, config: dict[str, str]) -> None:
    headers = {
        "User_Agent": "Go-http-client/1.1",
        "Accept_Encoding": "gzip",
        "X_Nomad_Token": secret("management"),
    }
    if row.method == "PUT" and not row.body:
        headers["Content_Length"] = "0"
    if row.path in ("/v1/agent/monitor", "/v1/event/stream"):
        answer = await _begun(agent, target(row, config), headers)
    else:
        answer = await agent.call(row.method, target(row, config), body=row.body, **headers)
    assert answer.status == row.status, answer.body
    assert row.accept(_decoded(answer)), answer.body
    assert {"x-nomad-index", "x-nomad-lastcontact", "x-nomad-knownleader"}.isdisjoint(answer.headers)


def _decoded(answer: Answer) -> Any:
    """The document, or the bytes of what is none."""
    packed = answer.headers.get("content-encoding") == "gzip"
    body = gzip.decompress(answer.body) if packed else answer.body
    return json.loads(body) if answer.kind == "application/json" else body


async def _begun(agent: Agent, path: str, headers: dict[str, str]) -> Answer:
    """The head and the first object of a stream, which must come at once, and not compressed."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: agent",
        *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items()),
    ]
    with trio.fail_after(5):
        async with await trio.open_tcp_stream(*agent.endpoint) as stream:
            await stream.send_all("\r\n".join([*lines, "", ""]).encode())
            received = b""
            while b"\n{}\n" not in received and b"\r\n{}\n" not in received:
                received += await stream.receive_some()
    head = received.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    pairs = dict(line.lower().split(": ", 1) for line in head[1:])
    assert "content-encoding" not in pairs
    return Answer(int(head[0].split()[1]), pairs, b"{}\n")


async def test_join_without_a_token_warns_as_an_error_of_go(agent: Agent) -> None:
    answer = await agent.put("/v1/agent/join?address=127.0.0.1%3A4648")
    document = answer.json()
    assert (document["num_joined"], document["error"]) == (1, "")
    assert document["warning"].startswith("anonymous server join is deprecated")


async def test_health_decodes_whatever_the_status(agent: Agent) -> None:
    agent.cluster.status = "leaving"
    answer = await agent.get("/v1/agent/health", Accept_Encoding="gzip")
    assert answer.status == 500
    assert fits(answer.json(), Health)
