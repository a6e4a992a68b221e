"""Clusters over real loopback sockets: both families, floods, and nothing left behind."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio

import swim
from tests.net.conftest import statuses, tags, until


@asynccontextmanager
async def trio_of(bind: str, **settings: object) -> AsyncIterator[list[swim.Cluster]]:
    """Three joined nodes."""
    async with AsyncExitStack() as stack:
        clusters = [
            await stack.enter_async_context(
                swim.open_cluster(
                    swim.Config.local(name=f"n{i}", bind=bind, gossip_interval=0.02, **settings),
                    leave_timeout=0,
                )
            )
            for i in (1, 2, 3)
        ]
        for cluster in clusters[1:]:
            assert (await cluster.join([address(clusters[0])], timeout=5.0)).joined == 1
        await until(lambda: all(set(statuses(c)) == {"n1", "n2", "n3"} for c in clusters), within=10.0)
        yield clusters


def address(cluster: swim.Cluster) -> str:
    """Where to join it."""
    host, port = cluster.endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.slow
@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
async def test_a_cluster_forms_and_a_leave_is_seen(bind: str) -> None:
    async with trio_of(bind, leave_propagate_delay=0.05) as (one, two, three):
        assert len({c.endpoint[1] for c in (one, two, three)}) == 3
        await three.leave(timeout=5.0)
        await until(lambda: statuses(one)["n3"] == statuses(two)["n3"] == "left", within=10.0)


async def test_a_refused_join_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    config = swim.Config.local(name="n", bind="127.0.0.1:0")
    async with swim.open_cluster(config) as cluster:
        result = await cluster.join([endpoint])
    assert [outcome.error for outcome in result.outcomes] == [
        f"failed to join {endpoint}: Connection refused"
    ]


@pytest.mark.slow
async def test_half_open_streams_and_an_endless_one_do_not_stop_service() -> None:
    async with trio_of("127.0.0.1:0", max_streams=64, tcp_timeout=1.0) as (one, two, _):
        held = []
        for _attempt in range(400):
            connection = trio.socket.socket()
            await connection.connect(one.endpoint)
            held.append(connection)
        endless = await trio.open_tcp_stream(*one.endpoint)

        async def never_end() -> None:
            with trio.move_on_after(10.0):
                try:
                    await endless.send_all(b"\x06")
                    while True:
                        await endless.send_all(b"\x00" * 65_536)
                except trio.BrokenResourceError:
                    return

        async with trio.open_nursery() as nursery:
            nursery.start_soon(never_end)
            await two.set_tags({"seen": "through the flood"})
            await until(lambda: tags(one, "n2") == {"seen": "through the flood"}, within=10.0)
            four = swim.Config.local(name="n4", bind="127.0.0.1:0")
            async with swim.open_cluster(four, leave_timeout=0) as late:
                await until_joined(late, one)
            nursery.cancel_scope.cancel()
        for connection in held:
            connection.close()
        await endless.aclose()
        assert one.metrics.counters["swim.dropped.inbound-streams"] >= 300


async def until_joined(late: swim.Cluster, seed: swim.Cluster) -> None:
    """Joins, again and again while the flood holds every stream."""
    with trio.fail_after(10.0):
        while (await late.join([address(seed)])).joined == 0:  # noqa: ASYNC110  it asks a peer
            await trio.sleep(0.1)


@pytest.mark.slow
async def test_cancelling_leaves_no_task_and_no_descriptor_behind() -> None:
    await trio.to_thread.run_sync(lambda: None)
    gc.collect()
    tasks, open_before = trio.lowlevel.current_statistics().tasks_living, descriptors()
    with trio.CancelScope() as scope:
        async with trio_of("127.0.0.1:0") as (one, two, _):
            connections = [await trio.open_tcp_stream(*one.endpoint) for _ in range(10)]
            await two.join(["127.0.0.1:9", address(one)], timeout=0.2)
            scope.cancel()
            await trio.sleep_forever()
    for connection in connections:
        await connection.aclose()
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    assert descriptors() == open_before


async def test_a_port_in_use_starts_nothing() -> None:
    config = swim.Config.local(name="n", bind="127.0.0.1:0")
    before = trio.lowlevel.current_statistics().tasks_living
    async with swim.open_cluster(config) as first:
        port = first.endpoint[1]
        with pytest.raises(
            swim.ConfigError, match=f"port {port} on 127.0.0.1 is in use; choose another with bind"
        ):
            async with swim.open_cluster(config.with_changes(bind=f"127.0.0.1:{port}")):
                pytest.fail("the port is taken")
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_run_cluster_runs_in_a_nursery_until_cancelled() -> None:
    async with trio.open_nursery() as nursery:
        cluster = await nursery.start(swim.run_cluster, swim.Config.local(name="n", bind="127.0.0.1:0"))
        assert cluster.status == "running"
        assert cluster.advertised == cluster.endpoint
        nursery.cancel_scope.cancel()
    assert cluster.status == "stopped"
