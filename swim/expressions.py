"""Regular expressions of other hosts and users, by RE2, whose time is linear in the text."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["problem_of", "re2_engine", "readable"]

_MEMORY_MAX_BYTES = 128 * 1024
"""Memory of one compiled expression; RE2 keeps the last 128."""


@cache
def re2_engine() -> tuple[Any, Any] | None:
    """RE2 and the options to use it with; None where it is not installed."""
    try:
        import re2  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_MAX_BYTES
    return re2, options


def readable(value: str) -> str:
    """Replaces bytes that are not UTF-8 with U+FFFD, as Go does."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def problem_of(error: Exception) -> str:
    """What RE2 says is wrong with an expression; some of its messages are bytes."""
    message = error.args[0]
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
