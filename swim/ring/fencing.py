"""Fencing numbers: a later ownership has a larger one, wherever one view orders the two."""

from __future__ import annotations

from collections.abc import Iterable

from swim import checks
from swim.events import Member, MemberStatus
from swim.where import snapshot

__all__ = ["fence"]

_STAMP_BITS = 32
_PROGRESS = {MemberStatus.ALIVE: 0, MemberStatus.LEAVING: 1, MemberStatus.LEFT: 2, MemberStatus.FAILED: 2}
"""How far a member has come within one incarnation; back to alive takes a higher one, or a stamp."""


def fence(members: Iterable[Member], *, clock: int = 0) -> int:
    """A number that only grows in one node's view: that of a later ownership of a key is larger.

    It is the sum over all listed members of three times the incarnation, plus 1 for a leaving member and 2
    for one that is gone, plus 2**32 times ``clock``: an order of what this node knows. A view that knows
    everything another one knew, and more, has the larger number, and so has the owner in it. A key changes
    its owner only because of such news.

    It does not order two views of which neither knows all that the other knows, as on two sides of a
    partition. It falls when this node forgets a member (a reap or a prune), or when a failed or leaving
    member is alive again under no higher incarnation, as after a move to another address. The stamp of one
    later join or leave outweighs that, and ``LiveRing.fence`` does not fall at all. A pool of plain
    memberlist has no stamps: there, numbers of two nodes compare only while neither has forgotten a member.
    Numbers of real clusters fit in 63 bits.

    Args:
        members: the whole snapshot, failed and left members included.
        clock: the stamp of the membership clock, ``cluster.stats().member_time``, read after the snapshot.

    Raises:
        ConfigError: naming the argument that is wrong.
    """
    known = sum(3 * one.incarnation + _PROGRESS[one.status] for one in snapshot("members", members))
    return (checks.whole_number("clock", clock) << _STAMP_BITS) + known
