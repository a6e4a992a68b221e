"""Whether two tables' protocol versions can live together (memberlist verifyProtocol)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

from swim.core.member import State

__all__ = ["Versioned", "incompatibility", "version_conflict"]


class Versioned(Protocol):
    """What the check needs of one member: a table's record, or a push/pull's."""

    @property
    def name(self) -> str:
        """The member's name."""
        ...

    @property
    def state(self) -> int:
        """A ``State``."""
        ...

    @property
    def vsn(self) -> bytes:
        """The six version bytes, or fewer."""
        ...


class _Common(NamedTuple):
    low: int
    high: int
    delegate_low: int
    delegate_high: int

    def refuses(self, vsn: bytes) -> str:
        current, delegate = (vsn[2], vsn[5]) if len(vsn) >= 6 else (0, 0)
        if not self.low <= current <= self.high:
            return f"protocol {current}, outside the common {self.low}..{self.high}"
        if not self.delegate_low <= delegate <= self.delegate_high:
            common = f"{self.delegate_low}..{self.delegate_high}"
            return f"delegate protocol {delegate}, outside the common {common}"
        return ""


def _common(alive: Iterable[bytes]) -> _Common:
    """The range that all members with these versions understand."""
    low, high, delegate_low, delegate_high = 0, 255, 0, 255
    for vsn in alive:
        if len(vsn) >= 5:
            low, high = max(low, vsn[0]), min(high, vsn[1])
            delegate_low, delegate_high = max(delegate_low, vsn[3]), min(delegate_high, vsn[4])
    return _Common(low, high, delegate_low, delegate_high)


@lru_cache(maxsize=256)
def incompatibility(own: bytes, vsn: bytes) -> str:
    """The versions of a member that cannot join this node, or "": one rule for gossip and push/pulls.

    Each must speak what the other understands. Version bytes that are all zero are not checked.
    """
    if not any(vsn):
        return ""
    common = _common((own, vsn))
    ours = common.refuses(own)
    return common.refuses(vsn) or (ours and f"versions that exclude ours: {ours}")


def version_conflict(local: Collection[Versioned], remote: Collection[Versioned]) -> str:
    """Why a push/pull must be refused, or "".

    The common range is that of all *alive* members on both sides; then every member, whatever its state, must
    speak a version inside it.

    Args:
        local: the own table.
        remote: the peer's records.
    """
    sides = (("remote", remote), ("local", local))
    # Thousands of members speak a handful of versions.
    alive = {one.vsn for _, side in sides for one in side if one.state == State.ALIVE}
    other = {one.vsn for _, side in sides for one in side if one.state != State.ALIVE}
    common = _common(alive)
    if not any(map(common.refuses, alive | other)):
        return ""
    for side, members in sides:
        for one in members:
            refusal = common.refuses(one.vsn)
            if refusal:
                return f"{side} member {one.name!r} speaks {refusal}"
    return ""
