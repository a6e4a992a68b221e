"""What the server sends back to one request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["NO_BODY", "Answer"]

NO_BODY: Any = object()


class Answer(NamedTuple):
    """The answer to one request.

    Attributes:
        error: "" for none.
        body: for the commands that have one.
        after: called once the answer is on its way.
    """

    error: str = ""
    body: Any = NO_BODY
    after: Callable[[], object] | None = None
