"""Query filters: whether a query is meant for this node (Serf's shouldProcessQuery)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from swim.core.token_bucket import TokenBucket
from swim.errors import ConfigError, RemoteError
from swim.events import Member
from swim.expressions import problem_of, re2_engine, readable
from swim.metrics import Metrics
from swim.wire.go_msgpack import pack, struct, text, unpack

__all__ = ["TO_NO_NODE", "FilterType", "QueryFilters", "asked", "encode_filters"]

logger: logging.Logger = logging.getLogger("swim.serf")

TO_NO_NODE = b"\x00\x90"
"""A filter that lists no names, so it matches no node; ``encode_filters`` never makes it."""
_FILTERS_MAX = 32
_EXPRESSION_MAX_CHARACTERS = 512
_COST_PER_QUERY = 2_000
"""Most that the tag filters of one query may cost, some 10 ms."""
_COST_PER_SECOND = 10_000
"""Most that they may cost per second, some 5 % of a processor."""
_CLASS_COST = 100
"""Cost of a Unicode class relative to a character: it compiles to that many ranges."""

_REPETITION = re.compile(r"\{(\d{1,9})(?:,(\d{0,9}))?\}")
_CLASS = re.compile(r"\\[pP]|\[\^|\(\?[a-zA-Z]*i")


class FilterType(IntEnum):
    """First byte of a filter."""

    NODE = 0
    TAG = 1


def encode_filters(nodes: Sequence[str], tags: Mapping[str, str]) -> tuple[bytes, ...]:
    """The filters of a query: one for all names, if there are any, and one for the expression of each tag.

    Raises:
        ConfigError: naming ``tags``: an expression is none of RE2's (unless RE2 is not installed).
    """
    filters = [bytes((FilterType.NODE,)) + pack([*nodes])] if nodes else []
    for tag, expression in tags.items():
        if (engine := re2_engine()) is not None:
            re2, options = engine
            try:
                re2.compile(readable(expression), options)
            except re2.error as error:
                problem = f"{expression!r} is no regular expression: {problem_of(error)}"
                raise ConfigError("tags", problem) from None
        filters.append(bytes((FilterType.TAG,)) + pack({"Expr": expression, "Tag": tag}))
    return tuple(filters)


def asked(nodes: Sequence[str], tags: Mapping[str, str], members: Iterable[Member]) -> set[str] | None:
    """Names of the members that a query of this node asks; None if that takes RE2, which is not installed.

    For expressions that ``encode_filters`` accepted.
    """
    named = frozenset(nodes)
    engine = re2_engine() if tags else None
    if tags and engine is None:
        return None
    return {
        member.name
        for member in members
        if (not named or member.name in named)
        and (engine is None or _found(engine, [(tags[tag], member.tags.get(tag, "")) for tag in tags]))
    }


class QueryFilters:
    """Decides for one node, within a budget.

    A node filter lists names; a tag filter searches a tag's value, "" if absent, for a regular expression in
    RE2's syntax. As in Serf, a filter that cannot be read matches no node; here, neither does one that is too
    costly.

    Args:
        metrics: counts ``filters-costly``, ``filter-budget`` and ``no-google-re2``.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._allowance = TokenBucket(per_second=_COST_PER_SECOND, burst=_COST_PER_SECOND)
        self._has_warned = False

    def match(self, now: float, filters: Sequence[bytes], name: str, tags: Mapping[str, str]) -> bool:
        """Whether all filters match the node with that name and these tags."""
        if len(filters) > _FILTERS_MAX:
            self._metrics.dropped("filters-costly")
            return False
        expressions: list[tuple[str, str]] = []
        try:
            for blob in filters:
                if not blob:
                    return False
                if blob[0] == FilterType.NODE:
                    names = unpack(blob[1:])
                    if not isinstance(names, tuple) or name not in map(text, names):
                        return False
                elif blob[0] == FilterType.TAG:
                    get = struct(unpack(blob[1:]), (b"Tag", b"Expr")).get
                    expressions.append((text(get(b"Expr")), tags.get(text(get(b"Tag")), "")))
                else:
                    return False
        except RemoteError:
            return False
        return not expressions or (self._can_afford(now, expressions) and self._search(expressions))

    def _can_afford(self, now: float, expressions: list[tuple[str, str]]) -> bool:
        cost = sum(_cost(expression, value) for expression, value in expressions)
        if cost > _COST_PER_QUERY:
            self._metrics.dropped("filters-costly")
            return False
        if not self._allowance.spend(now, cost):
            self._metrics.dropped("filter-budget")
            return False
        return True

    def _search(self, expressions: list[tuple[str, str]]) -> bool:
        engine = re2_engine()
        if engine is None:
            self._metrics.dropped("no-google-re2")
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "queries that filter by tags are not answered: pip install 'swim-cluster[filters]'"
                )
            return False
        return _found(engine, expressions)


def _found(engine: tuple[Any, Any], expressions: Sequence[tuple[str, str]]) -> bool:
    """Whether every expression is found in its value."""
    re2, options = engine
    try:
        return all(re2.search(expression, readable(value), options) for expression, value in expressions)
    except (re2.error, UnicodeEncodeError):
        return False


def _cost(expression: str, value: str) -> int:
    """Cost of compiling an expression and searching ``value`` for it, in characters of an expression.

    An upper bound: repetitions multiply, wherever they are.
    """
    if len(expression) > _EXPRESSION_MAX_CHARACTERS:
        return _COST_PER_QUERY + 1
    size = len(expression) + _CLASS_COST * len(_CLASS.findall(expression))
    for least, most in _REPETITION.findall(expression):
        size *= max(int(least), int(most or 0), 1)
    return size * (1 + len(value) // 128)
