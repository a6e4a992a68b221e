"""Structured log records: one per transition, and drops collapsed so that a flood can't fill a disk."""

from __future__ import annotations

import logging
from collections import Counter

from swim.events import MemberEvent, MemberFailed, MemberRefuted, MemberSuspected
from swim.metrics import Metrics

__all__ = ["DropLog", "log_event"]

_logger = logging.getLogger("swim.members")
_drops_logger = logging.getLogger("swim.drops")

_PREFIX = "swim.dropped."
_QUIET_INTERVAL = 10.0
_VERBS: dict[type[MemberEvent], str] = {
    MemberSuspected: "is suspected",
    MemberRefuted: "refuted",
    MemberFailed: "failed",
}


def log_event(node: str, event: MemberEvent) -> None:
    """Logs one transition at INFO under ``swim.members``, with its reason and accuser.

    Extra fields: ``node`` (whose table), ``event``, ``member``, ``address``, ``port``, ``status``,
    ``incarnation``, ``cause``, ``accuser``, ``detail``, ``sequence``.
    """
    if not _logger.isEnabledFor(logging.INFO):
        return
    member, reason = event.member, event.reason
    kind = type(event)
    verb = _VERBS.get(kind) or kind.__name__.removeprefix("Member").lower()
    why = reason.cause
    if reason.accuser:
        why += f" by {reason.accuser}"
    if reason.detail:
        why += f": {reason.detail}"
    _logger.info(
        "%s %s (%s)",
        member.name,
        verb,
        why,
        extra={
            "node": node,
            "event": kind.__name__,
            "member": member.name,
            "address": member.address,
            "port": member.port,
            "status": member.status.value,
            "incarnation": member.incarnation,
            "cause": reason.cause,
            "accuser": reason.accuser,
            "detail": reason.detail,
            "sequence": event.sequence,
        },
    )


class DropLog:
    """Turns growing ``swim.dropped.*`` counters into at most one warning in ten seconds.

    Looks only when asked, so it costs no wake-up; the first drop after a quiet time is told
    at once.
    """

    def __init__(self, node: str, metrics: Metrics) -> None:
        self._node = node
        self._counters = metrics.counters
        self._told: Counter[str] = Counter()
        self._metrics = metrics
        self._seen = 0
        self._next = 0.0

    def look(self, now: float) -> None:
        """Warns about what was dropped since the last warning, with the count of each reason."""
        if self._metrics.drops == self._seen or now < self._next:
            return
        self._seen = self._metrics.drops
        grown = {
            name.removeprefix(_PREFIX): count - self._told[name]
            for name, count in self._counters.items()
            if name.startswith(_PREFIX) and count != self._told[name]
        }
        if not grown:
            return
        self._next = now + _QUIET_INTERVAL
        self._told = Counter(self._counters)
        summary = ", ".join(f"{reason} {count}" for reason, count in sorted(grown.items()))
        _drops_logger.warning("dropped: %s", summary, extra={"node": self._node, "dropped": grown})
