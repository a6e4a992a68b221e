"""Log records: one sentence for people, fields for machines, and limits, so that no flood fills a disk."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

from swim.events import (
    Event,
    MemberAccused,
    MemberEvent,
    MemberFailed,
    MemberRefuted,
    MemberSuspected,
    Query,
    UserEvent,
    UserMessage,
)
from swim.formatters import SUMMARY
from swim.metrics import Metrics
from swim.text import brief, of_bytes, shown

__all__ = [
    "DropLog",
    "FloodLimit",
    "LogReader",
    "LogRing",
    "Unread",
    "finished",
    "log_event",
    "report",
]

_logger = logging.getLogger("swim.members")
_events_logger = logging.getLogger("swim.events")
_drops_logger = logging.getLogger("swim.drops")

_PREFIX = "swim.dropped."
_QUIET_INTERVAL = 10.0
_VERBS: dict[type[MemberEvent], str] = {
    MemberAccused: "is accused",
    MemberSuspected: "is suspected",
    MemberRefuted: "refuted",
    MemberFailed: "failed",
}
_FLOOD_BURST = 100.0
_FLOOD_RATE = 5.0
_FLOOD_REPORT_SECONDS = 10.0
_RECORD_BYTES = 1024
"""What a kept record counts beside its texts: the object and the names of its fields."""
_TRACEBACKS = logging.Formatter()


def report(
    logger: logging.Logger, level: int, summary: str, message: str, *values: object, **fields: object
) -> None:
    """Logs ``message % values`` for people, and ``summary`` with ``fields`` for machines.

    A formatter writes one of the two: ``record.getMessage()``, or ``record.summary`` and the fields, which
    are attributes of the record.
    """
    if logger.isEnabledFor(level):
        logger.log(level, message, *values, extra={SUMMARY: summary, **fields}, stacklevel=2)


def log_event(node: str, event: Event) -> None:
    """Logs one event at INFO under ``swim.members``; a user event or a query under ``swim.events``.

    Messages are logged at DEBUG, since applications may send many, and so are further accusers.
    """
    match event:
        case MemberEvent():
            level = logging.DEBUG if isinstance(event, MemberAccused) else logging.INFO
            if _logger.isEnabledFor(level):
                _log_member(node, event, level)
        case UserEvent() | Query():
            _log_message(node, event)
        case UserMessage():
            _log_user_message(node, event)


def _log_message(node: str, event: UserEvent | Query) -> None:
    """Its payload may be confidential: only the size is logged.

    Fields: ``node`` (who received it), ``event``, ``name`` under ``user_event`` or ``query``, ``bytes``,
    ``ltime``, ``sequence``.
    """
    kind = type(event).__name__
    what, word = ("user event", "user_event") if isinstance(event, UserEvent) else ("query", "query")
    fields = {word: event.name}
    report(
        _events_logger, logging.INFO, what, "%s %s (%s)", what, shown(event.name),
        of_bytes(len(event.payload)),
        node=node, event=kind, bytes=len(event.payload), ltime=event.ltime, sequence=event.sequence, **fields,
    )  # fmt: skip


def _log_user_message(node: str, event: UserMessage) -> None:
    """Fields: ``node``, ``event``, ``source``, ``broadcast``, ``bytes``, ``sequence``."""
    what = "broadcast" if event.is_broadcast else "message"
    report(
        _events_logger, logging.DEBUG, what, "%s from %s (%s)", what, shown(event.source or "?"),
        of_bytes(len(event.payload)),
        node=node, event="UserMessage", source=event.source, broadcast=event.is_broadcast,
        bytes=len(event.payload), sequence=event.sequence,
    )  # fmt: skip


def _log_member(node: str, event: MemberEvent, level: int) -> None:
    """Its reason and accuser too.

    Fields: ``node`` (whose table), ``event``, ``member``, ``address``, ``port``, ``status``, ``incarnation``,
    ``cause``, ``accuser``, ``detail``, ``sequence``.
    """
    member, reason = event.member, event.reason
    kind = type(event)
    verb = _VERBS.get(kind) or kind.__name__.removeprefix("Member").lower()
    why = str(reason.cause)
    if reason.accuser:
        why += f" by {shown(reason.accuser)}"
    if reason.detail:
        why += f": {brief(reason.detail)}"
    report(
        _logger,
        level,
        f"member {verb}",
        "%s %s (%s)",
        shown(member.name),
        verb,
        why,
        node=node,
        event=kind.__name__,
        member=member.name,
        address=member.address,
        port=member.port,
        status=member.status.value,
        incarnation=member.incarnation,
        cause=reason.cause,
        accuser=reason.accuser,
        detail=reason.detail,
        sequence=event.sequence,
    )


class DropLog:
    """Turns growing ``swim.dropped.*`` counters into at most one warning in ten seconds.

    It checks only when called, so it costs no wake-up. The first drop after a quiet period is reported at
    once.
    """

    def __init__(self, node: str, metrics: Metrics) -> None:
        self._node = node
        self._counters = metrics.counters
        self._reported: Counter[str] = Counter()
        self._metrics = metrics
        self._seen = 0
        self._next = 0.0

    def look(self, now: float) -> None:
        """Warns about what was dropped since the last warning, with the count of each reason."""
        if self._metrics.drops == self._seen or now < self._next:
            return
        self._seen = self._metrics.drops
        grown = {
            name.removeprefix(_PREFIX): count - self._reported[name]
            for name, count in self._counters.items()
            if name.startswith(_PREFIX) and count != self._reported[name]
        }
        if not grown:
            return
        self._next = now + _QUIET_INTERVAL
        self._reported = Counter(self._counters)
        summary = ", ".join(f"{reason} {count}" for reason, count in sorted(grown.items()))
        report(
            _drops_logger, logging.WARNING, "dropped", "dropped: %s", summary, node=self._node, dropped=grown
        )


@dataclass(slots=True)
class _Flow:
    """Records of one kind."""

    name: str
    at: float
    tokens: float = _FLOOD_BURST
    suppressed: int = 0
    suppressed_since: float = 0.0


class FloodLimit:
    """Rate-limits each kind of log record: a hundred at once, five a second after that; the rest is counted.

    A kind is one place in the code and, for transitions, one event type.
    """

    __slots__ = ("_flooding", "_flows")

    def __init__(self) -> None:
        self._flows: dict[tuple[str, int, object], _Flow] = {}
        self._flooding: deque[_Flow] = deque()

    def admits(self, record: logging.LogRecord, now: float) -> bool:
        """Whether to write this record; False counts it."""
        event = getattr(record, "event", None)
        kind = (record.pathname, record.lineno, event)
        flow = self._flows.get(kind)
        if flow is None:
            name = f"{record.name} ({event})" if event else record.name
            flow = self._flows[kind] = _Flow(name, now)
        flow.tokens = min(_FLOOD_BURST, flow.tokens + (now - flow.at) * _FLOOD_RATE)
        flow.at = now
        if flow.tokens < 1.0:
            if not flow.suppressed:
                flow.suppressed_since = now
                self._flooding.append(flow)
            flow.suppressed += 1
            return False
        flow.tokens -= 1.0
        return True

    def overdue(self, now: float) -> Iterator[tuple[int, str]]:
        """Number and kind of what was suppressed, for each kind at most every ten seconds."""
        while self._flooding and self._flooding[0].suppressed_since <= now - _FLOOD_REPORT_SECONDS:
            flow = self._flooding.popleft()
            count, flow.suppressed = flow.suppressed, 0
            yield count, flow.name


class Unread(NamedTuple):
    """What a reader had not seen yet: how many records are ``lost`` to it, and those that came after them."""

    lost: int
    records: tuple[logging.LogRecord, ...]


class LogRing(logging.Handler):
    """Keeps the latest records within a number of bytes, for any number of readers at their own pace.

    Add it to a logger, and ask for readers at any time. Kept records are finished texts: they hold neither
    arguments nor frames. Safe to use from any thread.

    Args:
        max_bytes: how much is kept, counting the texts and 1 KiB for each record; the oldest go first.
    """

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._kept: deque[tuple[int, logging.LogRecord]] = deque()
        self._bytes = 0
        self._emitted: Counter[int] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``, which holds the lock."""
        try:
            kept = finished(record)
        except Exception:
            self.handleError(record)
            return
        self._emitted[record.levelno] += 1
        size = _size(kept)
        self._kept.append((size, kept))
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._bytes -= self._kept.popleft()[0]

    def reader(self, level: int = logging.NOTSET, *, from_now: bool = False) -> LogReader:
        """Begins to read.

        Args:
            level: passes over less serious records; they do not count as lost either.
            from_now: passes over what is kept already.
        """
        reader = LogReader(self, level)
        if from_now:
            reader.read()
        return reader

    def after(self, seen: int, level: int) -> tuple[int, tuple[logging.LogRecord, ...]]:
        """How many records of a level or above there were, and those kept of them beyond ``seen``."""
        records: list[logging.LogRecord] = []
        with self.lock:  # type: ignore[union-attr]
            total = sum(count for number, count in self._emitted.items() if number >= level)
            for _, record in reversed(self._kept):
                if len(records) == total - seen:
                    break
                if record.levelno >= level:
                    records.append(record)
        return total, tuple(reversed(records))


class LogReader:
    """A position in a ``LogRing``. A reader that is too slow loses records, and gets their number."""

    __slots__ = ("_level", "_ring", "_seen")

    def __init__(self, ring: LogRing, level: int) -> None:
        self._ring = ring
        self._level = level
        self._seen = 0

    def read(self) -> Unread:
        """Everything since the last time, oldest first."""
        before = self._seen
        self._seen, records = self._ring.after(before, self._level)
        return Unread(self._seen - before - len(records), records)


def finished(record: logging.LogRecord) -> logging.LogRecord:
    """A copy that keeps nothing alive: its message and traceback are texts."""
    kept = copy(record)
    kept.msg, kept.args = record.getMessage(), None
    if record.exc_info:
        kept.exc_text = record.exc_text or _TRACEBACKS.formatException(record.exc_info)
        kept.exc_info = None
    return kept


def _size(record: logging.LogRecord) -> int:
    return _RECORD_BYTES + sum(len(value) for value in vars(record).values() if isinstance(value, str))
