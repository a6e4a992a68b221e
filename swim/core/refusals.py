"""Refused streams as evidence: the host of a process that is gone answers for it.

A process that is paused, overloaded or cut off refuses no stream: its host accepts the stream, or nothing
answers. A host that refuses streams for ``restart_grace`` seconds has no such process any more. Then the
suspicion of the member ends at once.

Where something else may answer for the host, a refused stream proves nothing (``Paths.may_prove``), nor does
it at an endpoint that several members advertise, or while the member itself calls.
"""

from __future__ import annotations

from swim.core.claims import Claims
from swim.core.context import Context
from swim.core.evidence import Evidence, Source
from swim.core.gossip import Gossip
from swim.core.member import Record, State
from swim.core.output import StreamEnd
from swim.core.purposes import Checking
from swim.core.streams import Streams
from swim.core.timers import TimerKind
from swim.wire.codec import encode
from swim.wire.messages import Dead, Ping
from swim.wire.steps import at_once

__all__ = ["CHECKS_MAX", "TOLD_DIRECTLY", "Refusals"]

CHECKS_MAX = 16
"""Members whose hosts are asked at once; the suspicion of any other ends as without this evidence."""
TOLD_DIRECTLY = 64
"""Members that receive the news directly from the node that found it out. Gossip alone misses one now and
then, and nothing else would end its suspicion early."""
_DIALS = 2
"""Streams after the first refused one, evenly spaced; the last one ``restart_grace`` after the first."""


class _Check:
    """A member whose host refused a stream: since when, and how often since."""

    __slots__ = ("is_proved", "record", "refused", "since")

    def __init__(self, record: Record, since: float) -> None:
        self.record: Record = record
        self.since: float = since
        self.refused: int = 0
        self.is_proved: bool = False


class Refusals:
    """Dials a member again whose host refused the stream ping of a probe round."""

    def __init__(self, context: Context, claims: Claims, streams: Streams, gossip: Gossip) -> None:
        self._context = context
        self._claims = claims
        self._gossip = gossip
        self._streams = streams
        self._checks: dict[str, _Check] = {}
        self._next = context.timers.kind(TimerKind.REFUSAL, self._dial, self._is_running)

    def begin(self, now: float, target: Record) -> None:
        """The host of a probed member refused a stream."""
        context = self._context
        if (
            context.config.restart_grace
            and target.name not in self._checks
            and len(self._checks) < CHECKS_MAX
            and not context.table.is_ambiguous(target.endpoint)
            and context.paths.may_prove(target.name)
        ):
            check = self._checks[target.name] = _Check(target, now)
            self._dial_later(check)

    def stop(self, name: str | None = None) -> None:
        """The member acked, or this node overslept (None), which leaves no check that proves anything."""
        if name is None:
            self._checks.clear()
        elif self._checks:
            self._checks.pop(name, None)

    def called(self, host: str, name: str = "") -> None:
        """A process at ``host`` sent a ping or opened a stream: it runs, whatever its host refuses.

        Args:
            host: where it came from.
            name: of the member, as its message says; without one it is a member that is alone at its host.
        """
        if not self._checks:
            return
        for check in [check for check in self._checks.values() if check.record.endpoint[0] == host]:
            record = check.record
            if name == record.name or (not name and self._is_alone_at(host)):
                del self._checks[record.name]

    def round_failed(self, now: float, name: str) -> None:
        """The probe round is over without an ack."""
        check = self._checks.get(name)
        if check is not None and check.is_proved:
            self._conclude(now, check)

    def dialled(self, now: float, name: str, end: StreamEnd | None) -> None:
        """A stream of a check is over; ``end`` is the driver's reason, None if the peer answered."""
        check = self._checks.get(name)
        if check is None:
            return
        if end is not StreamEnd.REFUSED:
            del self._checks[name]
            return
        check.refused += 1
        if check.refused < _DIALS:
            self._dial_later(check)
            return
        check.is_proved = True
        if name in self._claims.suspicions:
            self._conclude(now, check)

    def _dial_later(self, check: _Check) -> None:
        pause = self._context.config.restart_grace * (check.refused + 1) / _DIALS
        self._context.timers.at(check.since + pause, self._next, check)

    def _dial(self, now: float, check: _Check) -> None:
        target, local = check.record, self._context.local
        ping = encode(Ping(0, target.name, local.addr, local.port, local.name))
        until = now + self._context.config.probe_interval
        if not self._streams.dial(now, target.endpoint, at_once(ping), Checking(target.name), until):
            del self._checks[target.name]

    def _conclude(self, now: float, check: _Check) -> None:
        """Ends the suspicion, unless the member has refuted or moved meanwhile, or answered some stream."""
        target = check.record
        del self._checks[target.name]
        record = self._context.table.get(target.name)
        if (
            record is None
            or record.state is not State.SUSPECT
            or (record.incarnation, record.endpoint) != (target.incarnation, target.endpoint)
            or self._context.paths.failed_in_a_row(record.name) <= _DIALS
            or self._context.is_cut_off
        ):
            return
        detail = f"{_DIALS + 1} streams in {now - check.since:.1f} s"
        claim = Dead(record.incarnation, record.name, self._context.local.name)
        self._claims.apply(now, claim, Source("refused", evidence=Evidence.TESTED, detail=detail))
        self._gossip.tell(now, [encode(claim)], TOLD_DIRECTLY)

    def _is_alone_at(self, host: str) -> bool:
        table = self._context.table
        return sum(record.is_live and record.endpoint[0] == host for record in table) == 1

    def _is_running(self, check: _Check) -> bool:
        return self._checks.get(check.record.name) is check
