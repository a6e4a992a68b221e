"""Read-only observers of a node's packets and streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from swim.addresses import Endpoint

__all__ = ["Connect", "Tap", "TappedStream"]

Connect = Callable[[Endpoint], Awaitable[trio.abc.HalfCloseableStream]]


class Tap(Protocol):
    """Observes one node. Its calls return at once, except ``dialled``."""

    def sent(self, endpoint: Endpoint, data: bytes, *, passes: bool) -> None:
        """The node sends a packet; unless it ``passes``, faults stop it here."""
        ...

    def received(self, source: Endpoint, data: bytes, *, passes: bool) -> None:
        """A packet reaches the node; unless it ``passes``, faults stop it here."""
        ...

    def accepted(
        self, source: Endpoint, stream: trio.abc.HalfCloseableStream
    ) -> trio.abc.HalfCloseableStream:
        """The node accepts a stream; it uses the stream that is returned."""
        ...

    async def dialled(self, endpoint: Endpoint, connect: Connect) -> trio.abc.HalfCloseableStream:
        """The node dials; it gets the returned stream, or the error that ``connect(endpoint)`` raises."""
        ...


class TappedStream(trio.abc.HalfCloseableStream):
    """A stream that reports what passes through it.

    Args:
        inner: the stream.
        sending: called with bytes before they are sent.
        received: called with bytes that arrived.
        closed: called when the node is done with it.
    """

    def __init__(
        self,
        inner: trio.abc.HalfCloseableStream,
        *,
        sending: Callable[[bytes], None],
        received: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> None:
        self._inner = inner
        self._sending = sending
        self._received = received
        self._closed = closed

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of ``data``."""
        self._sending(bytes(data))
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits until it can send."""
        await self._inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Closes the sending half."""
        await self._inner.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receives what is there."""
        data = await self._inner.receive_some(max_bytes)
        if data:
            self._received(bytes(data))
        return data

    async def aclose(self) -> None:
        """Closes both halves."""
        self._closed()
        await self._inner.aclose()
