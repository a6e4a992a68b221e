"""Thousands of connections of every kind, at an embedded server and at a real agent: nothing stays behind."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import trio

from swim.addresses import Endpoint
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served
from tests.agent_api.server.door import rest_of
from tests.agent_api.server.hostile import mutated
from tests.cli.processes import Processes
from tests.fuzzing import Fuzzed, Holdings, given_back, holdings

WORKERS = 8
PATIENCE = 0.02
MORE_BYTES = 6 * 2**20

COUNTS = [
    pytest.param(400, marks=pytest.mark.slow),
    pytest.param(20_000, marks=[pytest.mark.deep, pytest.mark.timeout(1800)]),
]


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


@pytest.mark.parametrize("count", COUNTS)
async def test_an_embedded_server(
    cluster: FakeCluster,
    count: int,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    async def measure() -> Holdings:
        gc.collect()
        return holdings("self", trio.lowlevel.current_statistics().tasks_living)

    async with served(cluster) as agent:
        await agent.get("/v1/agent/members")
        idle = await measure()
        await fuzz(agent.endpoint, 1, 200)
        before, start = await given_back(measure, idle, settle=0), trio.current_time()
        await fuzz(agent.endpoint, 2, count)
        seconds = trio.current_time() - start
        assert (await agent.get("/v1/agent/members")).status == 200
        failed = cluster.metrics.counters["swim.http.failed"]
        after = await given_back(measure, before, settle=0)
        fuzzed = Fuzzed("http", "embedded server", count, failed, seconds, before, after)
        fuzzed.record(record_property)
        fuzzed.check(most_bytes=MORE_BYTES)
        assert not failed
        print(dict(cluster.metrics.counters))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("count", COUNTS)
async def test_a_real_agent(count: int, record_property: Callable[[str, object], None]) -> None:
    with Processes() as processes:
        process = await trio.to_thread.run_sync(processes.agent, "a")
        parts = urlsplit(process.http)
        agent = Agent(None, (parts.hostname or "", parts.port or 0))

        async def measure() -> Holdings:
            runtime = (await agent.get("/v1/agent/self")).json()["stats"]["runtime"]
            return holdings(process.popen.pid, int(runtime["goroutines"]))

        idle = await measure()
        await fuzz(agent.endpoint, 3, 400)
        before, start = await given_back(measure, idle, settle=0), trio.current_time()
        await fuzz(agent.endpoint, 4, count)
        seconds = trio.current_time() - start
        after = await given_back(measure, before, settle=0)
        fuzzed = Fuzzed("http", "swim agent", count, 0, seconds, before, after)
        fuzzed.record(record_property)
        fuzzed.check(most_bytes=MORE_BYTES)
        assert process.popen.poll() is None
        print((await agent.get("/v1/swim/info")).json()["metrics"])
    assert not any("Traceback" in line or "ERROR" in line for line in process.err), process.err
