"""Clusters over real loopback sockets: both families, floods, and nothing left behind."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest
import trio

import swim
from swim.addresses import Endpoint
from swim.wire.codec import encode
from swim.wire.compression import compress_message
from swim.wire.messages import Alive
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


async def test_of_a_range_of_ports_a_seed_without_a_port_is_the_node_on_the_first() -> None:
    host = f"127.78.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # all ports are free there
    async with AsyncExitStack() as stack:
        clusters = [
            await stack.enter_async_context(
                swim.open_cluster(swim.Config.local(bind=f"{host}:7946-8945", seeds=[seed]), leave_timeout=0)
            )
            for seed in (host, host, f"{host}:7946")
        ]
        assert [cluster.endpoint[1] for cluster in clusters] == [7946, 7947, 7948]
        await until(lambda: all(len(cluster.alive()) == 3 for cluster in clusters), within=10.0)
        assert (await clusters[2].join([host], timeout=5.0)).joined == 1


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


HALF_OPEN = """
import resource, socket, sys
host, port, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
soft = wanted + 100 if hard == resource.RLIM_INFINITY else min(wanted + 100, hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
held = [socket.create_connection((host, port)) for _ in range(min(wanted, soft - 100))]
print(len(held), flush=True)
sys.stdin.read()
"""


async def push_pull_for_ever(endpoint: Endpoint) -> None:
    """One endless push/pull after another, each announcing a million members."""
    header = b"\x06" + msgpack.packb({"Nodes": 1_000_000, "UserStateLen": 0, "Join": False})
    fields = {"Name": "m", "Addr": b"\x7f\0\0\1", "Port": 1, "Incarnation": 1, "State": 0}
    records = 200 * msgpack.packb(fields | {"Vsn": b"\1\5\2\2\5\5"}, use_bin_type=False)
    while True:
        with contextlib.suppress(trio.BrokenResourceError, OSError):
            async with await trio.open_tcp_stream(*endpoint) as stream:
                await stream.send_all(header)
                while True:
                    await stream.send_all(records)
        await trio.sleep(0.01)


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
async def test_ten_thousand_half_open_streams_and_endless_ones_do_not_stop_service() -> None:
    limits = {"max_stream_bytes": 500_000, "max_inbound_bytes": 1_000_000}
    async with trio_of("127.0.0.1:0", max_streams=64, tcp_timeout=1.0, **limits) as (one, two, _):
        before = resident_bytes()
        async with trio.open_nursery() as nursery:
            arguments = [*map(str, one.endpoint), "10000"]
            command = [sys.executable, "-c", HALF_OPEN, *arguments]
            flood: trio.Process = await nursery.start(
                functools.partial(trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            for _ in range(4):
                nursery.start_soon(push_pull_for_ever, one.endpoint)
            await two.set_tags({"seen": "through the flood"})
            await until(lambda: tags(one, "n2") == {"seen": "through the flood"}, within=20.0)
            assert flood.stdout is not None
            held = int(await flood.stdout.receive_some())
            await until(lambda: one.metrics.counters["swim.dropped.inbound-bytes"] > 0, within=30.0)
            four = swim.Config.local(name="n4", bind="127.0.0.1:0")
            async with swim.open_cluster(four, leave_timeout=0) as late:
                await until_joined(late, one)
            assert resident_bytes() - before < 50_000_000
            nursery.cancel_scope.cancel()
        assert one.metrics.counters["swim.dropped.inbound-streams"] >= held / 2
        assert statuses(one)["n2"] == statuses(two)["n1"] == "alive"


@pytest.mark.slow
async def test_bombs_and_invented_members_do_not_stop_service() -> None:
    limits = {"max_members": 20, "max_new_members_per_packet": 5, "max_decompressed_stream_bytes": 100_000}
    async with trio_of("127.0.0.1:0", push_pull_interval=0.5, **limits) as (one, two, _):
        before = resident_bytes()
        bomb = compress_message(bytes(2_000_000))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.connect(one.endpoint)
            for number in range(100):
                versions = b"\1\5\2\2\5\5"
                claim = Alive(1, f"x{number}", b"\x7f\0\3\1", 1 + number, None, versions)
                stranger.send(encode(claim))
                stranger.send(bomb)
                await trio.lowlevel.checkpoint()
        with contextlib.suppress(trio.BrokenResourceError):
            async with await trio.open_tcp_stream(*one.endpoint) as stream:
                await stream.send_all(bomb)
                assert b"".join([chunk async for chunk in stream])[:1] == b"\x0d", "an error reply"
        await two.set_tags({"seen": "through the flood"})
        await until(lambda: tags(one, "n2") == {"seen": "through the flood"}, within=20.0)
        counters = one.metrics.counters
        await until(lambda: counters["swim.dropped.decompressed-too-large"] == 101, within=20.0)
        assert len(one.members()) <= limits["max_members"]
        assert counters["swim.dropped.member-limit"] >= 80
        assert resident_bytes() - before < 20_000_000


async def until_joined(late: swim.Cluster, seed: swim.Cluster) -> None:
    """Joins, again and again while the flood holds every stream."""
    with trio.fail_after(30.0):
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
