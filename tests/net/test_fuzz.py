"""Hostile packets and streams at real sockets: of a node in this process, and of an agent.

How long, and from which seed: ``tests/fuzzing.py``. The seed gives the same input again; in which order it
arrives is up to the system.
"""

from __future__ import annotations

import base64
import gc
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from time import monotonic
from urllib.parse import urlsplit

import pytest
import trio

import swim
from swim.addresses import Endpoint
from swim.config import Config
from swim.wire.keyring import Keyring
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec
from tests.agent_api.http import Agent
from tests.cli.processes import Processes
from tests.fuzzing import KEPT, SECONDS, SEED, Fuzzed, Holdings, given_back, holdings
from tests.hostile_input import SOURCES, layered, requests
from tests.net.conftest import statuses, until
from tests.test_fuzz import KEY, SECURED, program

DATAGRAM_MAX_BYTES = 65_507
SHARE = SECONDS / len(SECURED)
"""Seconds for each way of keeping others out; all of them are one layer."""
WORKERS = 3
"""Of each kind: packets and streams."""
POOL = 200
PATIENCE = 0.02


def again(random: Random, pool: list[bytes], make: Callable[[Random], bytes]) -> bytes:
    """New input now and then, since it takes long to make; else old input, often with a byte changed."""
    if len(pool) < POOL or not random.randrange(10):
        data = make(random)
        if len(pool) < POOL:
            pool.append(data)
        else:
            pool[random.randrange(POOL)] = data
        return data
    old = bytearray(random.choice(pool))
    if old and random.randrange(2):
        old[random.randrange(len(old))] = random.getrandbits(8)
    return bytes(old)


