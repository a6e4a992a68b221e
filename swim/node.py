"""The sans-I/O node. INTERFACE UNDER CONSTRUCTION: signatures are settled, bodies follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from swim.config import Config
from swim.core.output import Endpoint, Output, StreamEnd
from swim.core.rng import Rng
from swim.events import Member, Transition
from swim.metrics import Metrics


class Accepted(NamedTuple):
    """An inbound stream the node agreed to read."""

    stream_id: int
    deadline: float


class NodeStats(NamedTuple):
    """Serf's stats section; ``members`` counts all listed ones."""

    members: int
    failed: int
    left: int
    health_score: int
    member_time: int
    event_time: int
    query_time: int
    intent_queue: int
    event_queue: int
    query_queue: int
    encrypted: bool


class Node:
    """One member of a cluster, without sockets, clock or tasks."""

    config: Config
    metrics: Metrics

    def __init__(
        self,
        config: Config,
        *,
        advertise: Endpoint,
        bind_port: int,
        rng: Rng,
        nonce: Callable[[], bytes] | None = None,
        snapshot: str = "",
    ) -> None: ...

    # inputs
    def start(self, now: float) -> None: ...
    def receive_packet(self, now: float, data: bytes, source: Endpoint) -> None: ...
    def accept_stream(self, now: float, source: Endpoint) -> Accepted | None: ...
    def receive_stream(self, now: float, stream_id: int, data: bytes) -> None: ...
    def stream_ended(self, now: float, stream_id: int, end: StreamEnd, detail: str = "") -> None: ...
    def send_failed(self, now: float, endpoint: Endpoint, detail: str) -> None: ...
    def resolved(self, now: float, address: str, endpoints: Sequence[Endpoint], error: str = "") -> None: ...
    def handle_timeout(self, now: float, *, overslept: float = 0.0) -> None: ...

    # outputs
    def next_deadline(self) -> float | None: ...
    def poll(self) -> Output: ...

    # commands; those with a ticket report `Finished(ticket, ...)` in a later output
    def join(self, now: float, addresses: Sequence[str]) -> int: ...  # JoinResult; emits Lookup for each address
    def leave(self, now: float) -> int: ...  # None when done
    def rejoin(self, now: float) -> int: ...  # JoinResult; after leave, on the same object
    def force_leave(self, now: float, name: str, *, prune: bool = False) -> int: ...  # ForceLeaveOutcome
    def set_tags(self, now: float, tags: Mapping[str, str]) -> int: ...  # None when spread (or broadcast_timeout)

    # views
    @property
    def local(self) -> Member: ...
    def members(self) -> tuple[Member, ...]: ...
    def member(self, name: str) -> Member | None: ...
    def history(self, name: str) -> tuple[Transition, ...]: ...
    def stats(self) -> NodeStats: ...
    def snapshot(self) -> str: ...  # text to keep in a file and hand back as `snapshot=`; "" before start
