"""Stream work of one node: dial, accept, read, reply; every stream has its own task and absolute deadline."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import trio

from swim.addresses import Endpoint
from swim.core.output import Close, Dial, Send, StreamAction, StreamEnd
from swim.net.faults import LinkFaults
from swim.net.stream_rules import (
    DRAIN_SECONDS,
    LONGEST_BACK_OFF,
    READ_BYTES,
    SHORTEST_BACK_OFF,
    make_room,
    why_ended,
)
from swim.net.transport import Transport, running
from swim.node import Accepted, Node

__all__ = ["Streams"]

_logger = logging.getLogger("swim.net")

P = ParamSpec("P")
T = TypeVar("T")


class _Driver(Protocol):
    """What the streams of a node need of its ``Driver``, which knows this module."""

    node: Node
    faults: LinkFaults | None

    def call(self, method: Callable[Concatenate[float, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...


@dataclass(slots=True, eq=False)
class _Open:
    """One stream that the node knows: its deadline, and the node's answer."""

    stream_id: int
    reading: trio.CancelScope
    host: str
    opened_at: float
    whole: trio.CancelScope = field(default_factory=trio.CancelScope)
    answer: Send | Close | None = None


class Streams:
    """All streams of one node, as tasks in the cluster's nursery."""

    def __init__(self, driver: _Driver, transport: Transport, nursery: trio.Nursery) -> None:
        self._driver = driver
        self._node = driver.node
        self._transport = transport
        self._nursery = nursery
        self._open: dict[int, _Open] = {}
        self.source: str = ""
        """The address that the last dialled stream left from, as the system chose it; "" before the first."""

    def carry_out(self, action: StreamAction) -> None:
        """Starts what the node asks for; never waits."""
        if isinstance(action, Dial):
            opened = self._begin(action.stream_id, action.deadline, action.endpoint[0])
            self._nursery.start_soon(self._to_end, opened, action)
            return
        stream = self._open.get(action.stream_id)
        if stream is not None and stream.answer is None:
            stream.answer = action
            stream.reading.cancel()

    @trio.lowlevel.enable_ki_protection
    async def accept(self) -> None:
        """Accepts inbound streams until cancelled, and continues when the system is short of resources."""
        back_off = SHORTEST_BACK_OFF
        while True:
            try:
                stream, source = await self._transport.accept()
            except OSError as error:
                if error.errno == errno.ECONNABORTED:
                    continue
                self._node.metrics.dropped("accept-error")
                if back_off == SHORTEST_BACK_OFF:
                    _logger.warning("cannot accept streams: %s", error.strerror)
                await trio.sleep(back_off)
                back_off = min(2 * back_off, LONGEST_BACK_OFF)
                continue
            back_off = SHORTEST_BACK_OFF
            accepted = self._admit(source)
            if accepted is None:
                await trio.aclose_forcefully(stream)
                continue
            opened = self._begin(accepted.stream_id, accepted.deadline, source[0])
            self._nursery.start_soon(self._to_end, opened, stream)

    def _admit(self, source: Endpoint) -> Accepted | None:
        """Asks the node, unless peers that don't read their replies hold too many streams already."""
        is_asked, gives_way = make_room(self._node, self._open, source[0], trio.current_time())
        if gives_way is not None:
            self._open.pop(gives_way).whole.cancel()
        return self._driver.call(self._node.accept_stream, source) if is_asked else None

    def _begin(self, stream_id: int, deadline: float, host: str) -> _Open:
        opened = _Open(stream_id, trio.CancelScope(deadline=deadline), host, trio.current_time())
        self._open[stream_id] = opened
        return opened

    @trio.lowlevel.enable_ki_protection
    async def _to_end(self, opened: _Open, peer: trio.abc.HalfCloseableStream | Dial) -> None:
        """Runs one stream until the node or the peer ends it, then reports the end unless the node knows."""
        end, detail = StreamEnd.TIMEOUT, ""
        stream, request = (None, peer.data) if isinstance(peer, Dial) else (peer, b"")
        try:
            with opened.whole:
                with opened.reading:
                    if isinstance(peer, Dial):
                        with trio.move_on_at(peer.connect_by):
                            stream = await self._connected(peer.endpoint)
                    if stream is not None:
                        end, detail = await self._exchange(stream, opened, request)
                if stream is not None and isinstance(opened.answer, Send):
                    end, detail = await _reply(stream, opened.answer)
        except OSError as error:
            end, detail = why_ended(error)
        finally:
            self._open.pop(opened.stream_id, None)
            if stream is not None:
                await trio.aclose_forcefully(stream)
        if not isinstance(opened.answer, Close):
            self._driver.call(self._node.stream_ended, opened.stream_id, end, detail)

    async def _connected(self, peer: Endpoint) -> trio.abc.HalfCloseableStream:
        stream = await self._transport.connect(peer)
        if isinstance(stream, trio.SocketStream):
            self.source = stream.socket.getsockname()[0]
        return stream

    async def _exchange(
        self, stream: trio.abc.HalfCloseableStream, opened: _Open, request: bytes
    ) -> tuple[StreamEnd, str]:
        """Writes the request, then reads until the peer closes; a node's answer cancels it from outside."""
        failure = None
        if request:
            try:
                await stream.send_all(request)
            except trio.BrokenResourceError as error:
                # The peer may have said why before it closed: read on, and report the reset only after that.
                failure = error
        try:
            while data := await stream.receive_some(READ_BYTES):
                if self._driver.faults is not None:
                    await running(self._driver.faults)
                self._driver.call(self._node.receive_stream, opened.stream_id, bytes(data))
        except trio.BrokenResourceError as error:
            failure = error
        return _why_broken(failure) if failure is not None else (StreamEnd.EOF, "")


async def _reply(stream: trio.abc.HalfCloseableStream, send: Send) -> tuple[StreamEnd, str]:
    """Writes the node's answer, closes this side, and briefly reads what the peer still sends."""
    with trio.CancelScope(deadline=send.deadline):
        try:
            await stream.send_all(send.data)
            await stream.send_eof()
        except trio.BrokenResourceError as error:
            return _why_broken(error)
        with trio.move_on_after(DRAIN_SECONDS), contextlib.suppress(trio.BrokenResourceError):
            while await stream.receive_some(READ_BYTES):
                pass
        return StreamEnd.EOF, ""
    return StreamEnd.TIMEOUT, ""


def _why_broken(error: trio.BrokenResourceError) -> tuple[StreamEnd, str]:
    cause = error.__cause__
    return why_ended(cause) if isinstance(cause, OSError) else (StreamEnd.RESET, str(error))
