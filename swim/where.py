"""Which members count: tags that they must have, or a function of a member."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import TypeAlias

from swim import checks
from swim.errors import ConfigTypeError
from swim.events import Member, MemberStatus

__all__ = ["Predicate", "Where", "alive_matching", "as_predicate", "described", "snapshot"]

Predicate: TypeAlias = Callable[[Member], bool]
Where: TypeAlias = Mapping[str, str] | Predicate | None
"""Tags with the values that a member must have, a function of a ``Member``, or None for all members."""


def as_predicate(name: str, where: object) -> Predicate | None:
    """The function that ``where`` stands for; None if all members count.

    Raises:
        ConfigTypeError: naming the argument, if it is neither tags nor a plain function.
        ConfigError: as ``checks.text_map``.
    """
    if where is None:
        return None
    if callable(where) and not iscoroutinefunction(where):
        return where
    if not isinstance(where, Mapping):
        raise ConfigTypeError(name, f"must be tags or a plain function of a member, not {where!r}")
    wanted = checks.text_map(name, where).items()
    return lambda member: wanted <= member.tags.items()


def described(where: Where) -> str:
    """The filter as an error shows it."""
    if where is None:
        return "no filter"
    return repr(dict(where)) if isinstance(where, Mapping) else getattr(where, "__qualname__", repr(where))


def snapshot(name: str, members: object) -> tuple[Member, ...]:
    """The members of a snapshot.

    Raises:
        ConfigTypeError: naming the argument, if it is anything else.
    """
    found = tuple(members) if isinstance(members, Iterable) else (members,)
    for one in found:
        if not isinstance(one, Member):
            raise ConfigTypeError(name, f"must be a snapshot such as cluster.members(), not {members!r}")
    return found


def alive_matching(members: tuple[Member, ...], matches: Predicate | None) -> list[Member]:
    """Alive members that count, suspect ones included, by name: equal for equal views in any order."""
    alive = (one for one in members if one.status is MemberStatus.ALIVE)
    return sorted(alive if matches is None else filter(matches, alive), key=lambda one: one.name)
