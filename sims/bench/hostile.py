"""The cost of hostile input to a node, by kind: memory, bytes sent, processor time.

One node without sockets that knows twenty members takes some of each kind. Time and memory are measured in
separate runs, since measuring memory takes time.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sims.bench.attacks import PACKETS, STREAMS, Source
from sims.bench.engines import Engine
from sims.bench.options import Options, Samples
from swim.addresses import Endpoint
from swim.config import Config
from swim.core.output import Dial, Send, StreamEnd
from swim.core.rng import Rng
from swim.events import Event
from swim.node import Node
from swim.wire.codec import encode
from swim.wire.messages import Alive

__all__ = ["LIMITS", "Victim", "hostile"]

_LIMITS = {"kept, MiB": 24.0, "sent, B per B": 2.0, "CPU, us per B": 4.0, "longest call, ms": 25.0}
_LARGER = {"empty push/pull": {"sent, B per B": 200.0, "CPU, us per B": 60.0}}
"""A push/pull is answered with the whole table; a stream has proven its address, and its slots are few."""
LIMITS = {kind: _LIMITS | _LARGER.get(kind, {}) for kind in (*PACKETS, *STREAMS)}
"""Maximum for each kind, by measure.

Memory is limited by the budgets of caches, queues and tables, whatever the amount of input. The longest call
is that of any input or timer, including pauses of the machine.
"""

_PACKET_BYTES = 100_000
_STREAM_BYTES = 500_000
_PACKETS_MAX = 1_000
_REQUESTS_MAX = 10
_CHUNK_BYTES = 65_536
_VERSIONS = bytes((1, 5, 2, 2, 5, 5))
_PLAIN_VERSIONS = bytes((1, 5, 2, 0, 0, 0))
_NON_MEMBER = ("127.9.9.9", 9999)


def hostile(_: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Every kind of packet and stream; ``options.runs`` times."""
    samples: Samples = {}
    for is_stream, sources in ((False, PACKETS), (True, STREAMS)):
        for kind, source in sources.items():
            for seed in range(options.runs):
                for measure, value in _measured(source, seed, is_stream=is_stream).items():
                    samples.setdefault(f"{kind}: {measure}", []).append(value)
    return {"swim": samples}


class Victim:
    """A node that receives input; its output is summed up.

    Attributes:
        received: bytes taken.
        sent: bytes in packets and on streams.
        longest: seconds of processor time of the longest call.
        seconds: those of all calls.
        node: the node.
        dialled: streams that it dialled.
        replied: what it sent last on a stream that was opened to it.
        on_event: called with each event that it hands to its application.
    """

    def __init__(self, *, members: int = 20, **settings: Any) -> None:
        config = Config.lan(name="node-0", **settings)
        self.node = Node(config, advertise=("127.0.0.1", 7946), bind_port=7946, rng=Rng(Random(1)))
        self.now = 0.0
        self.received = self.sent = 0
        self.longest = self.seconds = 0.0
        self.dialled: list[Dial] = []
        self.replied = b""
        self.on_event: Callable[[Event], object] = lambda event: None
        self._open: set[int] = set()
        self._call(self.node.start)
        for number in range(1, members):
            host = (127, 0, number // 255, number % 255 + 1)
            vsn = _VERSIONS if config.delegate_version else _PLAIN_VERSIONS
            claim = Alive(1, f"node-{number}", bytes(host), 7946, None, vsn)
            self._call(self.node.receive_packet, encode(claim), (".".join(map(str, host)), 7946))
        self.received = self.sent = 0
        self.longest = self.seconds = 0.0

    def packet(self, data: bytes, source: Endpoint = _NON_MEMBER) -> None:
        """A datagram, by default from a non-member, arrives a millisecond after the last one."""
        self.received += len(data)
        self._call(self.node.receive_packet, data, source)
        self.pass_time(0.001)

    def stream(self, data: bytes) -> None:
        """A non-member sends a request, waits for the work to end, and closes; a cut one it abandons."""
        self.received += len(data)
        accepted = self._call(self.node.accept_stream, _NON_MEMBER)
        if accepted is None:
            return
        self._open.add(accepted.stream_id)
        for start in range(0, len(data), _CHUNK_BYTES):
            if accepted.stream_id in self._open:
                chunk = data[start : start + _CHUNK_BYTES]
                self._call(self.node.receive_stream, accepted.stream_id, chunk)
            self.pass_time(0.002)
        while accepted.stream_id in self._open and (self._next() <= self.now + 0.005):
            self.pass_time(0.005)
        self._open.discard(accepted.stream_id)
        self._call(self.node.stream_ended, accepted.stream_id, StreamEnd.RESET)
        while self._next() <= self.now + 0.002:
            self.pass_time(0.002)

    def pass_time(self, seconds: float) -> None:
        """Runs everything that is due in the next ``seconds``."""
        end = self.now + seconds
        while self._next() <= end:
            self.now = max(self.now, self._next())
            self._call(self.node.handle_timeout)
        self.now = end

    def _next(self) -> float:
        deadline = self.node.next_deadline()
        return float("inf") if deadline is None else deadline

    def _call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        before = time.process_time()
        result = call(self.now, *arguments)
        output = self.node.poll()
        spent = time.process_time() - before
        self.seconds += spent
        self.longest = max(self.longest, spent)
        self.sent += sum(len(transmit.data) for transmit in output.transmits)
        for event in output.events:
            self.on_event(event)
        for action in output.streams:
            if isinstance(action, Send):
                self.sent += len(action.data)
                self.replied = action.data
            if isinstance(action, Dial):
                self.dialled.append(action)
            else:
                self._open.discard(action.stream_id)
        return result


def _measured(source: Source, seed: int, *, is_stream: bool) -> dict[str, float]:
    victim = Victim()
    _attack(victim, source, seed, is_stream=is_stream)
    gc.collect()
    tracemalloc.start()
    try:
        other = Victim()
        before, _ = tracemalloc.get_traced_memory()
        _attack(other, source, seed + 1, is_stream=is_stream)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    return {
        "kept, MiB": kept / 2**20,
        "sent, B per B": victim.sent / victim.received,
        "CPU, us per B": victim.seconds / victim.received * 1e6,
        "longest call, ms": victim.longest * 1e3,
    }


def _attack(victim: Victim, source: Source, seed: int, *, is_stream: bool) -> None:
    random = Random(seed)
    give = victim.stream if is_stream else victim.packet
    most = _STREAM_BYTES if is_stream else _PACKET_BYTES
    for _ in range(_REQUESTS_MAX if is_stream else _PACKETS_MAX):
        give(source(random))
        if victim.received >= most:
            break
