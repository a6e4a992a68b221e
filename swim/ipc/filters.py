"""Filters of clients: which members to list, and which events a stream takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from swim import ConfigError, Member
from swim.expressions import re2_engine, readable

__all__ = ["EventFilter", "member_filter"]

_EXPRESSION_MAX_CHARACTERS = 512
_REPETITIONS_MAX = 2
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_COSTLY = re.compile(r"\)[*+?{]|\{|\(\?")
_EVENTS = (
    "member-join",
    "member-leave",
    "member-failed",
    "member-update",
    "member-reap",
    "user",
    "query",
    "*",
)

Matches = Callable[[str], bool]


def member_filter(tags: Mapping[str, str], status: str, name: str) -> Callable[[Member], bool]:
    """Whether a member matches all expressions, each used as ``^expression$``.

    An empty status or name matches all. A tag that a member does not have counts as "".

    Raises:
        ConfigError: naming what is no regular expression, or one too long.
    """
    of_tags = [(tag, _compiled(f"the tag {tag!r}", expression)) for tag, expression in tags.items()]
    of_status = _compiled("the status", status) if status else None
    of_name = _compiled("the name", name) if name else None

    def matches(member: Member) -> bool:
        return (
            all(matches(member.tags.get(tag, "")) for tag, matches in of_tags)
            and (of_status is None or of_status(member.status.value))
            and (of_name is None or of_name(member.name))
        )

    return matches


def _compiled(what: str, expression: str) -> Matches:
    where = f"regular expression for {what}"
    if len(expression) > _EXPRESSION_MAX_CHARACTERS:
        raise ConfigError(where, f"is longer than {_EXPRESSION_MAX_CHARACTERS} characters")
    found = re2_engine()
    if found is None:
        return _simple(where, expression)
    re2, options = found
    try:
        pattern = re2.compile(readable(f"^{expression}$"), options)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ConfigError(where, text) from None
    return lambda value: pattern.search(readable(value)) is not None


def _simple(where: str, expression: str) -> Matches:
    """Without RE2: Python's own, for expressions that take it no time worth mentioning."""
    bare = _ESCAPED.sub("", expression)
    if _COSTLY.search(bare) or len(re.findall(r"[*+?]", bare)) > _REPETITIONS_MAX:
        raise ConfigError(where, "is too complex without google-re2: pip install 'swim-cluster[filters]'")
    try:
        pattern = re.compile(f"^{expression}\\Z", re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(where, str(error)) from None
    return lambda value: pattern.search(value) is not None


class EventFilter:
    """Which events a stream takes: Serf's names, with a name after ``user:`` and ``query:``.

    Args:
        text: several with commas between; none is all.

    Raises:
        ConfigError: naming ``Type``, if one is no such name.
    """

    def __init__(self, text: str) -> None:
        self._wanted = {_event(one) for one in (text or "*").split(",")}

    def takes(self, kind: str, name: str = "") -> bool:
        """Whether it takes events of a kind; ``name`` is a user event's or a query's."""
        wanted = self._wanted
        return ("*", "") in wanted or (kind, "") in wanted or (bool(name) and (kind, name) in wanted)


def _event(text: str) -> tuple[str, str]:
    kind, colon, name = text.partition(":")
    if kind not in _EVENTS or (colon and kind not in ("user", "query")):
        raise ConfigError("Type", f"{text!r} is no kind of event")
    return kind, name
