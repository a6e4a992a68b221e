"""The process of one node: ``python -m swim.net.isolated.child DESCRIPTOR``, started by ``ProcessNode``.

It runs a ``NodeThread`` and says over a pair of sockets what happens. It ends with its program, however that
ends: the program's end of the pair is closed then, and the program's process is gone.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import pickle
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from swim.commands import Outcome, QueryReply
from swim.errors import InternalError, SwimError
from swim.log import finished
from swim.net.isolated import dialogue as say
from swim.net.isolated.board import State, Update, View
from swim.net.isolated.frames import FrameReader, Outbox
from swim.net.isolated.thread import NodeThread
from swim.net.pump import Ticket

__all__ = ["Publisher"]

_CHUNK = 1 << 16
_BACKLOG_MAX = 1 << 24
"""Bytes that wait for the program; beyond that it gets the whole state later, and ``EventsLost``."""
_COUNT_SECONDS = 1.0
"""How old published counters may be."""
_END_SECONDS = 5.0
_WATCH_SECONDS = 1.0
"""Between two looks at the program's process, where the system cannot report its end."""


class _Reporting(Ticket):
    """A command whose replies and outcome go to the program."""

    __slots__ = ("_asked", "_outbox")

    def __init__(self, outbox: Outbox, asked: int) -> None:
        super().__init__()
        self._outbox = outbox
        self._asked = asked

    def add(self, reply: QueryReply) -> None:
        super().add(reply)
        self._outbox.send(say.Replied(self._asked, reply))

    def finish(self, outcome: Outcome | SwimError) -> None:
        super().finish(outcome)
        self._outbox.send(say.Finished(self._asked, outcome))


class _Forwarding(logging.Handler):
    """Sends log records to the program."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        if self._outbox.waiting > _BACKLOG_MAX:
            return
        try:
            self._outbox.send(say.Logged(_plain(vars(finished(record)))))
        except Exception:
            self.handleError(record)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record, where what cannot be sent is replaced by its repr."""
    plain = {}
    for name, value in fields.items():
        try:
            pickle.dumps(value)
        except Exception:
            value = repr(value)
        plain[name] = value
    return plain


class Publisher:
    """Sends what the node publishes, in the node's thread."""

    def __init__(self, outbox: Outbox, view: View) -> None:
        self._outbox = outbox
        self._view = view
        self._lost: int | None = None
        self._counters: dict[str, int] = {}
        self._gauges: dict[str, float] = {}
        self._sampled: dict[str, int] = {}
        self._count_at = 0.0

    def publish(self, update: Update) -> None:
        """Sends one update, or counts its events as lost while the program does not read."""
        if self._lost is not None and self._outbox.waiting == 0:
            self._outbox.send(self.state(self._lost + len(update.events)))
            self._lost = None
        elif self._lost is not None or self._outbox.waiting > _BACKLOG_MAX:
            self._lost = (self._lost or 0) + len(update.events)
        elif update.events or update.facts is not None or update.coordinates or update.detections:
            self._outbox.send(update)
        now = time.monotonic()
        if now >= self._count_at and self._lost is None:
            self._count_at = now + _COUNT_SECONDS
            self._count()

    def _count(self) -> None:
        metrics = self._view.metrics
        counters = {name: n for name, n in metrics.counters.items() if self._counters.get(name) != n}
        gauges = {name: value for name, value in metrics.gauges.items() if self._gauges.get(name) != value}
        samples = {name: one for name, one in metrics.samples.items() if self._sampled.get(name) != one.count}
        if counters or gauges or samples:
            self._outbox.send(say.Counted(counters, gauges, samples, metrics.drops))
            self._counters |= counters
            self._gauges |= gauges
            self._sampled |= {name: one.count for name, one in samples.items()}

    def state(self, lost: int) -> State:
        """All that is published, in place of so many events."""
        view = self._view
        members = view.members()
        histories = {member.name: view.history(member.name) for member in members}
        coordinates, detections = view.coordinates(), view.detections()
        return State(members, histories, view.user_events(), view.facts, coordinates, detections, lost)


class _Child:
    """One node and its program.

    Args:
        end: this process's end of the pair of sockets.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._reader = FrameReader()
        self._selector = selectors.DefaultSelector()
        self._selector.register(end, selectors.EVENT_READ)
        self._tickets: dict[int, Ticket] = {}

    def run(self) -> None:
        """Runs the node until its program, or this end of it, is over."""
        begin = next(self._sayings(0), None)
        if not isinstance(begin, say.Begin):
            return
        watch = 0.0 if self._watch(begin.parent) else _WATCH_SECONDS
        outbox = Outbox(self._end, name="swim:outbox", is_direct=True)
        logger = logging.getLogger("swim")
        logger.setLevel(begin.level)
        logger.addHandler(_Forwarding(outbox))
        logger.propagate = False
        node = NodeThread(begin.config, files=begin.files, opened=lambda: self._opened(node, outbox))
        node.when_ended(lambda: outbox.send(say.Ended(node.failure)))
        node.start()
        for saying in self._sayings(watch):
            match saying:
                case say.Submit(number, command):
                    ticket = self._tickets[number] = _Reporting(outbox, number)
                    self._tickets = {n: each for n, each in self._tickets.items() if not each.is_done}
                    node.submit(command, ticket)
                case say.Abandon(number):
                    if number in self._tickets:
                        node.abandon(self._tickets[number])
                case say.Verbosity(level):
                    logger.setLevel(level)
                case _:
                    raise InternalError(f"{type(saying).__name__} is nothing that a program says")
        node.stop()
        node.join(_END_SECONDS)
        outbox.close(_END_SECONDS)

    def _opened(self, node: NodeThread, outbox: Outbox) -> None:
        """The node runs, or has failed to start."""
        if node.is_running:
            publisher = Publisher(outbox, node.view)
            outbox.send(say.Opened(node.endpoint, node.view.config, publisher.state(0)))
            node.board.relay = publisher.publish

    def _sayings(self, watch: float) -> Iterator[object]:
        """What the program says, until it is over.

        Args:
            watch: seconds between two looks at who the parent is; 0 for none.
        """
        while True:
            ready = self._selector.select(watch or None)
            if any(key.data for key, _ in ready) or (watch and os.getppid() != self._parent):
                return
            if not ready:
                continue
            try:
                data = self._end.recv(_CHUNK)
            except OSError:
                return
            if not data:
                return
            yield from self._reader.feed(data)

    def _watch(self, parent: int) -> bool:
        """Has the end of the program's process noticed; False if the system cannot report it."""
        self._parent = parent
        if not hasattr(os, "pidfd_open"):
            return False
        try:
            self._selector.register(os.pidfd_open(parent), selectors.EVENT_READ, "ended")
        except OSError:
            return False
        return True


def main() -> None:
    """Runs the process."""
    faulthandler.enable()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # it is the program that they are for
        with suppress(AttributeError):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as end:
        _Child(end).run()


if __name__ == "__main__":
    main()
    os._exit(0)  # its threads are done, and the interpreter has nothing to clean up
