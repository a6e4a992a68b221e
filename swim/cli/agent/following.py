"""Reads an agent's stream for as long as the command runs, over restarts of the agent."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from agent_api.client import AgentClient, AgentUnreachable
from swim.cli.agent.remote import talking
from swim.cli.common import Globals

__all__ = ["check_reader", "followed"]

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0

Stream = Callable[[AgentClient], Iterator[dict[str, Any]]]


def followed(wanted: Globals, stream: Stream, broke: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The objects of a stream; when it breaks it is opened again, until that works.

    Args:
        wanted: which agent.
        stream: opens the stream.
        broke: called with one sentence each time that it breaks after it had begun.

    Raises:
        CliError: it could not be opened the first time, or the agent refuses it.
        BrokenPipeError: the reader of stdout is gone.
    """
    began, pause = False, _FIRST_PAUSE_SECONDS
    while True:
        with talking(wanted) as agent:
            why = "the agent ended it"
            try:
                for item in stream(agent):
                    began, pause = True, _FIRST_PAUSE_SECONDS
                    check_reader(0)
                    yield item
            except AgentUnreachable as error:
                if not began:
                    raise
                why = str(error)
        if pause == _FIRST_PAUSE_SECONDS:
            broke(f"stream broke, retrying: {why}")
        check_reader(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def check_reader(seconds: float) -> None:
    """Waits, but no longer than stdout has a reader.

    Raises:
        BrokenPipeError: the reader has closed the pipe.
    """
    poll = select.poll()
    with suppress(OSError, ValueError):  # a stdout without a descriptor
        poll.register(sys.stdout, 0)
    if poll.poll(1000 * seconds):
        raise BrokenPipeError
