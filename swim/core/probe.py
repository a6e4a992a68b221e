"""One probe round of one target: what was asked, what was answered, what it means. Handles no packets."""

from __future__ import annotations

from swim.addresses import Endpoint
from swim.core.member import Record

__all__ = ["ProbeRound", "SelfDoubt"]


class ProbeRound:
    """The state of one round (memberlist probeNode).

    Attributes:
        target: the probed member, as it was at the start.
        began: when it began, seconds.
        incarnation: the target's incarnation at the start; an accusation names this one.
        seq_no: of the ping and of everything asked for it.
        relays: endpoints asked to ping indirectly, and whether each can nack.
        nacks: where nacks came from; each source counts once.
        fallback: outcome of the stream ping: ``""`` (not tried), ``pending``, ``acked`` or why it failed.
        send_error: why the ping could not be sent.
        ended: when it ended, seconds.
        acked_from: where the ack came from, if relays had been asked; None without one.
        is_refused: the target's host refused the stream ping, so the host is up and the process is not.
    """

    __slots__ = (
        "acked_from",
        "began",
        "deadline",
        "ended",
        "fallback",
        "incarnation",
        "is_indirect",
        "is_refused",
        "nacks",
        "relays",
        "send_error",
        "seq_no",
        "target",
    )

    def __init__(self, target: Record, began: float, deadline: float) -> None:
        self.target: Record = target
        self.began: float = began
        self.incarnation: int = target.incarnation
        self.seq_no: int = 0
        self.deadline: float = deadline
        self.is_indirect: bool = False
        self.is_refused: bool = False
        self.relays: dict[Endpoint, bool] = {}
        self.nacks: set[Endpoint] = set()
        self.fallback: str = ""
        self.send_error: str = ""
        self.ended: float = 0.0
        self.acked_from: Endpoint | None = None

    @property
    def nacks_expected(self) -> int:
        """How many relays were asked for a nack."""
        return sum(self.relays.values())

    @property
    def is_decided(self) -> bool:
        """Every relay nacked and the target refused the stream, so waiting longer changes nothing."""
        return (
            self.is_indirect
            and 0 < self.nacks_expected == len(self.relays) == len(self.nacks)
            and self.fallback not in ("", "pending", "acked")
        )

    def failure_delta(self) -> int:
        """Change of the health score after a failed round, as in memberlist: missing nacks raise it.

        If the target's host refused the stream, this node can be heard, and the score does not change.
        """
        if self.is_refused:
            return 0
        expected = self.nacks_expected
        return max(0, expected - len(self.nacks)) if expected else 1

    def describe_failure(self) -> str:
        """What was tried without an ack, for the transition's reason."""
        tried = [self.send_error or "direct"]
        if self.relays:
            relays, nacks = len(self.relays), len(self.nacks)
            tried.append(f"{relays} relay{'s' * (relays != 1)} ({nacks} nack{'s' * (nacks != 1)})")
        if self.fallback:
            tried.append(f"stream ({self.fallback})")
        return "no ack: " + ", ".join(tried)


class SelfDoubt:
    """Rate-limits accusations while many targets fail in a row: the cause is probably this node.

    The first ``threshold - 1`` targets are accused at once, later ones at least ``pause`` apart, until an ack
    or a relay's nack arrives.
    """

    __slots__ = ("_failed", "_last", "_threshold")

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._failed: set[str] = set()
        self._last = float("-inf")

    @property
    def is_raised(self) -> bool:
        """Whether a target failed and no member has answered since."""
        return bool(self._failed)

    def answered(self) -> None:
        """A member answered: ends the doubt."""
        if self._failed:
            self._failed.clear()

    def may_accuse(self, now: float, target: str, pause: float) -> bool:
        """Records that ``target`` failed; True if it may be accused now."""
        self._failed.add(target)
        if 0 < self._threshold <= len(self._failed) and now - self._last < pause:
            return False
        self._last = now
        return True
