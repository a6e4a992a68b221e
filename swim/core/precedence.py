"""Which claim wins: every rule about a claim, as one table and the few functions below it.

``decide`` is the only place that decides; ``claims`` carries a decision out. The rules are memberlist's
(aliveNode, suspectNode, deadNode, mergeState); a cell that differs says what memberlist does, and with which
setting the difference is turned off. ``docs/precedence.md`` shows the table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from swim.config import Config
from swim.core.evidence import Evidence, Known, Own, Source, Unknown
from swim.core.member import Record, State, endpoint_of, same_address
from swim.wire.messages import Alive, Dead, Suspect

__all__ = [
    "LEAP",
    "LEAPS",
    "LEAP_OF_NON_MEMBER",
    "LISTED",
    "NO_INCARNATION",
    "RULES",
    "Claim",
    "Decision",
    "Stored",
    "Verdict",
    "decide",
    "is_witnessed",
]


class Claim(StrEnum):
    """The columns: what is claimed about a member, and how it is known."""

    ALIVE = "alive (from itself)"
    ALIVE_PUSHED = "alive (its own push/pull)"
    ALIVE_GOSSIPED = "alive (gossiped by a member)"
    ALIVE_ANSWERED = "alive (a peer's answer)"
    ALIVE_HEARD = "alive (from others)"
    MOVED = "alive elsewhere (from itself)"
    MOVED_HEARD = "alive elsewhere (from others)"
    SUSPECT = "suspect"
    DEAD = "dead (found out by this node)"
    DEAD_HEARD = "dead (from others)"
    LEAVE = "leave (from itself)"
    LEAVE_HEARD = "leave (from others)"


class Stored(StrEnum):
    """The rows: what is stored about the member; the last three are the statuses of the local node."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEFT = "left"
    UNSEEN = "alive, never seen first-hand"
    RECLAIMABLE = "dead for `dead_node_reclaim_time`"
    ABSENT = "unknown"
    TOMBSTONE = "dead, reaped (tombstone)"
    LEFT_TOMBSTONE = "left, reaped (tombstone)"
    NEW_HERE = "unknown, this node is a newcomer"
    CROWDED = "unknown, the quota is full"
    RUNNING = "this node (running)"
    LEAVING = "this node (leaving)"
    GONE = "this node (left)"


class Verdict(StrEnum):
    """What becomes of the claim."""

    IGNORE = "ignore"
    ANSWER = "answer"
    JOIN = "→ alive, joined"
    TAKE = "→ alive, joined; not passed on"
    ADMIT = "→ alive, joined; ping"
    REFRESH = "→ alive"
    PROVE = "ping: ack → alive"
    CONSULT = "push/pull with the member"
    CONFLICT = "name conflict"
    SUSPECT = "→ suspect"
    CONFIRM = "confirm"
    DEAD = "→ dead"
    ASK = "ping: no ack → dead"
    LEFT = "→ left"
    ASK_LEAVE = "ping: not refuted → left"
    REMEMBER = "→ left, not passed on"
    REFUTE = "refute"
    COMPARE = "refute if different"
    DEPART = "→ left, declared"


class Decision(NamedTuple):
    """What becomes of a claim, and why.

    Attributes:
        verdict: what to do.
        why: for a claim that changes nothing, the reason: a short stable word.
        memberlist: what memberlist does instead, if it differs.
        setting: the one that turns the difference off, when it is false or 0.
        otherwise: the decision then; None if the row does not arise then.
        counter: the metric that counts the claims that change nothing, by reason.
    """

    verdict: Verdict
    why: str = ""
    memberlist: str = ""
    setting: str = ""
    otherwise: Decision | None = None
    counter: str = ""


Row = tuple[Decision, Decision, Decision]
"""For a claim whose incarnation is older than the stored one, the same, or newer."""


