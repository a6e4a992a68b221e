"""Hostile clients at a real socket: any bytes, at any pace, in any number. How long: ``tests/fuzzing.py``."""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from random import Random
from time import monotonic
from typing import Any

import msgpack
import pytest
import trio

import swim
import swim.ipc
from swim.addresses import Endpoint
from swim.ipc.requests import BODIES, COMMANDS
from tests.fuzzing import KEPT, SECONDS, SEED, Fuzzed, Holdings, given_back, holdings
from tests.ipc.client import connected

WORKERS = 12
PATIENCE = 0.02
HARMLESS = sorted(COMMANDS - {"leave"})
SHAKEN = msgpack.packb({"Command": "handshake", "Seq": 0}) + msgpack.packb({"Version": 1})
KINDS = (
    "stream", "monitor", "query", "members", "members-filtered", "stats", "stop", "respond", "event", "join",
)  # fmt: skip


def value(random: Random, depth: int = 0) -> Any:
    """Any object, rather small."""
    match random.randrange(8 if depth < 3 else 6):
        case 0:
            return None
        case 1:
            return bool(random.randrange(2))
        case 2:
            return random.choice((0, 1, 2, 3, -1, 2**31, 2**63, 2**64 - 1))
        case 3:
            return random.choice(
                ("", "user", "*", "debug", "a", "127.0.0.1:1", "(", "_serf_ping", "x" * 2000)
            )
        case 4:
            return random.randbytes(random.randrange(40))
        case 5:
            return random.random()
        case 6:
            return [value(random, depth + 1) for _ in range(random.randrange(4))]
    return {str(value(random, 3)): value(random, depth + 1) for _ in range(random.randrange(4))}


def request(random: Random) -> bytes:
    """A request, right more often than wrong."""
    command = random.choice(KINDS if random.randrange(3) else HARMLESS)
    data = bytearray(msgpack.packb({"Command": command, "Seq": random.randrange(5)}))
    if command in BODIES:
        fields = {name: value(random) for name in BODIES[command] if random.randrange(3)}
        if "Timeout" in BODIES[command]:
            fields["Timeout"] = random.choice((1, 10**7, -1))
        data += msgpack.packb(fields)
    if not random.randrange(6):
        data[random.randrange(len(data))] = random.getrandbits(8)
    if not random.randrange(12):
        data += random.randbytes(random.randrange(30))
    return bytes(data).replace(b"leave", b"lEave")


class Attack:
    """Clients that do this for some seconds."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.sent = 0
        self.last = deque[bytes](maxlen=KEPT)

    async def run(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for number in range(WORKERS):
                    nursery.start_soon(self._client, Random(f"{SEED} {number}"))

    async def _client(self, random: Random) -> None:
        while True:
            data = b"".join(request(random) for _ in range(random.randrange(1, 6)))
            if random.randrange(8):
                data = SHAKEN + data
            cut = random.choice((len(data), random.randrange(len(data) + 1)))
            ending = random.choice(("at once", "close", "half-close", "reset", "hold", "deaf"))
            with suppress(OSError):
                stream = await trio.open_tcp_stream(*self._endpoint)
                await self._talk(stream, data, cut, ending)
            self.sent += 1
            self.last.append(data)

    async def _talk(self, stream: trio.SocketStream, data: bytes, cut: int, ending: str) -> None:
        try:
            with suppress(trio.BrokenResourceError), trio.move_on_after(1):
                await stream.send_all(data[:cut])
                if ending not in ("hold", "deaf"):
                    await stream.send_all(data[cut:])
                if ending == "half-close":
                    await stream.send_eof()
                if ending == "deaf":
                    await trio.sleep(PATIENCE)
                elif ending != "at once":
                    with trio.move_on_after(PATIENCE):
                        while await stream.receive_some():
                            pass
            if ending == "reset":
                stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        finally:
            await trio.aclose_forcefully(stream)


async def measure() -> Holdings:
    gc.collect()
    return holdings("self", trio.lowlevel.current_statistics().tasks_living)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
async def test_any_bytes(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    """The server answers as before, and holds what it held."""
    caplog.set_level(logging.WARNING)
    config = swim.Config.local(name="a", bind="127.0.0.1:0", tcp_timeout=1.0)
    async with swim.open_cluster(config, leave_timeout=0) as cluster:
        settings = swim.ipc.IpcSettings(rpc="127.0.0.1:0", request_timeout=0.5, handshake_timeout=0.5)
        endpoint = await nursery.start(swim.ipc.serve, cluster, settings)
        attack = Attack(endpoint)
        await attack.run(0.3)
        before = await given_back(measure, Holdings(10_000, 10_000, 0))
        sent, start = attack.sent, monotonic()
        try:
            await attack.run(SECONDS)
            seconds = monotonic() - start
            after = await given_back(measure, before)
            async with connected(endpoint) as client:
                assert await client.ask("stats", answers=True)
        except BaseException:
            print(*attack.last, sep="\n")
            raise
        fuzzed = Fuzzed("rpc", "swim.ipc.serve", attack.sent - sent, 0, seconds, before, after)
        fuzzed.record(record_property)
        fuzzed.check()
        nursery.cancel_scope.cancel()
    wrong = [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert not wrong, wrong[0].getMessage()


@pytest.mark.slow
async def test_thousands_of_connections(nursery: trio.Nursery) -> None:
    """Only so many are kept, an operator's command still gets through, and all is given back."""
    config = swim.Config.local(name="a", bind="127.0.0.1:0")
    async with swim.open_cluster(config, leave_timeout=0) as cluster:
        settings = swim.ipc.IpcSettings(rpc="127.0.0.1:0")
        endpoint = await nursery.start(swim.ipc.serve, cluster, settings)
        before = await measure()
        streams: deque[trio.SocketStream] = deque()
        for number in range(2000):
            stream = await trio.open_tcp_stream(*endpoint)
            streams.append(stream)
            await stream.send_all(SHAKEN[: number % len(SHAKEN)])
            if len(streams) > 200:
                await trio.aclose_forcefully(streams.popleft())
        async with connected(endpoint) as client:
            assert await client.ask("stats", answers=True)
            kept = (await measure()).descriptors - before.descriptors - len(streams)
            assert kept <= settings.max_conns_per_client + 1
        for stream in streams:
            await trio.aclose_forcefully(stream)
        after = await given_back(measure, before)
        assert after.is_within(before)
        refused = sum(count for name, count in cluster.metrics.counters.items() if ".ipc-" in name)
        assert refused >= 1800
        nursery.cancel_scope.cancel()
