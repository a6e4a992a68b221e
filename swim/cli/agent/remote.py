"""Sends requests to a running agent; turns HTTP failures into exit codes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from agent_api.client import AgentClient, AgentError, AgentUnreachable
from swim.cli.common import ExitCode, Globals, fail

__all__ = ["client_of", "talking"]

_CODES = {400: ExitCode.FAILED, 403: ExitCode.REFUSED, 404: ExitCode.NOT_FOUND, 409: ExitCode.REFUSED,
          501: ExitCode.REFUSED, 504: ExitCode.TIMED_OUT}  # fmt: skip

_DENIED = "Permission denied"
_NEEDS_MEMBER = "this agent cannot do that; if it is a client, ask a member"
_NEEDS_TOKEN = "this takes a token that allows it (--token-file, SWIM_TOKEN or NOMAD_TOKEN)"


def client_of(wanted: Globals) -> AgentClient:
    """A client of the agent at ``wanted.address``.

    Raises:
        ConfigError: the address or another setting cannot be used.
    """
    return AgentClient.from_environment(
        os.environ, address=wanted.address, timeout=wanted.timeout, token=wanted.token, **wanted.client
    )


@contextmanager
def talking(wanted: Globals) -> Iterator[AgentClient]:
    """``client_of``, for the length of a block.

    Raises:
        CliError: if the agent can't be reached, is too slow, or refuses.
    """
    try:
        yield client_of(wanted)
    except AgentUnreachable as error:
        fail(ExitCode(error.exit_code), str(error))
    except AgentError as error:
        if error.is_foreign:
            text = f"the server at {wanted.address} is not a swim agent; it answered {error.status}"
            fail(ExitCode.UNREACHABLE, text)
        hint = f"; {_NEEDS_TOKEN}" if str(error) == _DENIED else ""
        if error.status == HTTPStatus.NOT_IMPLEMENTED:
            hint = f"; {_NEEDS_MEMBER}"
        fail(_CODES.get(error.status, ExitCode.FAILED), str(error) + hint)
