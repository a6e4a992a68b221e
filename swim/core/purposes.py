"""Purposes: what a node dials a stream for."""

from __future__ import annotations

from typing import NamedTuple

from swim.addresses import Endpoint

__all__ = [
    "PUSH_PULLS",
    "Answering",
    "Asking",
    "Checking",
    "Delivering",
    "Departing",
    "Fallback",
    "Joining",
    "Periodic",
    "Pinging",
    "Purpose",
    "Reconnecting",
]


class Fallback(NamedTuple):
    """A stream ping of the probe round ``seq_no``."""

    seq_no: int


class Checking(NamedTuple):
    """Finds out whether the host of a suspect refuses streams."""

    name: str


class Joining(NamedTuple):
    """A push/pull of the join command ``ticket``; ``slot`` numbers its endpoints.

    ``replay``: see ``Delegate.merge_state``.
    """

    ticket: int
    slot: int
    replay: bool


class Reconnecting(NamedTuple):
    """A push/pull with a seed or a past member that is not alive, by address or name, at one endpoint."""

    address: str
    endpoint: Endpoint


class Periodic(NamedTuple):
    """A push/pull with a random live member."""


class Departing(NamedTuple):
    """The push/pull that confirms a leave."""


class Answering(NamedTuple):
    """Brings the member of that name an answer; ``ticket`` is that of the application's command, if any."""

    ticket: int | None
    member: str


class Asking(NamedTuple):
    """Asks a member whether it takes the message ``ticket``; the answer repeats ``seq_no``."""

    ticket: int
    seq_no: int


class Delivering(NamedTuple):
    """Brings a member the message ``ticket``; the answer repeats ``seq_no``."""

    ticket: int
    seq_no: int


class Pinging(NamedTuple):
    """A stream ping of the command ``ticket``; the ack repeats ``seq_no``."""

    ticket: int
    seq_no: int
    sent_at: float


Purpose = (
    Fallback
    | Checking
    | Joining
    | Reconnecting
    | Periodic
    | Departing
    | Asking
    | Delivering
    | Answering
    | Pinging
)

PUSH_PULLS = (Joining, Reconnecting, Periodic, Departing)
"""The purposes of push/pulls."""
