"""What a node's own process and its program say to each other, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from swim.addresses import Endpoint
from swim.commands import Command, Outcome, QueryReply
from swim.config import Config
from swim.errors import SwimError
from swim.metrics import Samples
from swim.net.files import Files
from swim.net.isolated.board import State, Update

__all__ = [
    "Abandon",
    "Begin",
    "Counted",
    "Ended",
    "Finished",
    "Logged",
    "Opened",
    "Replied",
    "Saying",
    "Submit",
    "Verbosity",
]


class Begin(NamedTuple):
    """To the process: start a node, and end with the program ``parent``."""

    config: Config
    files: Files
    level: int
    parent: int


class Submit(NamedTuple):
    """To the process: carry out a command, which the program numbers."""

    number: int
    command: Command


class Abandon(NamedTuple):
    """To the process: no more replies to this command are wanted."""

    number: int


class Verbosity(NamedTuple):
    """To the process: records below this level are not wanted."""

    level: int


class Opened(NamedTuple):
    """From the process: the node runs, with these settings; its files may add to those it was given."""

    endpoint: Endpoint
    config: Config
    state: State


class Counted(NamedTuple):
    """From the process: counters, gauges and samples that changed."""

    counters: Mapping[str, int]
    gauges: Mapping[str, float]
    samples: Mapping[str, Samples]
    drops: int


class Replied(NamedTuple):
    """From the process: a reply to a command."""

    number: int
    reply: QueryReply


class Finished(NamedTuple):
    """From the process: a command is over."""

    number: int
    outcome: Outcome | SwimError


class Logged(NamedTuple):
    """From the process: the attributes of a log record."""

    record: dict[str, Any]


class Ended(NamedTuple):
    """From the process, as its last word: the node ended, and why, if that was not asked for."""

    failure: Exception | None


Saying = (
    Begin | Submit | Abandon | Verbosity
    | Opened | Update | State | Counted | Replied | Finished | Logged | Ended
)  # fmt: skip
