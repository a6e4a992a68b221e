"""Query filters: whether a query is meant for this node (Serf's shouldProcessQuery)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from swim.errors import RemoteError
from swim.serf.regex import Regex
from swim.wire.go_msgpack import struct, text, unpack

__all__ = ["FilterType", "matches"]

_STEPS_MAX = 100_000
"""States times characters that the tag filters of one query may cost; some 20 ms."""


class FilterType(IntEnum):
    """First byte of a filter."""

    NODE = 0
    TAG = 1


def matches(filters: Sequence[bytes], name: str, tags: Mapping[str, str]) -> bool:
    """Whether all filters let in the node of that name and tags.

    A node filter lists names; a tag filter searches a tag's value, "" if absent, for a regular expression in
    RE2's syntax. As in Serf, whatever cannot be read lets nobody in; here so does what costs too much.
    """
    steps = _STEPS_MAX
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
                regex = Regex(text(get(b"Expr")))
                value = tags.get(text(get(b"Tag")), "")
                steps -= regex.size * (len(value) + 1)
                if steps < 0 or not regex.search(value):
                    return False
            else:
                return False
    except RemoteError:
        return False
    return True
