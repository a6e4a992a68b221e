"""Stream work of a loop without tasks: every stream is a small state machine with an absolute deadline."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
from collections.abc import Callable
from enum import Enum
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from swim.addresses import Endpoint
from swim.core.output import Close, Dial, Send, StreamAction, StreamEnd
from swim.net.faults import LinkFaults
from swim.net.isolated.network import Network
from swim.net.isolated.timers import Timer
from swim.net.stream_rules import (
    DRAIN_SECONDS,
    LONGEST_BACK_OFF,
    READ_BYTES,
    SHORTEST_BACK_OFF,
    make_room,
    why_ended,
)
from swim.net.taps import StreamTap
from swim.node import Node

__all__ = ["LoopStreams"]

_logger = logging.getLogger("swim.net")

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_ACCEPTED_AT_ONCE = 16
"""Inbound streams accepted before other work is done."""
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)

P = ParamSpec("P")
T = TypeVar("T")


class _Loop(Protocol):
    """What the streams of a node need of its ``Loop``, which knows this module."""

    node: Node
    faults: LinkFaults | None
    network: Network
    selector: selectors.BaseSelector

    def now(self) -> float: ...
    def at(self, when: float, action: Callable[[], None]) -> Timer: ...
    def soon(self, action: Callable[[], None]) -> None: ...
    def call(self, method: Callable[Concatenate[float, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...


class _State(Enum):
    CONNECTING = 1
    EXCHANGING = 2  # writing the request if there is one, reading for the node
    REPLYING = 3
    DRAINING = 4


_READING = (_State.EXCHANGING, _State.DRAINING)


class _Stream:
    """One stream that the node knows, or that still sends the node's answer."""

    __slots__ = (
        "answer", "connection", "deadline", "events", "failure", "host", "opened_at", "state", "stream_id",
        "tap", "timer", "unsent",
    )  # fmt: skip

    def __init__(self, stream_id: int, host: str, opened_at: float, deadline: float, state: _State) -> None:
        self.stream_id = stream_id
        self.host = host
        self.opened_at = opened_at
        self.deadline = deadline
        self.state = state
        self.answer: Send | Close | None = None
        self.connection: socket.socket | None = None
        self.events = 0
        self.failure: OSError | None = None
        self.timer: Timer | None = None
        self.tap: StreamTap | None = None
        self.unsent = memoryview(b"")


