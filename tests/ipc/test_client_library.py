"""A client library of Serf's that others wrote, against our server."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio

import swim
from tests.ipc.conftest import Farm

serfclient = pytest.importorskip("serfclient")


@pytest.mark.slow
async def test_serfclient(farm: Farm) -> None:
    """From PyPI, as it is: it has no virtual time, so neither has the cluster."""
    cluster = await farm.start("a", 17000, tags={"role": "web"})
    host, port = await farm.serve(cluster, rpc_auth="s3cret")
    await farm.start("b", 17001)
    events = cluster.events(kinds=swim.UserEvent)

    def talk() -> list[Any]:
        client = serfclient.SerfClient(host=host, port=port, rpc_auth="s3cret")
        try:
            found = [client.members().body["Members"][0]["Name"]]
            found.append(
                len(client.members(name="b.*", status="alive", tags={"role": "web"}).body["Members"])
            )
            client.event("deploy", b"v1", coalesce=False)
            found.append(client.stats().body["agent"]["name"])
            found.append(client.join(f"{host}:17001").body["Num"])
            client.force_leave("nosuch")
            stream = client.stream("user")
            assert not stream.head["Error"]
            sent.set()
            found.append(next(stream.body).body["Name"])
        finally:
            client.close()
        return found

    sent = threading.Event()

    async def send() -> None:
        await trio.to_thread.run_sync(sent.wait)
        await cluster.user_event("seen")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        with trio.fail_after(20):
            assert await trio.to_thread.run_sync(talk) == ["a", 0, "a", 1, "seen"]
    assert [(await anext(events)).name for _ in range(2)] == ["deploy", "seen"]
