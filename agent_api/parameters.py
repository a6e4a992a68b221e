"""Query parameters by Nomad's rules: the first value of a name counts, and each type has its own error.

Form bodies are never read; commas are never split; unknown names are ignored.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from agent_api.errors import HttpError

__all__ = ["Query", "is_duration", "parse_boolean"]

_BOOLEANS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
_NANOSECONDS = {"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


def parse_boolean(text: str) -> bool | None:
    """The result of Go's ``strconv.ParseBool`` for ``text``; None if it fails."""
    return _BOOLEANS.get(text)


def is_duration(text: str) -> bool:
    """Whether Go's ``time.ParseDuration`` accepts ``text``: ``10s``, ``1m30s``, ``0``, but not ``10``."""
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return True
    total, end = 0.0, 0
    while part := _DURATION_PART.match(unsigned, end):
        total += float(part[1]) * _NANOSECONDS[part[2]]
        end = part.end()
    return 0 < end == len(unsigned) and total < 2**63


class Query:
    """The parameters of one request, in order."""

    __slots__ = ("_pairs",)

    def __init__(self, raw: bytes) -> None:
        text = raw.decode("ascii", "surrogateescape")
        self._pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")

    def first(self, name: str) -> str | None:
        """The first value of ``name``, perhaps blank; None if it is absent."""
        return next((value for key, value in self._pairs if key == name), None)

    def all(self, name: str) -> list[str]:
        """Every value of ``name``, in order."""
        return [value for key, value in self._pairs if key == name]

    def boolean(self, name: str, refusal: str) -> bool:
        """The boolean ``name``; absent and blank are false.

        Raises:
            HttpError: 400 with ``refusal``.
        """
        text = self.first(name)
        value = parse_boolean(text) if text else False
        if value is None:
            raise HttpError(400, refusal)
        return value

    def number(self, name: str, *, at_most: int) -> int:
        """The whole number ``name`` from 0 to ``at_most``; absent and blank are 0.

        Raises:
            HttpError: 400, for anything else.
        """
        text = self.first(name) or "0"
        if not _is_integer(text, 0, at_most, r"\d+"):
            raise HttpError(400, f"{name}: must be a whole number from 0 to {at_most}, not {text!r}")
        return int(text)

    @property
    def pretty(self) -> bool:
        """Whether to indent a success body: any value but ``0``."""
        return self.first("pretty") not in (None, "0")

    @property
    def stale(self) -> bool:
        """Whether the client accepts an answer without a leader; a blank value means yes.

        Raises:
            HttpError: 400, for a value that is not a boolean.
        """
        return self.first("stale") == "" or self.boolean(
            "stale", "Expect `true` or `false` for `stale` query string parameter"
        )

    def region(self, default: str) -> str:
        """The first region that is not blank, else ``default``."""
        return next(filter(None, self.all("region")), default)

    def check_common(self) -> None:
        """Checks the parameters common to Nomad's reads, in its order; blocking and paging are not supported.

        Raises:
            HttpError: 400 with the text of the first parameter that is wrong.
        """
        _ = self.stale
        if not _is_integer(self.first("per_page"), -(2**31), 2**31 - 1, r"[+-]?\d+"):
            raise HttpError(400, "Expect a number for `per_page` query string parameter")
        if (wait := self.first("wait")) and not is_duration(wait):
            raise HttpError(400, "Invalid wait time")
        if not _is_integer(self.first("index"), 0, 2**64 - 1, r"\d+"):
            raise HttpError(400, "Invalid index")


def _is_integer(text: str | None, low: int, high: int, pattern: str) -> bool:
    if not text:
        return True
    return len(text) < 100 and bool(re.fullmatch(pattern, text, re.ASCII)) and low <= int(text) <= high
