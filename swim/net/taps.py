"""Read-only observers of a node's packets and streams."""

from __future__ import annotations

from typing import Protocol

from swim.addresses import Endpoint
from swim.core.output import StreamEnd

__all__ = ["StreamTap", "Tap"]


class StreamTap(Protocol):
    """Observes one stream of a node. Its calls return at once."""

    def connected(self, local: Endpoint | None) -> None:
        """A dialled stream is open; ``local`` is where it leaves from, if it leaves by a socket."""
        ...

    def failed(self, end: StreamEnd | None) -> None:
        """A dialled stream did not open: why, or None if the node gave it up."""
        ...

    def sending(self, data: bytes) -> None:
        """The node begins to send these bytes."""
        ...

    def received(self, data: bytes) -> None:
        """These bytes reached the node."""
        ...

    def closed(self) -> None:
        """The node is done with an open stream."""
        ...


class Tap(Protocol):
    """Observes one node. Its calls return at once."""

    def sent(self, endpoint: Endpoint, data: bytes, *, passes: bool) -> None:
        """The node sends a packet; unless it ``passes``, faults stop it here."""
        ...

    def received(self, source: Endpoint, data: bytes, *, passes: bool) -> None:
        """A packet reaches the node; unless it ``passes``, faults stop it here."""
        ...

    def accepted(self, source: Endpoint) -> StreamTap:
        """The node accepts a stream, which is open; gives the observer of that stream."""
        ...

    def dialled(self, endpoint: Endpoint) -> StreamTap:
        """The node dials; gives the observer of that stream."""
        ...
