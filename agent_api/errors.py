"""Error answers in Nomad's wording: a status and a bare line of text."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from starlette.responses import PlainTextResponse, Response

from agent_api.text import utf8
from swim import ConfigError, LocalError, SwimError

__all__ = ["INVALID_METHOD", "SERF_CANNOT_JOIN", "HttpError", "error_response", "multi_error"]

INVALID_METHOD = "Invalid method"
SERF_CANNOT_JOIN = "Serf can't Join after Leave or Shutdown"
"""Nomad's answer, in Serf's words."""

_OWN_STATUS = ((ConfigError, 400), (LocalError, 409))

_log = logging.getLogger("swim.http")


class HttpError(Exception):
    """Ends a request with ``status`` and ``text``. No state is affected.

    Attributes:
        status: HTTP status, 400..599.
        text: the whole body.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def multi_error(messages: Sequence[str]) -> str:
    """``messages`` in the format of Go's multi-error type: a count, then one bullet per line."""
    count = "1 error" if len(messages) == 1 else f"{len(messages)} errors"
    bullets = "\n".join(f"\t* {message}" for message in messages)
    return f"{count} occurred:\n{bullets}\n\n"


def error_response(error: Exception, *, is_own: bool = False, request_id: str = "") -> Response:
    """The answer for an exception of a handler; an unexpected one is logged, and only its type shown.

    Args:
        error: the exception.
        is_own: of one of our own paths, which say whose fault it is: 400 for a value that is wrong, 409 for
            what this node cannot do now. Nomad's answer 500 to all that they do not name.
        request_id: for the log.
    """
    if isinstance(error, HttpError):
        return PlainTextResponse(utf8(error.text), status_code=error.status)
    if isinstance(error, SwimError):
        status = next((status for kind, status in _OWN_STATUS if is_own and isinstance(error, kind)), 500)
        return PlainTextResponse(utf8(str(error)), status_code=status)
    _log.exception("request %s failed", request_id, exc_info=error)
    return PlainTextResponse(f"internal error: {type(error).__name__}", status_code=500)