class Attack:
    """Workers that send for some seconds, each from an address of its own."""

    def __init__(self, endpoint: Endpoint, keys: tuple[bytes, ...], label: str) -> None:
        config = Config.lan(name="hostile", keys=keys, label=label)
        numbers = Random(SEED)
        self._endpoint = endpoint
        self._packets = PacketCodec(config, Keyring(keys), lambda: numbers.randbytes(12))
        self._streams = StreamCodec(config, Keyring(keys), lambda: numbers.randbytes(12))
        self.sent = 0
        self.last = deque[tuple[str, bytes]](maxlen=KEPT)

    async def run(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for number in range(WORKERS):
                    nursery.start_soon(self._send_packets, number)
                    nursery.start_soon(self._send_streams, number)

    async def _send_packets(self, number: int) -> None:
        random = Random(f"{SEED} packets {number}")
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as socket:
            await socket.bind((f"127.0.66.{number + 1}", 0))
            pool: list[bytes] = []
            while True:
                data = again(random, pool, self._packet)
                with suppress(OSError):
                    await socket.sendto(data[:DATAGRAM_MAX_BYTES], self._endpoint)
                self._sent("packet", data)
                await trio.sleep(0.001 if random.randrange(20) == 0 else 0)

    def _packet(self, random: Random) -> bytes:
        data = SOURCES[random.choice([*SOURCES])](random)
        if random.randrange(2):
            data = layered(random, data)
        if random.randrange(2):
            data = self._packets.seal([data[:60_000] or b"\0"], crc=bool(random.randrange(2)))
        return data

    async def _send_streams(self, number: int) -> None:
        random = Random(f"{SEED} streams {number}")
        while True:
            data = requests(random, random.choice([*SOURCES]))
            if random.randrange(2):
                data = self._streams.seal(data or b"\0", label_header=True)
            ending = random.choice(("at once", "close", "half-close", "half-close", "reset", "hold"))
            cut = random.choice((len(data), random.randrange(len(data) + 1)))
            with suppress(OSError):
                host = f"127.0.67.{number + 1}"
                stream = await trio.open_tcp_stream(*self._endpoint, local_address=host)
                await self._send_one(stream, data, cut, ending)
            self._sent("stream", data)

    def _sent(self, door: str, data: bytes) -> None:
        self.sent += 1
        self.last.append((door, data))

    async def _send_one(self, stream: trio.SocketStream, data: bytes, cut: int, ending: str) -> None:
        try:
            with suppress(trio.BrokenResourceError), trio.move_on_after(1):
                await stream.send_all(data[:cut])
                if ending != "hold":
                    await stream.send_all(data[cut:])
                if ending == "half-close":
                    await stream.send_eof()
                if ending != "at once":
                    with trio.move_on_after(PATIENCE):
                        while await stream.receive_some():
                            pass
            if ending == "reset":
                stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        finally:
            await trio.aclose_forcefully(stream)


@contextmanager
def explained(attack: Attack, secured: str) -> Iterator[None]:
    """When something breaks, prints the input that broke it, if it breaks a node without sockets as well."""
    try:
        yield
    except BaseException:
        print(program("node", secured, attack.last))
        raise


async def attacked(
    target: str,
    attack: Attack,
    measure: Callable[[], Awaitable[Holdings]],
    record: Callable[[str, object], None],
) -> None:
    """Attacks, and compares what is held before, halfway and afterwards."""
    await attack.run(0.5)
    before = await given_back(measure, Holdings(10_000, 10_000, 0))
    sent, start = attack.sent, monotonic()
    await attack.run(SHARE / 2)
    halfway = await measure()
    await attack.run(SHARE / 2)
    seconds = monotonic() - start
    after = await given_back(measure, before)
    fuzzed = Fuzzed("sockets", target, attack.sent - sent, 0, seconds, before, after)
    fuzzed.record(record)
    fuzzed.check(halfway)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("secured", SECURED)
async def test_a_node(
    secured: str, caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    """It runs on, knows its honest peer and is known by it, and holds what it held."""
    settings = SECURED[secured]
    caplog.set_level(logging.WARNING)

    async def measure() -> Holdings:
        gc.collect()
        return holdings("self", trio.lowlevel.current_statistics().tasks_living)

    async with AsyncExitStack() as stack:
        victim, honest = [
            await stack.enter_async_context(
                swim.open_cluster(
                    swim.Config.local(name=name, bind="127.0.0.1:0", tcp_timeout=1.0, **settings),
                    leave_timeout=0,
                )
            )
            for name in ("node-0", "node-1")
        ]
        assert (await honest.join(["{}:{}".format(*victim.endpoint)], timeout=5.0)).joined == 1
        keys, label = settings.get("keys", ()), settings.get("label", "")
        attack = Attack(victim.endpoint, keys, label)
        with explained(attack, secured):
            await attacked(f"node, {secured}", attack, measure, record_property)
            await until(lambda: statuses(victim).get("node-1") == "alive", within=30.0)
            await until(lambda: statuses(honest).get("node-0") == "alive", within=30.0)
            assert victim.local.name == "node-0"
    wrong = [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert not wrong, wrong[0].getMessage()


@pytest.mark.deep
@pytest.mark.parametrize("secured", SECURED)
async def test_an_agent(secured: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    settings = SECURED[secured]
    keys, label = settings.get("keys", ()), settings.get("label", "")
    arguments = ["--label", label] if label else []
    if keys:
        file = tmp_path / "key"
        file.write_bytes(base64.b64encode(KEY))
        file.chmod(0o600)
        arguments += ["--key-file", str(file)]
    with Processes() as processes:
        process = await trio.to_thread.run_sync(lambda: processes.agent("node-0", *arguments))
        parts = urlsplit(process.http)
        agent = Agent(None, (parts.hostname or "", parts.port or 0))

        async def measure() -> Holdings:
            runtime = (await agent.get("/v1/agent/self")).json()["stats"]["runtime"]
            return holdings(process.popen.pid, int(runtime["goroutines"]))

        host, _, port = process.gossip.rpartition(":")
        attack = Attack((host, int(port)), keys, label)
        with explained(attack, secured):
            await attacked(f"agent, {secured}", attack, measure, record_property)
            assert process.popen.poll() is None
        document = (await agent.get("/v1/swim/info")).json()
        print(document["metrics"])
    assert not any("Traceback" in line or "ERROR" in line for line in process.err), process.err