def _ignored(why: str, memberlist: str = "", verdict: Verdict = Verdict.IGNORE) -> Decision:
    return Decision(verdict, why, memberlist, counter=f"swim.ignored.{why}")


def _unless(setting: str, verdict: Verdict, otherwise: Decision) -> Decision:
    """What memberlist decides otherwise, and so does this node without ``setting``."""
    return Decision(verdict, otherwise.why, otherwise.verdict.value, setting, otherwise, otherwise.counter)


_OLDER, _SAME = _ignored("older"), _ignored("not-newer")
_UNKNOWN, _REAPED = _ignored("unknown-member"), _ignored("reaped-member")
_IS_DEAD, _HAS_LEFT = _ignored("already-dead"), _ignored("already-left")
_OWN_WORDS, _NO_DEFENCE = _ignored("own-words"), _ignored("leaving")
_NO_RETURN = _ignored("leaving", Verdict.REFUTE.value)
_STALE = _unless("answer_stale_accusations", Verdict.ANSWER, _OLDER)

_JOIN, _REFRESH, _CONFLICT = Decision(Verdict.JOIN), Decision(Verdict.REFRESH), Decision(Verdict.CONFLICT)
_SUSPECT, _CONFIRM = Decision(Verdict.SUSPECT), Decision(Verdict.CONFIRM)
_DEAD, _LEFT = Decision(Verdict.DEAD), Decision(Verdict.LEFT)
_REFUTE, _COMPARE = Decision(Verdict.REFUTE), Decision(Verdict.COMPARE)

_ADMIT = _unless("verify_second_hand", Verdict.ADMIT, _JOIN)
_ASK = _unless("verify_second_hand", Verdict.ASK, _DEAD)
_ASK_LEAVE = _unless("verify_second_hand", Verdict.ASK_LEAVE, _LEFT)
_REMEMBER = Decision(Verdict.REMEMBER, memberlist=Verdict.IGNORE.value, setting="max_tombstones")
_SUCCEED = _unless("reclaim_if_acked", Verdict.JOIN, _CONFLICT)
_SUCCESSOR = _unless("reclaim_if_acked", Verdict.PROVE, _CONFLICT)
_FORMER_LIFE = Decision(Verdict.PROVE, memberlist=Verdict.CONFLICT.value)
_TAKE = _unless("verify_second_hand", Verdict.TAKE, _JOIN)
_PROVE = _unless("verify_second_hand", Verdict.PROVE, _JOIN)
_ENTOMBED = Decision(Verdict.PROVE, memberlist=Verdict.JOIN.value, setting="max_tombstones")
_LATE_LEAVE = Decision(Verdict.LEFT, memberlist=Verdict.IGNORE.value)
_DEPART = Decision(Verdict.DEPART, memberlist="→ dead or left, not declared")

NO_INCARNATION = _ignored("incarnation-0", "a dead record, without an event")
"""Incarnations start at 1, so an alive claim with 0 is from no member, whatever is stored."""


LEAP = 1 << 16
"""Only the member raises its incarnation, by one at a time. A claim further above is checked with it."""
LEAPS = _ignored("leap", "believed", Verdict.CONSULT)
LEAP_OF_NON_MEMBER = _ignored("leap", Verdict.REFUTE.value)


def _always(decision: Decision) -> Row:
    return decision, decision, decision


def _every(decision: Decision, *columns: Claim) -> dict[Claim, Row]:
    return dict.fromkeys(columns, _always(decision))


