"""Sends requests to a running agent; turns HTTP failures into exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agent_api.client import AgentClient, AgentError, AgentTimeout, AgentUnreachable
from swim.cli.common import ExitCode, Globals, fail

__all__ = ["talking"]

_CODES = {400: ExitCode.FAILED, 403: ExitCode.REFUSED, 404: ExitCode.NOT_FOUND, 409: ExitCode.REFUSED,
          504: ExitCode.TIMED_OUT}  # fmt: skip

_DENIED = "Permission denied"
_NEEDS_TOKEN = "this takes a token that allows it (--token-file, SWIM_TOKEN or NOMAD_TOKEN)"


@contextmanager
def talking(wanted: Globals) -> Iterator[AgentClient]:
    """A client of the agent at ``wanted.address``.

    Raises:
        CliError: if the agent can't be reached, is too slow, or refuses.
    """
    try:
        yield AgentClient(wanted.address, timeout=wanted.timeout, token=wanted.token)
    except AgentTimeout as error:
        fail(ExitCode.TIMED_OUT, str(error))
    except AgentUnreachable as error:
        fail(ExitCode.UNREACHABLE, str(error))
    except AgentError as error:
        if error.is_foreign:
            text = f"the server at {wanted.address} is not a swim agent; it answered {error.status}"
            fail(ExitCode.UNREACHABLE, text)
        hint = f"; {_NEEDS_TOKEN}" if str(error) == _DENIED else ""
        fail(_CODES.get(error.status, ExitCode.FAILED), str(error) + hint)
