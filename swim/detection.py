"""What a node knows first-hand: of a member since when it is in its state, who suspects it and how its probes
ended, of a seed whether it could be joined.

Values only; ``Membership.detection`` and ``seeds`` make them when they are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Literal, NamedTuple

__all__ = [
    "Detection",
    "OpenSuspicion",
    "ProbeCounts",
    "ProbePath",
    "RelayAnswer",
    "SeedStatus",
    "StreamAnswer",
]

RelayAnswer = Literal["ack", "nack", "silent"]
"""What came back by a relay."""
StreamAnswer = Literal["ack", "refused", "none", "off"]
"""What came back on a stream: ``refused`` is its host's answer, ``off`` means that none was tried."""


class OpenSuspicion(NamedTuple):
    """A suspicion that has not ended.

    Attributes:
        accusers: names of those who suspect the member, sorted.
        started: when the first accusation arrived, seconds on the clock of ``Transition.at``.
        deadline: when the member is declared failed, if it does not refute; more accusers bring it forward.
        wanted: accusers beside the first one that bring it as far forward as it goes.
    """

    accusers: tuple[str, ...]
    started: float
    deadline: float
    wanted: int


class ProbePath(NamedTuple):
    """How the last probe round of a member by this node ended.

    Attributes:
        at: when, seconds on the clock of ``Transition.at``.
        direct: whether the member acked the ping itself.
        relays: what came back by each relay that was asked, by its name; empty if none was.
        stream: what came back on a stream.
    """

    at: float
    direct: bool
    relays: Mapping[str, RelayAnswer]
    stream: StreamAnswer


class ProbeCounts(NamedTuple):
    """How this node's probe rounds of a member ended since the member is listed.

    Attributes:
        acked: rounds that ended with an ack: its own, one by a relay, or one on a stream.
        failed: rounds that ended without one.
        rtts: seconds that its last direct acks took, oldest first; at most 32.
    """

    acked: int = 0
    failed: int = 0
    rtts: tuple[float, ...] = ()

    def percentile(self, share: float) -> float | None:
        """The round-trip time that a ``share`` (0 to 1) of ``rtts`` do not exceed; None without any."""
        ordered = sorted(self.rtts)
        return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


class Detection(NamedTuple):
    """What this node's failure detector knows of one member.

    Attributes:
        since: when the member came into its present ``Member.state``, seconds on the clock of
            ``Transition.at``; 0 for a member that a simulation began with.
        suspicion: None unless the member is suspect.
        last_ack: when the last acked probe of this node was acked; None if none was yet.
        rtt: seconds that the last ack of a direct ping took; None if there was none yet.
        probe: how the last probe ended; None before the first.
        probes: how all of them ended.
    """

    since: float
    suspicion: OpenSuspicion | None = None
    last_ack: float | None = None
    rtt: float | None = None
    probe: ProbePath | None = None
    probes: ProbeCounts = ProbeCounts()


class SeedStatus(NamedTuple):
    """The state of joining one of ``Config.seeds``.

    Attributes:
        address: as configured.
        is_joined: a live member is there, so nothing is dialled.
        error: why the last attempt failed; "" if it worked, or there was none.
        at: when that attempt ended, seconds on the clock of ``Cluster.now``; None if there was none.
        failures: how often it was tried again without success, since it last worked.
        next_at: when a node that is alone next tries one of its seeds, on the same clock; None for one with
            others, and for a seed that needs no attempt.
    """

    address: str
    is_joined: bool
    error: str = ""
    at: float | None = None
    failures: int = 0
    next_at: float | None = None
