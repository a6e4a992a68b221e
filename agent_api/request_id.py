"""The id of one request: in its answer as ``X-Request-Id``, and in the log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from secrets import token_hex

from starlette.types import Scope

__all__ = ["REQUEST_ID", "assign", "new_id", "of_scope"]

REQUEST_ID = b"x-request-id"
_KEY = "swim.request_id"
_SANE = re.compile(rb"[A-Za-z0-9._:=/+-]{1,128}")


def assign(scope: Scope) -> str:
    """Gives a request its id: the caller's, if it sent one that is short and harmless, else a new one."""
    sent = _sent(scope["headers"])
    chosen = sent[0].decode("ascii") if len(sent) == 1 and _SANE.fullmatch(sent[0]) else new_id()
    scope[_KEY] = chosen
    return chosen


def of_scope(scope: Scope) -> str:
    """The id that a request was given; "" for none."""
    found: str = scope.get(_KEY, "")
    return found


def new_id() -> str:
    """64 random bits in hexadecimal."""
    return token_hex(8)


def _sent(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    return [value for name, value in headers if name == REQUEST_ID]
