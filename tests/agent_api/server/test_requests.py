"""Random requests over a real cluster: each is answered, no answer shows the program, and nothing stays."""

from __future__ import annotations

import gc
import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import h11
import pytest
import trio

import swim
from tests.agent_api.http import Agent, served
from tests.agent_api.server.requests import random_request
from tests.fuzzing import Fuzzed, Holdings, given_back, holdings

WORKERS = 16
PATIENCE = 0.01
MORE_BYTES = 12 * 2**20
COUNTS = [
    pytest.param(400, marks=pytest.mark.slow),
    pytest.param(100_000, marks=[pytest.mark.deep, pytest.mark.timeout(3600)]),
]
IN_THE_CONTRACT = re.compile(
    r"(GET|HEAD|PUT|POST) (/v1/agent/health 500 \{"
    r"|/v1/(status/(leader|peers)|agent/health|regions) 500 No path to region"
    r"|/v1/agent/keyring/(install|use|remove) 500 (key: must be 16, 24 or 32 bytes|\d+/\d+ nodes reported)"
    r"|/v1/agent/pprof/[^ ]* 501 "
    r"|/v1/swim/health/(live|ready) 503 \{"
    r"|/v1/agent/reload 501 this agent has no settings to read again"
    r").*",
    re.DOTALL,
)
"""The answers above 499 that are right: what is not there, and what is not healthy."""
PROGRAM = ("Traceback", 'File "', "internal error", "site-packages")


class Browsing:
    """One client: a connection that lasts as long as the server keeps it."""

    def __init__(self, agent: Agent, seen: Counter[int], wrong: list[str]) -> None:
        self._agent = agent
        self._seen = seen
        self._wrong = wrong
        self._stream: trio.SocketStream | None = None

    async def ask(self, method: str, request: bytes) -> None:
        """Sends one request, reads its answer, and notes what is wrong about it."""
        if self._stream is None:
            self._stream = await trio.open_tcp_stream(*self._agent.endpoint)
        protocol = h11.Connection(h11.CLIENT)
        protocol.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        protocol.send(h11.EndOfMessage())
        sent = trio.Event()
        async with trio.open_nursery() as nursery:
            # An answer may come while the body is on its way.
            nursery.start_soon(self._send, self._stream, request, sent)
            head, body = await self._answer(self._stream, protocol)
            nursery.cancel_scope.cancel()
        line = request.partition(b"\r\n")[0].decode()
        text = body.decode("utf-8", "replace")
        self._seen[head.status_code if head else 0] += 1
        if head is None:
            self._wrong.append(f"{request[:700]!r}: no answer")
        elif any(word in text for word in PROGRAM):
            self._wrong.append(f"{line}: {head.status_code} {text[:500]}")
        elif head.status_code >= 500:
            summary = f"{line.split()[0]} {line.split()[1].partition('?')[0]} {head.status_code} {text}"
            if not IN_THE_CONTRACT.fullmatch(summary):
                self._wrong.append(f"{line}: {head.status_code} {text[:500]}")
        if not (sent.is_set() and protocol.our_state is protocol.their_state is h11.DONE):
            await self.aclose()

    async def _send(self, stream: trio.SocketStream, request: bytes, sent: trio.Event) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.send_all(request)
            sent.set()

    async def _answer(
        self, stream: trio.SocketStream, protocol: h11.Connection
    ) -> tuple[h11.Response | None, bytes]:
        """The head and the body, of one that goes on as much as comes soon."""
        head: h11.Response | None = None
        body = b""
        with trio.move_on_after(8) as patience, suppress(trio.BrokenResourceError, h11.RemoteProtocolError):
            while True:
                event = protocol.next_event()
                if event is h11.NEED_DATA:
                    protocol.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Response):
                    head = event
                    if any(name == b"transfer-encoding" for name, _ in event.headers):
                        patience.deadline = trio.current_time() + PATIENCE
                elif isinstance(event, h11.Data):
                    body += event.data
                elif not isinstance(event, h11.InformationalResponse):
                    break
        return head, body

    async def aclose(self) -> None:
        """Closes the connection; the next request takes another one."""
        if self._stream is not None:
            await self._stream.aclose()
            self._stream = None


async def browse(agent: Agent, seed: int, count: int, wrong: list[str]) -> Counter[int]:
    """``count`` requests by a few clients side by side; how often each status came."""
    seen: Counter[int] = Counter()

    async def one(rng: random.Random) -> None:
        client = Browsing(agent, seen, wrong)
        for _ in range(count // WORKERS):
            await client.ask(*random_request(rng, avoid="/v1/swim/leave"))
        await client.aclose()

    async with trio.open_nursery() as nursery:
        for worker in range(WORKERS):
            nursery.start_soon(one, random.Random(f"{seed} {worker}"))
    return seen


@pytest.mark.parametrize("count", COUNTS)
async def test_no_request_is_answered_with_the_program_s_own_trouble(
    count: int, caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    async def measure() -> Holdings:
        gc.collect()
        return holdings("self", trio.lowlevel.current_statistics().tasks_living)

    wrong: list[str] = []
    config = swim.Config.local(name="n1", bind="127.0.0.1:0", keys=[bytes(16)])
    async with swim.open_cluster(config) as cluster, served(cluster, enable_debug=True) as agent:
        idle = await measure()
        await browse(agent, 1, max(100, count // 10), wrong)
        before, start = await given_back(measure, idle, settle=0), trio.current_time()
        seen = await browse(agent, 2, count, wrong)
        seconds = trio.current_time() - start
        assert (await agent.get("/v1/agent/members")).status == 200
        after = await given_back(measure, before, settle=0)
        failed = cluster.metrics.counters["swim.http.failed"]
        fuzzed = Fuzzed("http", "random requests", count, failed, seconds, before, after)
        fuzzed.record(record_property)
    assert not wrong, (len(wrong), sorted(wrong)[:20])
    assert not failed
    assert seen[200] > count / 20
    assert set(seen) >= {200, 400, 403, 404, 405, 413, 431}, seen
    fuzzed.check(most_bytes=MORE_BYTES)
    assert not [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    print(sorted(seen.items()))
