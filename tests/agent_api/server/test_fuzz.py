"""Thousands of connections of every kind, at an embedded server and at a real agent: nothing stays behind."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import trio

from swim.addresses import Endpoint
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served
from tests.agent_api.server.door import rest_of
from tests.agent_api.server.hostile import mutated
from tests.cli.processes import Processes

WORKERS = 8
PATIENCE = 0.02
MORE_KIB = 6 * 1024

COUNTS = [
    pytest.param(400, marks=pytest.mark.slow),
    pytest.param(20_000, marks=[pytest.mark.deep, pytest.mark.timeout(1800)]),
]


class Holdings(NamedTuple):
    """What a process holds."""

    descriptors: int
    tasks: int
    kib: int


async def fuzz(endpoint: Endpoint, seed: int, count: int) -> None:
    """``count`` connections, a few side by side, each of which ends in its own way."""
    async with trio.open_nursery() as nursery:
        for worker in range(WORKERS):
            nursery.start_soon(_fuzz, endpoint, random.Random(f"{seed} {worker}"), count // WORKERS)


async def _fuzz(endpoint: Endpoint, rng: random.Random, count: int) -> None:
    for _ in range(count):
        data, ending = mutated(rng), rng.choice(("at once", "close", "half-close", "half-close", "reset"))
        cut = rng.choice((len(data), rng.randrange(len(data) + 1)))
        stream = await trio.open_tcp_stream(*endpoint)
        with suppress(trio.BrokenResourceError), trio.move_on_after(1):
            await stream.send_all(data[:cut])
            await stream.send_all(data[cut:])
            if ending == "half-close":
                await stream.send_eof()
            if ending != "at once":
                with trio.move_on_after(PATIENCE):
                    await rest_of(stream)
        if ending == "reset":
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await trio.aclose_forcefully(stream)


def kib_of(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


async def compare(measure: Callable[[], Awaitable[Holdings]], before: Holdings) -> None:
    """Waits until all is given back, and prints both sides."""
    with trio.move_on_after(20):
        while True:
            after = await measure()
            if after.descriptors <= before.descriptors and after.tasks <= before.tasks:
                break
            await trio.sleep(0.1)
    print(f"before {before}\nafter  {after}")
    assert (after.descriptors, after.tasks) <= (before.descriptors, before.tasks)
    assert after.kib - before.kib < MORE_KIB


@pytest.mark.parametrize("count", COUNTS)
async def test_an_embedded_server(cluster: FakeCluster, count: int, caplog: pytest.LogCaptureFixture) -> None:
    async def measure() -> Holdings:
        gc.collect()
        tasks = trio.lowlevel.current_statistics().tasks_living
        return Holdings(len(os.listdir("/proc/self/fd")), tasks, kib_of(os.getpid()))

    async with served(cluster) as agent:
        await fuzz(agent.endpoint, 1, 200)
        await agent.get("/v1/agent/members")
        await trio.sleep(1.2)
        before = await measure()
        await fuzz(agent.endpoint, 2, count)
        assert (await agent.get("/v1/agent/members")).status == 200
        await compare(measure, before)
        assert not cluster.metrics.counters["swim.http.failed"]
        print(dict(cluster.metrics.counters))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("count", COUNTS)
async def test_a_real_agent(count: int) -> None:
    with Processes() as processes:
        process = await trio.to_thread.run_sync(processes.agent, "a")
        parts = urlsplit(process.http)
        agent = Agent(None, (parts.hostname or "", parts.port or 0))

        async def measure() -> Holdings:
            runtime = (await agent.get("/v1/agent/self")).json()["stats"]["runtime"]
            pid = process.popen.pid
            return Holdings(len(os.listdir(f"/proc/{pid}/fd")), int(runtime["goroutines"]), kib_of(pid))

        await fuzz(agent.endpoint, 3, 400)
        await trio.sleep(1.2)
        before = await measure()
        await fuzz(agent.endpoint, 4, count)
        await compare(measure, before)
        assert process.popen.poll() is None
        print((await agent.get("/v1/swim/info")).json()["metrics"])
    assert not any("Traceback" in line or "ERROR" in line for line in process.err), process.err
