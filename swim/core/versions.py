"""Whether two tables' protocol versions can live together (memberlist verifyProtocol)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from swim.core.member import State

__all__ = ["Versions", "version_conflict"]


class Versions(NamedTuple):
    """What the check needs of one member."""

    name: str
    state: int
    vsn: bytes


def version_conflict(local: Iterable[Versions], remote: Iterable[Versions]) -> str:
    """Why a push/pull must be refused, or "".

    The common range is that of all *alive* members on both sides; then every member, whatever its state, must
    speak a version inside it.

    Args:
        local: the own table.
        remote: the peer's records.
    """
    local, remote = list(local), list(remote)
    low, high, delegate_low, delegate_high = 0, 255, 0, 255
    for _, state, vsn in (*remote, *local):
        if state != State.ALIVE or len(vsn) < 5:
            continue
        low, high = max(low, vsn[0]), min(high, vsn[1])
        delegate_low, delegate_high = max(delegate_low, vsn[3]), min(delegate_high, vsn[4])
    for side, versions in (("remote", remote), ("local", local)):
        for name, _, vsn in versions:
            current, delegate = (vsn[2], vsn[5]) if len(vsn) >= 6 else (0, 0)
            if not low <= current <= high:
                return f"{side} member {name!r} speaks protocol {current}, outside the common {low}..{high}"
            if not delegate_low <= delegate <= delegate_high:
                return (
                    f"{side} member {name!r} speaks delegate protocol {delegate}, "
                    f"outside the common {delegate_low}..{delegate_high}"
                )
    return ""
