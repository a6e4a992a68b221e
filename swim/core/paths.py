"""Members that answer only streams or only pings: logged once for each, and once more when it is over.

The cause is outside the protocol: a firewall, or address translation. The log names the address that is
advertised and the one that is seen.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TypeVar

from swim.addresses import Endpoint, join_host_port
from swim.core.member import Record
from swim.core.output import StreamEnd
from swim.core.table import Table
from swim.text import brief, shown

__all__ = ["Paths"]

_logger = logging.getLogger("swim.core")

_REMEMBERED_MAX = 1024
"""Members remembered of each kind; beyond it the oldest is forgotten, and may be logged again."""
_ENOUGH = {StreamEnd.TIMEOUT: 1, StreamEnd.UNREACHABLE: 1, StreamEnd.REFUSED: 2}
"""Failed streams in a row that count as blocked; a member that restarts refuses one or two."""

_ACCUSATIONS = 5
_ACCUSED_WITHIN = 120.0
_ACCUSED_AGAIN = 1800.0
"""Seconds between two warnings that this node is accused again and again."""

T = TypeVar("T")


@dataclass(slots=True)
class _Failing:
    """Failing streams to one life of a member: how many in a row, the last error, whether it was logged."""

    incarnation: int
    count: int = 0
    error: str = ""
    is_enough: bool = False
    is_said: bool = False


class Paths:
    """The members in one node's view that answer only streams or only pings."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._elsewhere: dict[str, Endpoint] = {}
        self._no_packets: dict[str, bool] = {}
        self._no_streams: dict[str, _Failing] = {}
        self._accused: deque[float] = deque(maxlen=_ACCUSATIONS)
        self._accused_said_at = -_ACCUSED_AGAIN
        self.source = ""
        """The address that this node's streams leave from, if it is another than it advertises."""

    def seen(self, name: str, source: Endpoint) -> None:
        """A ping that names ``name`` as its sender came from ``source``, where no member is known."""
        if self._table.get(name) is not None:
            _remember(self._elsewhere, name, source)

    def may_prove(self, name: str) -> bool:
        """Whether a refused stream may prove that the member is gone.

        Not if its address is translated: its pings came from another endpoint than it advertises. Not if it
        acked pings while its streams failed: something in between refuses them.
        """
        failing = self._no_streams.get(name)
        return name not in self._elsewhere and (failing is None or not failing.is_said)

    def answers_streams_only(self, record: Record) -> None:
        """In a probe round of this member, only the stream ping was answered."""
        if record.name in self._no_packets:
            return
        _remember(self._no_packets, record.name, True)
        source, own = self._elsewhere.get(record.name), join_host_port(*self._table.local.endpoint)
        if source is not None and source != record.endpoint:
            why = f"its pings come from {join_host_port(*source)}: is an address translated in between?"
        else:
            why = f"pings from {own} or their acks are lost: is UDP blocked in between?"
        _logger.warning(
            "member %s answers streams at %s, as it advertises, but no pings; %s", *_at(record), why
        )

    def acked(self, record: Record) -> None:
        """The member acked a ping directly."""
        if not self._no_packets and not self._no_streams:
            return
        if self._no_packets.pop(record.name, False):
            _logger.warning("member %s answers pings at %s again", *_at(record))
        failing = self._no_streams.get(record.name)
        if failing is None or not failing.is_enough or failing.is_said:
            return
        if failing.incarnation != record.incarnation:
            del self._no_streams[record.name]  # it was gone, or stood still
        else:
            failing.is_said = True
            _logger.warning(
                "member %s answers pings at %s, as it advertises, but streams from %s fail (%s): "
                "is TCP blocked in between?",
                *_at(record),
                self._table.local.endpoint[0],
                failing.error,
            )

    def accused(self, now: float, accuser: str) -> None:
        """This node refuted an accusation. Repeated refutations mean that others do not receive its acks."""
        self._accused.append(now)
        if len(self._accused) < _ACCUSATIONS or now - self._accused[0] > _ACCUSED_WITHIN:
            return
        self._accused.clear()
        if now - self._accused_said_at >= _ACCUSED_AGAIN:
            self._accused_said_at = now
            _logger.warning(
                "accused %d times within %.0f s, last by %s: it does not hear this node at %s, "
                "which this node advertises%s; packets are lost, or answered too late",
                _ACCUSATIONS,
                _ACCUSED_WITHIN,
                shown(accuser or "?"),
                join_host_port(*self._table.local.endpoint),
                f", though its streams leave from {self.source}" if self.source else "",
            )

    def stream_failed(self, endpoint: Endpoint, end: StreamEnd, detail: str) -> None:
        """A stream to ``endpoint`` failed without a reply."""
        record = self._table.at(endpoint)
        if record is None or not record.is_live or end not in _ENOUGH:
            return
        failing = self._no_streams.get(record.name)
        if failing is None or failing.incarnation != record.incarnation:
            failing = _remember(self._no_streams, record.name, _Failing(record.incarnation))
        failing.count += 1
        failing.error = brief(detail)
        failing.is_enough = failing.is_enough or failing.count >= _ENOUGH[end]

    def failed_in_a_row(self, name: str) -> int:
        """How many streams to this life of the member failed since one worked."""
        failing, record = self._no_streams.get(name), self._table.get(name)
        is_same = failing is not None and record is not None and failing.incarnation == record.incarnation
        return failing.count if failing is not None and is_same else 0

    def stream_worked(self, endpoint: Endpoint) -> None:
        """A stream to ``endpoint`` was answered."""
        if not self._no_streams:
            return
        record = self._table.at(endpoint)
        failing = self._no_streams.pop(record.name, None) if record is not None else None
        if record is not None and failing is not None and failing.is_said:
            _logger.warning("streams to member %s at %s work again", *_at(record))


def _at(record: Record) -> tuple[str, str]:
    return shown(record.name), join_host_port(*record.endpoint)


def _remember(members: dict[str, T], name: str, value: T) -> T:
    members.pop(name, None)
    if len(members) >= _REMEMBERED_MAX:
        del members[next(iter(members))]
    members[name] = value
    return value
