"""The seam to the layer above the core: Serf, or plain membership. Both sides are pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from swim.addresses import Endpoint
from swim.core.member import Record
from swim.events import Reason
from swim.wire.messages import Alive
from swim.wire.steps import Steps

__all__ = ["Delegate"]


class Delegate(Protocol):
    """What the core asks of, and reports to, the layer above (memberlist's delegates in one place)."""

    def meta(self) -> bytes | None:
        """The local node's metadata, at most 512 bytes."""
        ...

    def allow_alive(self, claim: Alive) -> bool:
        """Whether an alive claim may be considered at all."""
        ...

    def objection(self, name: str, meta: bytes | None, vsn: bytes) -> str:
        """Why a member of that name, metadata and versions may not join, or ""."""
        ...

    def member_joined(self, now: float, record: Record, reason: Reason) -> None:
        """``record`` is alive and was unknown, dead or left."""
        ...

    def member_refreshed(self, now: float, record: Record, previous: Record, reason: Reason) -> None:
        """``record`` raised its incarnation while alive or suspect; metadata may differ from ``previous``."""
        ...

    def member_suspected(self, now: float, record: Record, reason: Reason) -> None:
        """``record`` is suspect now."""
        ...

    def member_accused(self, now: float, record: Record, reason: Reason) -> None:
        """``record``, which is suspect, has one more accuser, and its suspicion ends sooner."""
        ...

    def member_gone(self, now: float, record: Record, reason: Reason) -> None:
        """``record`` is dead or left now, as its state says."""
        ...

    def member_conflict(self, now: float, record: Record, claim: Alive) -> None:
        """A node claims ``record``'s name from another address."""
        ...

    def ack_payload(self) -> bytes | None:
        """What an ack to a direct ping carries (memberlist's ``AckPayload``); nothing by default."""
        return None

    def ping_completed(self, record: Record, rtt: float, payload: bytes | None) -> None:
        """``record`` acked the ping of a probe round directly, ``rtt`` seconds after it was sent.

        Ignored by default (memberlist's ``NotifyPingComplete``).
        """
        return

    def user_message(self, now: float, body: bytes, source: Endpoint | None) -> None:
        """A user message arrived (without its type byte)."""
        ...

    def message(self, source: str, payload: bytes, *, is_broadcast: bool) -> None:
        """An application's message arrived, for the first time; ``source`` names the member that sent it."""
        ...

    def broadcasts(
        self, now: float, room: int, overhead: int, *, most: int, target: Record | None
    ) -> list[bytes]:
        """User messages to piggyback on a packet; each costs ``overhead`` bytes beyond its length.


        Asked only while queues made by ``Context.new_queue`` hold something.
        """
        ...

    def local_state(self, join: bool) -> Steps[bytes]:
        """The user state sent with a push/pull, made in steps."""
        ...

    def merge_state(
        self, clock: Callable[[], float], state: bytes, *, peer: str, replay: bool
    ) -> Steps[None]:
        """Merges the user state of a peer's push/pull, in steps; the member records are already merged.

        Args:
            clock: returns the time of the current step.
            state: what the peer's ``local_state`` returned.
            peer: the peer's name, or "".
            replay: whether this node wants to know what happened in the cluster before.
        """
        ...

    def announce_join(self, now: float) -> None:
        """At least one address of a join answered."""
        ...

    def announce_leave(self, now: float) -> list[bytes]:
        """Begins this node's leave; returns user messages to send directly to several peers."""
        ...

    def cluster_resized(self, now: float, n: int) -> None:
        """The core knows ``n`` nodes now, including dead ones that are not reaped."""
        ...
