"""What both clients do around the connection: the URL of a request, the reply, and the error."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from agent_api.client.errors import (
    AgentConnectionRefused,
    AgentError,
    AgentTimeout,
    AgentTlsError,
    AgentUnreachable,
    NotAnAgent,
)
from agent_api.client.requests import LineReader, Request, Stream
from agent_api.client.target import Target

__all__ = ["JSON_BYTES_MAX", "REFUSAL_BYTES_MAX", "SILENCE_SECONDS", "Core", "reason_of"]

T = TypeVar("T")

_OK = 200
JSON_BYTES_MAX = 256 * 1024 * 1024
REFUSAL_BYTES_MAX = 65_536
SILENCE_SECONDS = 40.0
"""A stream whose heartbeats, at most 30 s apart, stopped is broken."""


class Core:
    """Requests to one target, without the connection."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def url(self, request: Request[Any] | Stream[Any]) -> str:
        """What stands in the request line: prefix, path and query string."""
        parameters = list(request.parameters)
        if self._target.region and all(name != "region" for name, _ in parameters):
            parameters.append(("region", self._target.region))
        query = urlencode(parameters, errors="surrogateescape")
        return f"{self._target.prefix}{request.path}{'?' + query if query else ''}"

    def reply(self, request: Request[T], status: int, body: bytes) -> T:
        """The result for an accepted answer.

        Raises:
            NotAnAgent: no agent sends that.
            AgentError: it is an error in text, with a status that may come with a document too.
        """
        try:
            return request.reply(body)
        except ValueError:
            raise self.foreign() if status == _OK else self.refusal(status, body) from None

    def items(self, reader: LineReader[T], received: bytes) -> Iterator[T]:
        """The items of a stream that are complete now. Raises as ``reply``."""
        try:
            yield from reader.feed(received)
        except ValueError:
            raise self.foreign() from None

    def finish(self, reader: LineReader[Any]) -> None:
        """A stream has ended. Raises as ``reply``, and ``AgentUnreachable`` if it is not complete."""
        try:
            reader.finish()
        except ValueError:
            raise self.foreign() from None

    def refusal(self, status: int, body: bytes) -> AgentError:
        """The error for an answer that is not accepted."""
        return AgentError(status, body.decode("utf-8", "replace").strip())

    def foreign(self) -> NotAnAgent:
        """The error for what no agent sends."""
        return NotAnAgent(f"the server at {self._target.address} is not a swim agent")

    def late(self) -> AgentTimeout:
        """The error for an answer that did not come in time."""
        return AgentTimeout(f"no answer from {self._target.address} within {self._target.timeout:g} s")

    def failure(self, error: BaseException) -> AgentUnreachable:
        """The error for a connection that failed."""
        address = self._target.address
        causes = _causes(error)
        kind: type[AgentUnreachable]
        if any(isinstance(cause, TimeoutError) for cause in causes):
            return self.late()
        kind = AgentUnreachable
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            kind = AgentTlsError
        elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            kind = AgentConnectionRefused
        return kind(f"cannot reach an agent at {address}: {reason_of(error)}")


def reason_of(error: BaseException) -> str:
    """Why a connection failed, as the system or TLS says."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {getattr(cause, 'verify_message', '') or cause.reason or cause}"
    found = next((cause for cause in causes if isinstance(cause, OSError) and cause.errno), causes[-1])
    if isinstance(found, OSError) and found.errno and not isinstance(found, socket.gaierror):
        return os.strerror(found.errno)
    return getattr(found, "strerror", None) or str(found) or type(found).__name__


def _causes(error: BaseException) -> Sequence[BaseException]:
    """An error and what it came from, the first cause last; of several at once the first."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        else:  # httpcore keeps what it translates as an argument
            cause = cause.__cause__ or next((a for a in cause.args if isinstance(a, BaseException)), None)
    return found