_ACCUSATIONS = (Claim.SUSPECT, Claim.DEAD, Claim.DEAD_HEARD, Claim.LEAVE, Claim.LEAVE_HEARD)
_HEARD = (
    Claim.ALIVE_HEARD,
    Claim.MOVED,
    Claim.MOVED_HEARD,
    Claim.SUSPECT,
    Claim.DEAD_HEARD,
    Claim.LEAVE_HEARD,
)
_LIVE: dict[Claim, Row] = {
    Claim.ALIVE: (_OLDER, _SAME, _REFRESH),
    Claim.ALIVE_HEARD: (_OLDER, _SAME, _REFRESH),
    Claim.MOVED: _always(_CONFLICT),
    Claim.MOVED_HEARD: _always(_CONFLICT),
    Claim.SUSPECT: (_STALE, _SUSPECT, _SUSPECT),
    Claim.DEAD: (_OLDER, _DEAD, _DEAD),
    Claim.DEAD_HEARD: (_STALE, _DEAD, _DEAD),
    Claim.LEAVE: (_OLDER, _LEFT, _LEFT),
    Claim.LEAVE_HEARD: (_STALE, _ASK_LEAVE, _ASK_LEAVE),
}
_REAPED_ROW: dict[Claim, Row] = {
    Claim.ALIVE: (_ENTOMBED, _ENTOMBED, _JOIN),
    Claim.ALIVE_PUSHED: _always(_JOIN),
    Claim.ALIVE_GOSSIPED: (_ENTOMBED, _ENTOMBED, _JOIN),
    Claim.ALIVE_ANSWERED: (_ENTOMBED, _ENTOMBED, _ADMIT),
    Claim.ALIVE_HEARD: (_ENTOMBED, _ENTOMBED, _PROVE),
    **_every(_REAPED, *_ACCUSATIONS),
}

RULES: dict[Stored, dict[Claim, Row]] = {
    Stored.ABSENT: {
        Claim.ALIVE: _always(_JOIN),
        Claim.ALIVE_GOSSIPED: _always(_JOIN),
        Claim.ALIVE_ANSWERED: _always(_ADMIT),
        Claim.ALIVE_HEARD: _always(_PROVE),
        **_every(_UNKNOWN, *_ACCUSATIONS),
    },
    Stored.NEW_HERE: {
        Claim.ALIVE: _always(_JOIN),
        Claim.ALIVE_GOSSIPED: _always(_JOIN),
        Claim.ALIVE_ANSWERED: _always(_TAKE),
        Claim.ALIVE_HEARD: _always(_JOIN),
    },
    Stored.CROWDED: _every(_PROVE, Claim.ALIVE_GOSSIPED, Claim.ALIVE_ANSWERED, Claim.ALIVE_HEARD),
    Stored.TOMBSTONE: {
        **_REAPED_ROW,
        Claim.LEAVE: (_OLDER, _REMEMBER, _REMEMBER),
        Claim.LEAVE_HEARD: (_OLDER, _REMEMBER, _REMEMBER),
    },
    Stored.LEFT_TOMBSTONE: _REAPED_ROW,
    Stored.UNSEEN: _LIVE,
    Stored.ALIVE: {**_LIVE, Claim.DEAD_HEARD: (_STALE, _ASK, _ASK)},
    Stored.SUSPECT: {
        **_LIVE,
        Claim.SUSPECT: (_OLDER, _CONFIRM, _CONFIRM),
        Claim.DEAD_HEARD: (_OLDER, _DEAD, _DEAD),
        Claim.LEAVE_HEARD: (_OLDER, _ASK_LEAVE, _ASK_LEAVE),
    },
    Stored.DEAD: {
        **_every(_IS_DEAD, *_ACCUSATIONS),
        Claim.ALIVE: (_OLDER, _SAME, _JOIN),
        Claim.ALIVE_HEARD: (_OLDER, _SAME, _ADMIT),
        Claim.MOVED: _always(_SUCCEED),
        Claim.MOVED_HEARD: _always(_SUCCESSOR),
        Claim.LEAVE: (_OLDER, _LATE_LEAVE, _LATE_LEAVE),
        Claim.LEAVE_HEARD: (_OLDER, _LATE_LEAVE, _LATE_LEAVE),
    },
    Stored.RECLAIMABLE: {Claim.MOVED: _always(_JOIN), Claim.MOVED_HEARD: _always(_ADMIT)},
    Stored.LEFT: {
        **_every(_HAS_LEFT, *_ACCUSATIONS),
        Claim.ALIVE: (_OLDER, _SAME, _JOIN),
        Claim.ALIVE_HEARD: (_OLDER, _SAME, _ADMIT),
        Claim.MOVED: _always(_JOIN),
        Claim.MOVED_HEARD: (_PROVE, _PROVE, _ADMIT),
    },
    Stored.RUNNING: {
        Claim.ALIVE_HEARD: (_OLDER, _COMPARE, _REFUTE),
        Claim.MOVED: _always(_CONFLICT),
        Claim.MOVED_HEARD: _always(_FORMER_LIFE),
        Claim.SUSPECT: (_STALE, _REFUTE, _REFUTE),
        Claim.DEAD_HEARD: (_STALE, _REFUTE, _REFUTE),
        Claim.LEAVE_HEARD: (_STALE, _REFUTE, _REFUTE),
    },
    Stored.LEAVING: {
        **_every(_NO_DEFENCE, Claim.ALIVE_HEARD, Claim.MOVED, Claim.MOVED_HEARD),
        Claim.SUSPECT: (_STALE, _NO_RETURN, _NO_RETURN),
        Claim.DEAD_HEARD: (_STALE, _DEPART, _DEPART),
        Claim.LEAVE_HEARD: (_STALE, _DEPART, _DEPART),
    },
    Stored.GONE: _every(_HAS_LEFT, *_HEARD),
}
"""The table. A combination that is not listed does not arise."""

