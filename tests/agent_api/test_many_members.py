"""Lists of members: the same text however many there are, and pings are answered while a long one is made."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import trio

from agent_api import create_app
from agent_api.kept import KeptBodies
from agent_api.shapes import dumps
from swim import Member
from tests.agent_api.access.test_routes import control, secret
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import served

PATHS = ["/v1/agent/members", "/v1/swim/members"]
ODD = ['a"]', "[", "0", "]}", "\udcff", "n\\", "ü", "\n"]


def fill(cluster: FakeCluster, count: int) -> None:
    """So many members, the node itself included."""
    for number in range(count - 1):
        name = f"{ODD[number % len(ODD)]}-{number}"
        cluster.table[name] = make_member(name, dc=f"dc{number % 3}", note=ODD[-1 - number % len(ODD)])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", ["", "?pretty"])
@pytest.mark.parametrize("count", [1, 2, 64, 65, 128, 300])
async def test_a_list_is_the_same_text_in_one_piece_or_in_portions(
    cluster: FakeCluster, path: str, query: str, count: int
) -> None:
    fill(cluster, count)
    async with served(cluster) as agent:
        answer = await agent.get(path + query)
        packed = await agent.get(path + query, accept_encoding="gzip")
    document = answer.json()
    assert len(document.get("Members") or document["members"]) == count
    assert answer.body == dumps(document, pretty=bool(query))
    assert answer.body == (
        gzip.decompress(packed.body) if "content-encoding" in packed.headers else packed.body
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", [b"identity", b"gzip"])
async def test_other_tasks_run_while_a_long_list_is_made(
    cluster: FakeCluster, path: str, encoding: bytes
) -> None:
    fill(cluster, 2000)
    passes, messages = 0, list[dict[str, Any]]()

    async def others() -> None:
        nonlocal passes
        while True:
            passes += 1
            await trio.lowlevel.checkpoint()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"accept-encoding", encoding)]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers,
             "server": ("127.0.0.1", 4646)}  # fmt: skip
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await create_app(cluster)(scope, receive, send)  # type: ignore[arg-type]
        nursery.cancel_scope.cancel()
    body = b"".join(message.get("body", b"") for message in messages)
    assert len(json.loads(gzip.decompress(body) if encoding == b"gzip" else body).popitem()[1]) == 2000
    assert passes >= 2000 // 64


@pytest.mark.parametrize("query", ["", "?pretty", "?pretty=0"])
async def test_a_kept_body_is_the_right_one(cluster: FakeCluster, query: str) -> None:
    """For its parameters, its token, its encoding and the members that there are now."""
    fill(cluster, 100)
    view = cluster.members()

    def members() -> tuple[Member, ...]:
        return view

    cluster.members = members  # type: ignore[method-assign]
    async with served(cluster, access=control()) as agent:
        allowed, denied = {"X_Nomad_Token": secret("node:read")}, {"X_Nomad_Token": secret("agent:read")}
        target = f"/v1/agent/members{query}"
        first = await agent.get(target, **allowed)
        for _ in range(3):
            assert (await agent.get(target, **allowed)).body == first.body
            packed = await agent.get(target, accept_encoding="gzip", **allowed)
            assert gzip.decompress(packed.body) == first.body
            assert (await agent.get(target, **denied)).status == 403
            assert (await agent.get(target)).status == 403
        other = await agent.get("/v1/agent/members" + ("" if query == "?pretty" else "?pretty"), **allowed)
        assert other.json() == first.json()
        assert other.body != first.body
        view = (*view, make_member("newcomer"))
        for encoding in ("identity", "gzip"):
            after = await agent.get(target, accept_encoding=encoding, **allowed)
            assert "newcomer" in {member["Name"] for member in after.json()["Members"]}


async def test_a_body_is_made_once_for_each_view() -> None:
    kept, made = KeptBodies(), []

    async def ask(name: str, view: object) -> bytes:
        async def make() -> bytes:
            made.append((name, view))
            return f"{name} of {len(made)}".encode()

        return await kept.of(name, view, make)

    one, two = ("a",), ("b",)
    assert [await ask("x", one), await ask("x", one), await ask("y", one)] == [
        b"x of 1",
        b"x of 1",
        b"y of 2",
    ]
    assert [await ask("x", two), await ask("y", one), await ask("x", one)] == [
        b"x of 3",
        b"y of 2",
        b"x of 4",
    ]
    assert made == [("x", one), ("y", one), ("x", two), ("x", one)]
