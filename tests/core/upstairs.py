"""A delegate without Serf, which writes down what the core reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swim.addresses import Endpoint
from swim.core.broadcast import Backlog
from swim.core.member import Record
from swim.events import Reason
from swim.wire.messages import Alive
from swim.wire.steps import Steps, at_once

__all__ = ["Upstairs"]


class Upstairs:
    """A delegate that records its calls, in memberlist's terms."""

    def __init__(self, meta: bytes | None, backlog: Backlog) -> None:
        self.backlog = backlog
        self.local_meta = meta
        self.events: list[str] = []
        self.reasons: list[Reason] = []
        self.users: list[bytes] = []
        self.messages: list[tuple[str, bytes, bool]] = []
        self.queued: list[bytes] = []
        self.joins_announced = 0
        self.payload: bytes | None = None
        self.round_trips: list[tuple[str, float, bytes | None]] = []
        self._metas: dict[str, bytes | None] = {}

    def meta(self) -> bytes | None:
        return self.local_meta

    def allow_alive(self, claim: Alive) -> bool:
        return True

    def objection(self, name: str, meta: bytes | None, vsn: bytes) -> str:
        return ""

    def member_joined(self, now: float, record: Record, reason: Reason) -> None:
        self._note("join", record, reason)

    def member_refreshed(self, now: float, record: Record, previous: Record, reason: Reason) -> None:
        if self._metas.get(record.name, record.meta) != record.meta:
            self._note("update", record, reason)

    def member_suspected(self, now: float, record: Record, reason: Reason) -> None:
        self.reasons.append(reason)

    def member_accused(self, now: float, record: Record, reason: Reason) -> None:
        pass

    def member_gone(self, now: float, record: Record, reason: Reason) -> None:
        self._note("leave", record, reason)

    def member_conflict(self, now: float, record: Record, claim: Alive) -> None:
        self.events.append(f"conflict:{record.name}")

    def ack_payload(self) -> bytes | None:
        return self.payload

    def ping_completed(self, record: Record, rtt: float, payload: bytes | None) -> None:
        self.round_trips.append((record.name, rtt, payload))

    def user_message(self, now: float, body: bytes, source: Endpoint | None) -> None:
        self.users.append(body)

    def message(self, source: str, payload: bytes, *, is_broadcast: bool) -> None:
        self.messages.append((source, payload, is_broadcast))

    def broadcasts(
        self, now: float, room: int, overhead: int, *, most: int, target: Record | None
    ) -> list[bytes]:
        taken: list[bytes] = []
        while self.queued and len(taken) < most and len(self.queued[0]) + overhead <= room:
            room -= len(self.queued[0]) + overhead
            taken.append(self.queued.pop(0))
            self.backlog.waiting -= 1
        return taken

    def queue(self, bodies: Sequence[bytes]) -> None:
        self.queued += bodies
        self.backlog.waiting += len(bodies)

    def local_state(self, join: bool) -> Steps[bytes]:
        return at_once(b"")

    def merge_state(
        self, clock: Callable[[], float], state: bytes, *, peer: str, replay: bool
    ) -> Steps[None]:
        self.users.append(state)
        yield from ()

    def announce_join(self, now: float) -> None:
        self.joins_announced += 1

    def announce_leave(self, now: float) -> list[bytes]:
        return []

    def cluster_resized(self, now: float, n: int) -> None:
        pass

    def _note(self, word: str, record: Record, reason: Reason) -> None:
        self._metas[record.name] = record.meta
        self.events.append(f"{word}:{record.name}")
        self.reasons.append(reason)