LISTED: dict[int, type[Alive] | type[Suspect] | type[Dead]] = {
    State.ALIVE: Alive,
    State.SUSPECT: Suspect,
    State.DEAD: Suspect,
    State.LEFT: Dead,
}
"""What a push/pull record counts as, by its state: *dead* counts as a suspicion, *left* as a leave."""

_HEARD_BY = {
    Evidence.HEARD: Claim.ALIVE_HEARD,
    Evidence.ANSWERED: Claim.ALIVE_ANSWERED,
    Evidence.GOSSIPED: Claim.ALIVE_GOSSIPED,
}
_OWN_ROWS = {
    "idle": Stored.RUNNING,
    "running": Stored.RUNNING,
    "leaving": Stored.LEAVING,
    "left": Stored.GONE,
}
_ROWS = (Stored.ALIVE, Stored.SUSPECT, Stored.DEAD, Stored.LEFT)


def decide(
    now: float, claim: Alive | Suspect | Dead, stored: Known, source: Source, policy: Config
) -> Decision:
    """What becomes of ``claim``.

    Args:
        now: seconds.
        claim: about one member.
        stored: what is stored about that member.
        source: where the claim came from.
        policy: the settings that turn differences from memberlist off.
    """
    incarnation, known = claim.incarnation, stored.incarnation
    if not incarnation and isinstance(claim, Alive):
        return NO_INCARNATION
    column = _column(claim, stored, source)
    if incarnation > known + LEAP and (leap := _leap(stored, column, source)) is not None:
        return leap
    row = _row(now, stored, column, policy)
    decision = RULES[row][column][0 if incarnation < known else 1 if incarnation == known else 2]
    if decision.otherwise is not None and not getattr(policy, decision.setting):
        return decision.otherwise
    if decision is _COMPARE and isinstance(claim, Alive) and isinstance(stored, Own):
        return _compared(claim, stored)
    return decision


def _row(now: float, stored: Known, column: Claim, policy: Config) -> Stored:
    if isinstance(stored, Record):
        row = _ROWS[stored.state]
        if row is Stored.ALIVE and not stored.verified:
            return Stored.UNSEEN
        if row is Stored.DEAD and column in (Claim.MOVED, Claim.MOVED_HEARD):
            aged = 0 < policy.dead_node_reclaim_time < now - stored.changed_at
            return Stored.RECLAIMABLE if aged else row
        return row
    if isinstance(stored, Own):
        return _OWN_ROWS[stored.status]
    return _unknown_row(stored, column)


