"""Who may act, as pure functions of a snapshot, and damped or coalesced events; the same on any front.

    may_act = swim.policies.majority_of(5)
    if may_act(cluster.members()) and ring.owns("nightly-report"):
        ...

Membership takes no such decision by itself, and these are not agreement either: each node judges its own
view.
``docs/policies.md`` shows what each of them does in a partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, isfinite
from typing import TypeAlias

from swim import checks
from swim.coalescing import Coalescer as Coalescer
from swim.damping import Damper as Damper
from swim.events import Member, MemberStatus
from swim.where import Where, alive_matching, as_predicate, snapshot

__all__ = ["Coalescer", "Damper", "Policy", "majority_of", "oldest", "quorum_of"]

Policy: TypeAlias = Callable[[Iterable[Member]], bool]
"""Whether a node with this snapshot may act."""


def majority_of(expected: int, *, where: Where = None) -> Policy:
    """More than half of the expected members are alive in this view, and none of those is suspect.

    If there are no more members than expected, two views without a common member never both pass. Suspect
    members don't count, so a node that is cut off stops as soon as it doubts the others, before it declares
    them failed.

    Args:
        expected: how many members there are when all is well, this node included; at least 1. Change it on
            all nodes when the cluster grows, before the new members start.
        where: which members count: tags, or a function of a ``Member``; None for all.

    Raises:
        ConfigError: naming the argument that is wrong; the policy, naming ``members``.
    """
    checks.whole_number("expected", expected, at_least=1)
    matches = as_predicate("where", where)

    def majority(members: Iterable[Member]) -> bool:
        alive = alive_matching(snapshot("members", members), matches)
        return 2 * sum(not one.is_suspect for one in alive) > expected

    return majority


def quorum_of(role: str, *, tag: str = "role") -> Policy:
    """More than half of the listed members of a role are alive and not suspect; those that left don't count.

    The expected number is what this view lists, so nothing has to be configured. In exchange, a node that
    starts during a partition, or that has forgotten failed members (``reconnect_timeout``), expects fewer:
    use ``majority_of`` where that matters. A view without members of the role has no quorum.

    Args:
        role: the tag's value.
        tag: the tag's name.

    Raises:
        ConfigError: naming the argument that is wrong; the policy, naming ``members``.
    """
    checks.text("role", role)
    checks.text("tag", tag)

    def quorum(members: Iterable[Member]) -> bool:
        listed = [
            one
            for one in snapshot("members", members)
            if one.tags.get(tag) == role and one.status is not MemberStatus.LEFT
        ]
        healthy = (one.status is MemberStatus.ALIVE and not one.is_suspect for one in listed)
        return 2 * sum(healthy) > len(listed)

    return quorum


def oldest(members: Iterable[Member], *, where: Where = None, since_tag: str = "since") -> Member | None:
    """The alive member that started first, by its own word; suspect members count. None if there is none.

    The wire carries no age, so each member states when it started in a tag, ``{"since": str(time.time())}``.
    Equal views agree: of equal times the smallest name comes first, and members whose tag is missing or no
    number come last. A member that joins later does not displace it, unless its clock is behind.

    Args:
        members: the snapshot.
        where: which members count: tags, or a function of a ``Member``; None for all.
        since_tag: the tag with the time, a number.

    Raises:
        ConfigError: naming the argument that is wrong.
    """
    checks.text("since_tag", since_tag)
    alive = alive_matching(snapshot("members", members), as_predicate("where", where))
    return min(alive, key=lambda one: (_number(one.tags.get(since_tag, "")), one.name), default=None)


def _number(text: str) -> float:
    """A peer's tag may hold anything."""
    try:
        value = float(text)
    except ValueError:
        return inf
    return value if isfinite(value) else inf
