"""Log records: one sentence for people, fields for machines, and limits so that a flood can't fill a disk."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from swim.events import MemberEvent, MemberFailed, MemberRefuted, MemberSuspected
from swim.metrics import Metrics
from swim.text import brief, shown

__all__ = ["SUMMARY", "DropLog", "FloodLimit", "log_event", "report"]

SUMMARY = "summary"
"""The attribute of a record that holds its message without what the fields say."""

_logger = logging.getLogger("swim.members")
_drops_logger = logging.getLogger("swim.drops")

_PREFIX = "swim.dropped."
_QUIET_INTERVAL = 10.0
_VERBS: dict[type[MemberEvent], str] = {
    MemberSuspected: "is suspected",
    MemberRefuted: "refuted",
    MemberFailed: "failed",
}
_FLOOD_BURST = 100.0
_FLOOD_RATE = 5.0
_FLOOD_REPORT_SECONDS = 10.0


def report(
    logger: logging.Logger, level: int, summary: str, message: str, *values: object, **fields: object
) -> None:
    """Logs ``message % values`` for people, and ``summary`` with ``fields`` for machines.

    A formatter writes one of the two: ``record.getMessage()``, or ``record.summary`` and the fields, which
    are attributes of the record.
    """
    if logger.isEnabledFor(level):
        logger.log(level, message, *values, extra={SUMMARY: summary, **fields}, stacklevel=2)


def log_event(node: str, event: MemberEvent) -> None:
    """Logs one transition at INFO under ``swim.members``, with its reason and accuser.

    Fields: ``node`` (whose table), ``event``, ``member``, ``address``, ``port``, ``status``, ``incarnation``,
    ``cause``, ``accuser``, ``detail``, ``sequence``.
    """
    if not _logger.isEnabledFor(logging.INFO):
        return
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
        logging.INFO,
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

    Looks only when asked, so it costs no wake-up; the first drop after a quiet time is reported
    at once.
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
    """Thins out each kind of log record: a hundred at once, five a second after that; the rest is counted.

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