def _unknown_row(stored: Unknown, column: Claim) -> Stored:
    """A newcomer believes its peers whatever the quota; a tombstone takes precedence over any sender."""
    is_vouched = column in (Claim.ALIVE_GOSSIPED, Claim.ALIVE_ANSWERED)
    if stored.is_crowded and (column is Claim.ALIVE_HEARD or (is_vouched and not stored.is_new_here)):
        return Stored.CROWDED
    if stored.stone is not None:
        left = stored.stone.record.state is State.LEFT
        return Stored.LEFT_TOMBSTONE if left else Stored.TOMBSTONE
    return Stored.NEW_HERE if stored.is_new_here and column not in _ACCUSATIONS else Stored.ABSENT


def _column(claim: Alive | Suspect | Dead, stored: Known, source: Source) -> Claim:
    if isinstance(claim, Suspect):
        return Claim.SUSPECT
    record = stored if isinstance(stored, Record) else stored.record if isinstance(stored, Own) else None
    if isinstance(claim, Alive):
        if record is not None and not (
            claim.port == record.port and (claim.addr == record.addr or same_address(claim.addr, record.addr))
        ):
            # A late packet has the address where the member was.
            return Claim.MOVED if _is_certain(stored, source) else Claim.MOVED_HEARD
        if is_witnessed(claim, stored, source):
            # A packet of a member that has been reaped since may be a late one.
            is_reaped = isinstance(stored, Unknown) and stored.stone is not None
            return Claim.ALIVE_PUSHED if is_reaped and _is_certain(stored, source) else Claim.ALIVE
        return _HEARD_BY[source.evidence] if isinstance(stored, Unknown) else Claim.ALIVE_HEARD
    if claim.accuser == claim.node:
        return Claim.LEAVE if is_witnessed(claim, stored, source) else Claim.LEAVE_HEARD
    return Claim.DEAD if source.evidence is Evidence.TESTED else Claim.DEAD_HEARD


def is_witnessed(claim: Alive | Dead, stored: Known, source: Source) -> bool:
    """Whether a claim comes from the member itself: by its own push/pull, or in a packet from its address.

    About the local node only a tested claim counts, since packets from an earlier run have the right address
    too.
    """
    if isinstance(stored, Own) or source.evidence >= Evidence.ITSELF or source.endpoint is None:
        return _is_certain(stored, source)
    if isinstance(claim, Alive):
        return source.endpoint == endpoint_of(claim.addr, claim.port)
    return isinstance(stored, Record) and source.endpoint == stored.endpoint


def _leap(stored: Known, column: Claim, source: Source) -> Decision | None:
    """What becomes of a claim far above the stored incarnation, unless it is certain.

    The member is asked for its own record by a push/pull, which cannot be forged. Accusations of this node
    that far above are refuted only if they come from members: a non-member could push it to the last
    incarnation.
    """
    if (
        isinstance(stored, Unknown)
        or column in (Claim.MOVED, Claim.MOVED_HEARD)
        or _is_certain(stored, source)
    ):
        return None
    if isinstance(stored, Own):
        return None if source.name else LEAP_OF_NON_MEMBER
    return LEAPS


def _is_certain(stored: Known, source: Source) -> bool:
    """Whether the member itself was asked or sent its state, which proves more than a packet's address."""
    return source.evidence >= (Evidence.TESTED if isinstance(stored, Own) else Evidence.ITSELF)


def _compared(claim: Alive, own: Own) -> Decision:
    """The own incarnation with other tags or versions is from an earlier run; so is any at a fresh node."""
    differs = (claim.meta or b"") != (own.record.meta or b"") or claim.vsn != own.record.vsn
    return _REFUTE if differs or own.is_fresh else _OWN_WORDS
