"""The inputs of a decision about a claim: how it is known, and what is stored about its subject."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from swim.addresses import Endpoint
from swim.core.context import NodeStatus
from swim.core.member import Record
from swim.core.table import Tombstone

__all__ = ["Evidence", "Known", "Own", "Source", "Unknown", "packet_source"]


class Evidence(IntEnum):
    """How a claim is known, weakest first."""

    HEARD = 0
    """From any other sender."""
    ANSWERED = 1
    """From the peer of a push/pull that this node dialled."""
    GOSSIPED = 2
    """From a live member, in a packet."""
    ITSELF = 3
    """From the member itself, by its own push/pull; a packet from its address counts the same."""
    TESTED = 4
    """Found out by this node: by an ack, or the lack of one; of a suspicion, by a refused stream."""


class Source(NamedTuple):
    """Where a claim came from.

    Attributes:
        cause: goes into the transition's reason: ``claim``, ``push-pull``, ``probe``, ...
        endpoint: the sender's, if it came in a packet.
        name: the sender's name if known; the claim is not gossiped back to it.
        evidence: how the claim is known, unless the sender's address shows it.
        detail: the rest of the reason.
    """

    cause: str
    endpoint: Endpoint | None = None
    name: str = ""
    evidence: Evidence = Evidence.HEARD
    detail: str = ""


def packet_source(endpoint: Endpoint, sender: Record | None) -> Source:
    """Where the claims in a packet come from; ``sender`` is the member at ``endpoint``."""
    if sender is None:
        return Source("claim", endpoint)
    return Source("claim", endpoint, sender.name, Evidence.GOSSIPED if sender.is_live else Evidence.HEARD)


class Own(NamedTuple):
    """The local node's record and status, as what is stored about the subject of a claim.

    Attributes:
        record: the node's own.
        status: of the node.
        is_fresh: the claim cannot be about this run of the node.
    """

    record: Record
    status: NodeStatus
    is_fresh: bool = False

    @property
    def incarnation(self) -> int:
        """The node's own incarnation."""
        return self.record.incarnation


class Unknown(NamedTuple):
    """The subject of a claim is not listed.

    Attributes:
        stone: the tombstone, if it was reaped.
        is_new_here: this node is a newcomer: it found its first peer just now and believes its peers.
        is_crowded: the quota of members never seen first-hand is full.
    """

    stone: Tombstone | None = None
    is_new_here: bool = False
    is_crowded: bool = False

    @property
    def incarnation(self) -> int:
        """The incarnation in the tombstone; 0 without one."""
        return 0 if self.stone is None else self.stone.incarnation


Known = Record | Unknown | Own
"""What is stored about the subject of a claim."""
