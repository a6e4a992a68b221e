"""Filters of clients: which members to list, and which events a stream takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from swim import ConfigError, Member
from swim.expressions import problem_of, re2_engine, readable
from swim.handlers.spec import ANY, EventFilter

__all__ = ["event_filters", "member_filter"]

_EXPRESSION_MAX_CHARACTERS = 512
_REPETITIONS_MAX = 2
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_COSTLY = re.compile(r"\)[*+?{]|\{|\(\?")

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
        raise ConfigError(where, problem_of(error)) from None
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


def event_filters(text: str) -> tuple[EventFilter, ...]:
    """The events that a stream takes, in the notation of event handlers; an empty text is all.

    Raises:
        ValueError: there is no such type of events.
    """
    return tuple(map(EventFilter.parse, (text or ANY).split(",")))
