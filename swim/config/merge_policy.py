"""``MergePolicy``: which members may join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase

from swim import checks
from swim.frozen import FrozenMap
from swim.text import shown
from swim.values import dataclass

__all__ = ["MergePolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePolicy:
    """Which members may join this node's cluster; all conditions must hold. A frozen, hashable value.

    It keeps clusters from merging by mistake. It is no security: a sender of packets can choose its tags, so
    use keys against attackers. See ``Config.merge_policy`` for when it is asked.

    Attributes:
        tags: patterns by tag; a member needs each of these tags with a value that matches. ``*`` matches any
            text, ``?`` one character, ``[ab]`` one of them; upper and lower case differ.
        names: patterns of names, of which one must match; () allows any name.
        protocol_versions: the memberlist protocols that a member may speak; () allows all.
        delegate_versions: the Serf protocols that a member may speak; () allows all.

    Raises:
        ConfigError: naming the condition that is wrong.
    """

    tags: Mapping[str, str] = field(default_factory=FrozenMap)
    names: Iterable[str] = ()
    protocol_versions: Iterable[int] = ()
    delegate_versions: Iterable[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", checks.text_map("tags", self.tags))
        object.__setattr__(self, "names", checks.texts("names", self.names))
        for name in ("protocol_versions", "delegate_versions"):
            object.__setattr__(self, name, checks.whole_numbers(name, getattr(self, name)))

    def objection(self, name: str, tags: Mapping[str, str], protocol: int, delegate: int) -> str:
        """Why a member may not join, in words that its operator reads; "" if it may.

        Args:
            name: the member's name.
            tags: its tags.
            protocol: the memberlist protocol that it speaks.
            delegate: the Serf protocol that it speaks, 0 for none.
        """
        why = ""
        if self.names and not any(fnmatchcase(name, pattern) for pattern in self.names):
            why = f"its name must match {' or '.join(map(shown, self.names))}"
        for tag, pattern in self.tags.items():
            value = tags.get(tag)
            if value is None or not fnmatchcase(value, pattern):
                has = "is missing" if value is None else f"is {shown(value)}"
                why = why or f"its tag {shown(tag)} {has}, and must match {shown(pattern)}"
        for what, spoken, allowed in (
            ("memberlist", protocol, self.protocol_versions),
            ("Serf", delegate, self.delegate_versions),
        ):
            if allowed and spoken not in allowed:
                why = why or f"it speaks {what}'s protocol {spoken}, and must speak {_either(allowed)}"
        return why and f"member {shown(name)} may not join: {why}"


def _either(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, numbers))
