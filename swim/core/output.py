"""A node's output: values that its driver carries out, in order. Nothing here does I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from swim.addresses import Endpoint
from swim.commands import Outcome, QueryReply
from swim.errors import DeliveryError
from swim.events import Event
from swim.keyrings import fingerprint

__all__ = [
    "Close",
    "Dial",
    "Finished",
    "Lookup",
    "Output",
    "Reply",
    "SaveKeys",
    "Send",
    "StreamAction",
    "StreamEnd",
    "Transmit",
]


class Transmit(NamedTuple):
    """Send ``data`` to ``endpoint`` as one packet."""

    endpoint: Endpoint
    data: bytes


class Dial(NamedTuple):
    """Open a stream to ``endpoint``, write ``data``, then feed the reply to the node.

    ``deadline`` is the absolute time at which the driver closes the stream and reports ``StreamEnd.TIMEOUT``,
    and ``connect_by`` the one at which it does so unless the stream is connected, if that is earlier.
    """

    stream_id: int
    endpoint: Endpoint
    data: bytes
    deadline: float
    connect_by: float = math.inf


class Send(NamedTuple):
    """Write ``data`` to an open stream, read what the peer still sends, then close it.

    ``deadline`` replaces the stream's previous one.
    """

    stream_id: int
    data: bytes
    deadline: float


class Close(NamedTuple):
    """Close a stream now, without a report: the node has forgotten it already."""

    stream_id: int


StreamAction = Dial | Send | Close


class StreamEnd(StrEnum):
    """Why a stream ended, as the driver reports it."""

    EOF = "closed by the peer"
    REFUSED = "connection refused"
    RESET = "connection reset"
    TIMEOUT = "timed out"
    UNREACHABLE = "unreachable"
    LOCAL = "local error"


class Lookup(NamedTuple):
    """Resolve ``address`` (``[NAME/]HOST[:PORT]``) and hand the result to ``Node.resolved``."""

    address: str


class Reply(NamedTuple):
    """One of several replies to a command under way, by its ticket. ``Finished`` follows."""

    ticket: int
    reply: QueryReply


class Finished(NamedTuple):
    """The outcome of a command, or the error it ends with, by the ticket that ``Node.do`` returned."""

    ticket: int
    result: Outcome | DeliveryError


class SaveKeys(NamedTuple):
    """Store the keyring, if the node keeps one on disk, and call ``Node.keys_saved`` with ``number``.

    ``keys`` are those of the keyring now, the one that encrypts first. An earlier one need not be stored.
    """

    number: int
    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"<SaveKeys {self.number} {' '.join(map(fingerprint, self.keys))}>"


@dataclass(slots=True, init=False)
class Output:
    """One batch; each list is in the order in which things happened.

    Attributes:
        records: lines to append to the node's snapshot (``Node.snapshot``), without their ends.
        keyring: what to store of a changed keyring, or None.
        stop: why the node must stop at once without leaving (it lost a name conflict), or "".
    """

    transmits: list[Transmit]
    streams: list[StreamAction]
    lookups: list[Lookup]
    events: Sequence[Event]
    replies: list[Reply]
    finished: list[Finished]
    records: Sequence[str]
    keyring: SaveKeys | None
    stop: str

    def __init__(self) -> None:
        """An empty batch. Every packet sent needs one: default factories would cost twice the time."""
        self.transmits = []
        self.streams = []
        self.lookups = []
        self.events = ()
        self.replies = []
        self.finished = []
        self.records = ()
        self.keyring = None
        self.stop = ""

    def __bool__(self) -> bool:
        """Whether anything is to be done."""
        return bool(
            self.transmits
            or self.streams
            or self.events
            or self.replies
            or self.finished
            or self.lookups
            or self.records
            or self.keyring
            or self.stop
        )
