"""Lists of members: the same text however many there are, and pings are answered while a long one is made."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import trio

from agent_api import create_app
from agent_api.shapes import dumps
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
