"""A node that records the driver's calls and outputs whatever a test queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import swim
from swim.addresses import Endpoint
from swim.commands import Command
from swim.config import Config
from swim.core.output import Lookup, Output, StreamEnd
from swim.core.probed import Probed
from swim.detection import SeedStatus
from swim.metrics import Metrics
from swim.node import Accepted
from swim.serf.stats import NodeStats
from swim.wire.keyring import Keyring


class FakeNode:
    """Stands where ``swim.node.Node`` stands in a ``Driver``.

    Attributes:
        calls: name of each input and its arguments, the time left out.
        at: the time of each call in ``calls``.
        wishes: carried out at the next poll.
        deadline: what ``next_deadline`` says; a fired timer clears it.
        accepts: what ``accept_stream`` answers, in order; None refuses, as does an empty list.
        is_answered_by_packets: whether any packet is what the timer waits for.
        on_stream: wishes to add when stream data arrives.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.bind_port = 7000
        self.keyring = Keyring()
        self.config = config or Config.local(name="fake")
        self.metrics = Metrics()
        self.calls: list[tuple[Any, ...]] = []
        self.at: list[float] = []
        self.wishes = Output()
        self.deadline: float | None = None
        self.accepts: list[Accepted | None] = []
        self.on_stream: Output | None = None
        self.is_answered_by_packets = False
        self._tickets = 0
        self.probed = Probed()

    status, advertised, is_alone = "running", ("10.0.0.1", 7000), True

    def seeds(self) -> tuple[SeedStatus, ...]:
        return ()

    def key_status(self) -> swim.KeyStatus:
        return swim.KeyStatus()

    def stats(self) -> NodeStats:
        return NodeStats(1, 0, 0, 0, 1, 1, 1, 0, 0, 0, False)

    def coordinates_since(self, _last: object) -> dict[str, Any]:
        return {}

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """The calls of one input, without its name."""
        return [call[1:] for call in self.calls if call[0] == name]

    def start(self, now: float, *, clock_offset: float) -> None:
        self._record(now, "start")

    def set_clock(self, now: float, offset: float) -> None:
        """Nothing to look at: it follows every late wake-up."""

    def receive_packet(self, now: float, data: bytes, source: Endpoint) -> None:
        self._record(now, "packet", data, source)
        if self.is_answered_by_packets:
            self.deadline = None

    def accept_stream(self, now: float, source: Endpoint) -> Accepted | None:
        self._record(now, "accept", source)
        return self.accepts.pop(0) if self.accepts else None

    def receive_stream(self, now: float, stream_id: int, data: bytes) -> None:
        self._record(now, "stream", stream_id, data)
        if self.on_stream is not None:
            self.wishes, self.on_stream = self.on_stream, None

    def stream_ended(self, now: float, stream_id: int, end: StreamEnd, detail: str = "") -> None:
        self._record(now, "ended", stream_id, end, detail)

    def send_failed(self, now: float, endpoint: Endpoint, detail: str) -> None:
        self._record(now, "send_failed", endpoint, detail)

    def resolved(self, now: float, address: str, endpoints: Sequence[Endpoint], error: str = "") -> None:
        self._record(now, "resolved", address, tuple(endpoints), error)

    def handle_timeout(self, now: float, *, overslept: float = 0.0) -> None:
        self._record(now, "timeout", overslept)
        self.deadline = None

    def next_deadline(self) -> float | None:
        return self.deadline

    def poll(self) -> Output:
        wishes, self.wishes = self.wishes, Output()
        return wishes

    def join(self, now: float, addresses: Sequence[str]) -> int:
        self._record(now, "join", tuple(addresses))
        self.wishes.lookups += [Lookup(address) for address in addresses]
        return self._ticket()

    def do(self, now: float, command: Command) -> int:
        self._record(now, "do", command)
        return self._ticket()

    def _ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def _record(self, now: float, *call: Any) -> None:
        self.calls.append(call)
        self.at.append(now)