class LoopStreams:
    """All streams of one node."""

    def __init__(self, loop: _Loop) -> None:
        self.source: str = ""
        self._loop = loop
        self._node = loop.node
        self._open: dict[int, _Stream] = {}
        self._back_off = SHORTEST_BACK_OFF

    def start(self) -> None:
        """Begins to accept."""
        self._loop.selector.register(self._loop.network.listener, _READ, self._accept)

    def close(self) -> None:
        """Closes all streams without a report."""
        for stream in list(self._open.values()):
            self._forget(stream)

    def drop(self) -> None:
        """Closes this process's copies of all connections, after a fork."""
        for stream in self._open.values():
            if stream.connection is not None:
                stream.connection.close()

    def carry_out(self, action: StreamAction) -> None:
        """Starts what the node asks for; never waits."""
        if isinstance(action, Dial):
            self._dial(action)
            return
        stream = self._open.get(action.stream_id)
        if stream is None or stream.answer is not None:
            return
        stream.answer = action
        if isinstance(action, Close):
            self._forget(stream)
        elif stream.state is _State.CONNECTING:
            self._end_soon(stream, StreamEnd.TIMEOUT)
        else:
            stream.state = _State.REPLYING
            if stream.tap is not None:
                stream.tap.sending(action.data)
            stream.unsent = memoryview(action.data)
            self._arm(stream, action.deadline)
            self._watch(stream, _WRITE)

    # -- inbound

    def _accept(self, _events: int) -> None:
        """Accepts what waits, and tries again later when the system is short of resources."""
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, source = self._loop.network.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ECONNABORTED:
                    self._pause_accepting(error)
                    return
                continue
            self._back_off = SHORTEST_BACK_OFF
            self._admit(connection, source)

    def _pause_accepting(self, error: OSError) -> None:
        self._node.metrics.dropped("accept-error")
        if self._back_off == SHORTEST_BACK_OFF:
            _logger.warning("cannot accept streams: %s", error.strerror)
        self._loop.selector.unregister(self._loop.network.listener)
        self._loop.at(self._loop.now() + self._back_off, self.start)
        self._back_off = min(2 * self._back_off, LONGEST_BACK_OFF)

    def _admit(self, connection: socket.socket, source: Endpoint) -> None:
        is_asked, gives_way = make_room(self._node, self._open, source[0], self._loop.now())
        if gives_way is not None:
            stream = self._open[gives_way]
            self._end(stream, StreamEnd.TIMEOUT)
        accepted = self._loop.call(self._node.accept_stream, source) if is_asked else None
        if accepted is None:
            connection.close()
            return
        stream = self._begin(accepted.stream_id, source[0], accepted.deadline, _State.EXCHANGING)
        self._arm(stream, stream.deadline)
        stream.connection = connection
        if self._loop.faults is not None and self._loop.faults.tap is not None:
            stream.tap = self._loop.faults.tap.accepted(source)
        self._watch(stream, _READ)

    # -- outbound

    def _dial(self, dial: Dial) -> None:
        loop = self._loop
        stream = self._begin(dial.stream_id, dial.endpoint[0], dial.deadline, _State.CONNECTING)
        self._arm(stream, min(dial.deadline, dial.connect_by))
        stream.unsent = memoryview(dial.data)
        if loop.faults is not None:
            if loop.faults.tap is not None:
                stream.tap = loop.faults.tap.dialled(dial.endpoint)
            if dial.endpoint in loop.faults.blocked:
                return  # as if every SYN was lost: the deadline ends it
        try:
            stream.connection = loop.network.stream_to(dial.endpoint)
            number = stream.connection.connect_ex(dial.endpoint)
        except OSError as error:
            self._end_soon(stream, *why_ended(error))
            return
        if number and number not in _UNDER_WAY:
            self._end_soon(stream, *why_ended(OSError(number, "")))
        else:
            self._watch(stream, _WRITE)

    def _connected(self, stream: _Stream, connection: socket.socket) -> None:
        number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._end(stream, *why_ended(OSError(number, "")))
            return
        local: Endpoint = connection.getsockname()[:2]
        self.source = local[0]
        stream.state = _State.EXCHANGING
        self._arm(stream, stream.deadline)
        if stream.tap is not None:
            stream.tap.connected(local)
            if stream.unsent:
                stream.tap.sending(bytes(stream.unsent))
        self._write(stream, connection)

    # -- both

    def _ready(self, stream: _Stream, events: int) -> None:
        connection = stream.connection
        if connection is None:
            return  # closed since the selector said so
        try:
            if stream.state is _State.CONNECTING:
                self._connected(stream, connection)
                return
            if events & _WRITE:
                self._write(stream, connection)
            if events & _READ and stream.connection is connection and stream.state in _READING:
                self._read(stream, connection)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(stream, *why_ended(stream.failure or error))

    def _read(self, stream: _Stream, connection: socket.socket) -> None:
        data = connection.recv(READ_BYTES)
        if data and stream.tap is not None:
            stream.tap.received(data)
        if stream.state is _State.DRAINING:
            if not data:
                self._end(stream, StreamEnd.EOF)
        elif data:
            self._loop.call(self._node.receive_stream, stream.stream_id, data)
        elif stream.failure is not None:
            self._end(stream, *why_ended(stream.failure))
        else:
            self._end(stream, StreamEnd.EOF)

    def _write(self, stream: _Stream, connection: socket.socket) -> None:
        try:
            stream.unsent = (
                stream.unsent[connection.send(stream.unsent) :] if stream.unsent else stream.unsent
            )
        except BlockingIOError:
            pass
        except OSError as error:
            if stream.state is _State.REPLYING:
                raise
            # The peer may have said why before it closed: read on, and report the reset only after that.
            stream.failure, stream.unsent = error, memoryview(b"")
        if stream.unsent:
            self._watch(stream, _WRITE if stream.state is _State.REPLYING else _READ | _WRITE)
            return
        if stream.state is _State.REPLYING:
            connection.shutdown(socket.SHUT_WR)
            stream.state = _State.DRAINING
            assert isinstance(stream.answer, Send)
            self._arm(stream, min(stream.answer.deadline, self._loop.now() + DRAIN_SECONDS))
        self._watch(stream, _READ)

    def _begin(self, stream_id: int, host: str, deadline: float, state: _State) -> _Stream:
        stream = self._open[stream_id] = _Stream(stream_id, host, self._loop.now(), deadline, state)
        return stream

    def _arm(self, stream: _Stream, deadline: float) -> None:
        if stream.timer is not None:
            stream.timer.cancel()
        stream.timer = self._loop.at(deadline, lambda: self._expired(stream))

    def _expired(self, stream: _Stream) -> None:
        self._end(stream, StreamEnd.EOF if stream.state is _State.DRAINING else StreamEnd.TIMEOUT)

    def _watch(self, stream: _Stream, events: int) -> None:
        assert stream.connection is not None
        if not stream.events:
            self._loop.selector.register(stream.connection, events, lambda ready: self._ready(stream, ready))
        elif events != stream.events:
            self._loop.selector.modify(stream.connection, events, lambda ready: self._ready(stream, ready))
        stream.events = events

    def _forget(self, stream: _Stream, end: StreamEnd | None = None) -> None:
        self._open.pop(stream.stream_id, None)
        if stream.tap is not None:
            if stream.state is _State.CONNECTING:
                stream.tap.failed(end)
            else:
                stream.tap.closed()
        if stream.timer is not None:
            stream.timer.cancel()
        if stream.connection is not None:
            if stream.events:
                self._loop.selector.unregister(stream.connection)
            stream.connection.close()
            stream.connection = None

    def _end(self, stream: _Stream, end: StreamEnd, detail: str = "") -> None:
        """Ends a stream and reports it, unless it is over already."""
        if self._open.get(stream.stream_id) is stream:
            self._forget(stream, end)
            self._loop.call(self._node.stream_ended, stream.stream_id, end, detail)

    def _end_soon(self, stream: _Stream, end: StreamEnd, detail: str = "") -> None:
        """Ends a stream after the outputs that are being carried out."""
        self._loop.soon(lambda: self._end(stream, end, detail))
