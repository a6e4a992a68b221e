"""Members of snapshots that no node has seen."""

from __future__ import annotations

from typing import Any

from swim.events import Member, MemberStatus, VersionTriple

__all__ = ["member"]


def member(
    name: str, status: str = "alive", *, suspect: bool = False, incarnation: int = 1, **tags: Any
) -> Member:
    """One member with these tags, alive by default."""
    triple = VersionTriple(1, 5, 2)
    return Member(name, "10.0.0.1", 7946, tags, MemberStatus(status), suspect, incarnation, triple, triple)
