"""Every cell of the table of claims, brought about at a node by its public inputs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from swim.addresses import Endpoint
from swim.commands import ForceLeave, Leave
from swim.core.member import State, pack_address
from swim.core.precedence import Claim, Stored, Verdict
from swim.events import (
    MemberAccused,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MemberUpdated,
)
from swim.wire.messages import Ack, Alive, Dead, Message, NodeRecord, Ping, Suspect
from tests.one_node import NON_MEMBER, PORT, SERF_VSN, Lone, alive_record, home

__all__ = ["Cell", "outcome"]

HOME, SPEAKER = home("x"), home("y")
ELSEWHERE, OWN = ("127.0.0.42", PORT), ("127.0.0.1", PORT)
STORED = 5
"""The incarnation that the node holds of ``x``, or its own, when the claim comes."""
ENTOMBED = (Stored.TOMBSTONE, Stored.LEFT_TOMBSTONE)
UNLISTED = (Stored.ABSENT, *ENTOMBED, Stored.NEW_HERE, Stored.CROWDED)
OF_SELF = (Stored.RUNNING, Stored.LEAVING, Stored.GONE)
META, OTHER_META = b"\xff\x80", b"\xff\x81\xa4role\xa2db"
LONG = 20.0
"""How long a ping may take where other things are to happen first, seconds."""
CONFIRMED = 5.0
"""A suspicion that began before ``settle`` ends within this many seconds if it is confirmed, only then."""


class Cell(NamedTuple):
    """One cell: the row, the column, and which of older (0), same (1) and newer (2)."""

    stored: Stored
    claim: Claim
    age: int

    def __str__(self) -> str:
        return f"{self.stored.name}-{self.claim.name}-{('older', 'same', 'newer')[self.age]}".lower()

    @property
    def subject(self) -> str:
        """Whom the claim is about."""
        return "me" if self.stored in OF_SELF else "x"

    @property
    def incarnation(self) -> int:
        """The claim's."""
        return STORED - 1 + self.age

    @property
    def endpoint(self) -> Endpoint:
        """Where the claim places its subject."""
        if self.claim in (Claim.MOVED, Claim.MOVED_HEARD):
            return ELSEWHERE
        return OWN if self.subject == "me" else HOME


def outcome(cell: Cell, **settings: Any) -> str:
    """What becomes of the claim, in the words of the document: the same however it comes."""
    found = {_observed(cell, way, settings) for way in _ways(cell)}
    if found == {"*own-words*"}:
        found = {_observed(cell, _packet(SPEAKER, meta=OTHER_META), settings)}
        return Verdict.COMPARE.value if found == {Verdict.REFUTE.value} else f"own words, or {found}"
    return " or ".join(sorted(found))


Packets = list[tuple[Endpoint, Message]]
Way = Callable[[Lone, Cell, Packets], None]
"""How a claim arrives; a way may need what the node sent before."""


def _ways(cell: Cell) -> list[Way]:
    """A push/pull answers a stale accusation by itself, so that one comes by packet only."""
    push = _push if cell.age or cell.claim.startswith("alive") else lambda state: _packet(SPEAKER)
    match cell.claim:
        case Claim.DEAD:
            return [_unanswered]
        case Claim.MOVED if cell.stored in OF_SELF:
            return [_acked]
        case Claim.ALIVE | Claim.LEAVE if cell.stored is Stored.UNSEEN:
            return [_own_push]  # a packet of its own would show that it is there
        case Claim.ALIVE if cell.stored in ENTOMBED:
            return [_packet(cell.endpoint)]
        case Claim.ALIVE_PUSHED:
            return [_own_push]
        case Claim.ALIVE_GOSSIPED:
            return [_packet(SPEAKER)]
        case Claim.ALIVE_ANSWERED:
            return [_answer]
        case Claim.ALIVE_HEARD if cell.stored in UNLISTED:
            return [_packet(NON_MEMBER), push(State.ALIVE)]
        case Claim.ALIVE_HEARD if cell.subject == "x":
            return [_packet(SPEAKER), _packet(NON_MEMBER), push(State.ALIVE), _answer]
        case Claim.ALIVE | Claim.LEAVE:
            return [_packet(cell.endpoint), _own_push]
        case Claim.MOVED:
            return [_own_push]
        case Claim.MOVED_HEARD if cell.subject == "x":
            return [_packet(SPEAKER), _packet(cell.endpoint), push(State.ALIVE)]
        case Claim.DEAD_HEARD:
            return [_packet(SPEAKER)]
        case Claim.SUSPECT:
            return [_packet(SPEAKER), push(State.SUSPECT), push(State.DEAD)]
        case Claim.LEAVE_HEARD:
            return [_packet(SPEAKER), push(State.LEFT)]
        case Claim.ALIVE_HEARD if cell.subject == "me":
            return [_packet(SPEAKER)]
    return [_packet(SPEAKER), push(State.ALIVE)]


def _alive(cell: Cell, meta: bytes = META) -> Alive:
    host, port = cell.endpoint
    return Alive(cell.incarnation, cell.subject, pack_address(host), port, meta, SERF_VSN)


def _message(cell: Cell, meta: bytes = META) -> Message:
    match cell.claim:
        case claim if claim.startswith("alive"):
            return _alive(cell, meta)
        case Claim.SUSPECT:
            return Suspect(cell.incarnation, cell.subject, "z")
        case Claim.LEAVE | Claim.LEAVE_HEARD:
            return Dead(cell.incarnation, cell.subject, cell.subject)
    return Dead(cell.incarnation, cell.subject, "z")


def _packet(source: Endpoint, *, meta: bytes = META) -> Way:
    return lambda lone, cell, _: lone.hear(_message(cell, meta), source=source)


def _listed(cell: Cell, state: State) -> NodeRecord:
    claim = _alive(cell, OTHER_META)
    return NodeRecord(
        claim.node, claim.addr, claim.port, claim.meta, claim.incarnation, int(state), claim.vsn
    )


def _own_push(lone: Lone, cell: Cell, _: Packets) -> None:
    """The member itself pushes its state, alone in it as after a start."""
    state = State.LEFT if cell.claim is Claim.LEAVE else State.ALIVE
    lone.pushed(records=[_listed(cell, state)], host=cell.endpoint[0])


def _push(state: State) -> Way:
    def push(lone: Lone, cell: Cell, _: Packets) -> None:
        lone.pushed(records=[_listed(cell, state), alive_record("y")], host=SPEAKER[0])

    return push


def _answer(lone: Lone, cell: Cell, _: Packets) -> None:
    """The peer of a push/pull that the node dialled lists it."""
    lone.answered([_listed(cell, State.ALIVE), alive_record("y")], host=SPEAKER[0])


def _unanswered(lone: Lone, cell: Cell, _: Packets) -> None:
    """The ping about a death that ``_prepared`` has had held is not answered."""
    lone.advance(LONG / 2)


def _acked(lone: Lone, cell: Cell, before: Packets) -> None:
    """The ping to where the own name was claimed is answered."""
    _ack(lone, ELSEWHERE, before)


def _ack(lone: Lone, endpoint: Endpoint, sent: Packets) -> None:
    [ping] = [message for to, message in sent if to == endpoint and isinstance(message, Ping)]
    lone.hear(Ack(ping.seq_no), source=endpoint)


# -- what is stored


def _prepared(cell: Cell, settings: dict[str, Any]) -> Lone:
    """A node that holds what the row says."""
    found_out = cell.claim is Claim.DEAD or (cell.claim is Claim.MOVED and cell.subject == "me")
    lone = Lone(
        dead_node_reclaim_time=2.0 if cell.stored is Stored.RECLAIMABLE else 0.0,
        max_tombstones=0 if found_out and cell.stored is Stored.ABSENT else 10_000,
        probe_timeout=LONG if found_out else 0.5,
        **settings,
    )
    lone.meet("y", "z")
    if cell.subject == "me":
        _prepare_self(lone, cell)
    elif found_out:
        _prepare_held(lone, cell)
    elif cell.stored is Stored.UNSEEN:
        _hear_of(lone)
    elif cell.stored not in UNLISTED or cell.stored in ENTOMBED:
        lone.meet("x", incarnation=STORED)
        _turn(lone, cell.stored)
    if cell.subject == "x" and cell.stored is not Stored.NEW_HERE:
        lone.settle()
    if cell.stored is Stored.CROWDED:
        _crowd(lone)
    return lone


def _crowd(lone: Lone) -> None:
    """Adds members that are never seen first-hand, up to the quota."""
    for number in range(64):
        ghost = Alive(1, f"ghost-{number}", bytes((127, 9, 9, number)), PORT, META, SERF_VSN)
        lone.hear(ghost, source=SPEAKER)
    lone.settle()


def _prepare_self(lone: Lone, cell: Cell) -> None:
    lone.hear(Suspect(STORED - 1, "me", "y"))
    if cell.claim is Claim.MOVED:
        lone.hear(_alive(cell), source=SPEAKER)
    if cell.stored is not Stored.RUNNING:
        lone.command(Leave())
    if cell.stored is Stored.GONE:
        lone.advance(1.0)


def _prepare_held(lone: Lone, cell: Cell) -> None:
    """A death is held until its ping is answered or not, and meanwhile the member becomes what it is.

    A refutation would end it; so the member that is to be newer has been pruned and has come back.
    """
    lone.meet("x", incarnation=STORED - 1)
    lone.hear(_message(cell), source=SPEAKER)
    if cell.stored is Stored.UNSEEN or cell.age == 0:
        _prune(lone, STORED - 1)
    if cell.stored is Stored.UNSEEN:
        _hear_of(lone)
        return
    lone.meet("x", incarnation=STORED)
    if cell.stored is Stored.TOMBSTONE:
        lone.fail("x", incarnation=STORED)
        lone.command(ForceLeave("x", prune=True))
    elif cell.stored in UNLISTED:
        _prune(lone, STORED)
    else:
        _turn(lone, cell.stored)


def _prune(lone: Lone, incarnation: int) -> None:
    """An operator prunes the member, and it leaves."""
    lone.command(ForceLeave("x", prune=True))
    lone.hear(Dead(incarnation, "x", "x"), source=HOME)
    assert lone.node.member("x") is None


def _hear_of(lone: Lone) -> None:
    """Another node claims that ``x`` is alive."""
    lone.hear(Alive(STORED, "x", pack_address(HOME[0]), PORT, META, SERF_VSN), source=SPEAKER)


def _turn(lone: Lone, stored: Stored) -> None:
    if stored in (Stored.LEFT, Stored.LEFT_TOMBSTONE):
        lone.hear(Dead(STORED, "x", "x"), source=HOME)
    elif stored is not Stored.ALIVE:
        lone.hear(Suspect(STORED, "x", "y"))
    if stored in (Stored.DEAD, Stored.RECLAIMABLE, Stored.TOMBSTONE):
        lone.hear(Dead(STORED, "x", "y"))
    if stored in ENTOMBED:
        lone.advance(lone.config.gossip_to_the_dead_time + 1)


# -- what comes of it


def _observed(cell: Cell, way: Way, settings: dict[str, Any]) -> str:
    """Sends the claim and derives the verdict from the node's events and packets."""
    lone = _prepared(cell, settings)
    before, counters, status = lone.sent(), lone.node.metrics.counters.copy(), lone.node.status
    lone.events.clear()
    way(lone, cell, before)
    at_once = lone.sent()
    grown = lone.node.metrics.counters - counters
    if lone.node.status != status:
        return Verdict.DEPART.value
    if grown["swim.conflicts"]:
        return Verdict.CONFLICT.value
    events = [event for event in lone.events if event.member.name == cell.subject]
    if events:
        return _from_events(lone, cell, events, at_once)
    to_claimed = [message for to, message in at_once if to == cell.endpoint]
    if any(isinstance(message, Ping) for message in to_claimed):
        return _from_ping(lone, cell, at_once)
    if any(isinstance(message, Alive) for to, message in at_once if to == SPEAKER):
        return Verdict.ANSWER.value if grown["swim.ignored.older"] == 1 else "answered, but not counted"
    reasons = [name.rpartition(".")[2] for name in grown if name.startswith("swim.ignored.")]
    return f"*{' and '.join(reasons)}*"


def _from_events(lone: Lone, cell: Cell, events: list[MemberEvent], at_once: Packets) -> str:
    [event] = events
    member, passed_on = event.member, [type(message) for message in _gossip(lone, cell)]
    told = f"{type(event).__name__} at {member.incarnation}, passing on {passed_on}"
    is_claimed = member.incarnation == cell.incarnation and (member.address, member.port) == cell.endpoint
    match event:
        case MemberRefuted() if cell.subject == "me" and member.incarnation > cell.incarnation:
            return Verdict.REFUTE.value if Alive in passed_on else told
        case MemberJoined() if is_claimed and Alive in passed_on:
            return Verdict.JOIN.value
        case MemberJoined() if (
            is_claimed and not passed_on and not any(to == cell.endpoint for to, _ in at_once)
        ):
            return Verdict.TAKE.value
        case MemberJoined() if is_claimed and not passed_on:
            if cell.endpoint not in [to for to, _ in at_once]:
                return Verdict.TAKE.value
            _ack(lone, cell.endpoint, at_once)
            return Verdict.ADMIT.value if Alive in map(type, _gossip(lone, cell)) else told
        case MemberRefuted() | MemberUpdated() if is_claimed and Alive in passed_on:
            return Verdict.REFRESH.value
        case MemberSuspected() if Suspect in passed_on:
            return Verdict.SUSPECT.value
        case MemberAccused() if Suspect in passed_on:
            lone.advance(CONFIRMED)
            return Verdict.CONFIRM.value if lone.status("x") == "failed" else told
        case MemberFailed() if Dead in passed_on:
            return Verdict.DEAD.value
        case MemberLeft() if Dead in passed_on:
            return Verdict.LEFT.value
        case MemberLeft():
            return Verdict.REMEMBER.value
    return told


def _from_ping(lone: Lone, cell: Cell, at_once: Packets) -> str:
    """Nothing has changed yet, but the subject is pinged."""
    if cell.claim in (Claim.DEAD_HEARD, Claim.LEAVE_HEARD):
        lone.advance(lone.config.probe_timeout)
    else:
        _ack(lone, cell.endpoint, at_once)
    match [type(event) for event in lone.events if event.member.name == cell.subject]:
        case [kind] if kind is MemberFailed:
            return Verdict.ASK.value
        case [kind] if kind is MemberLeft:
            return Verdict.ASK_LEAVE.value
        case [kind] if kind is MemberJoined:
            return Verdict.PROVE.value
        case [] if lone.node.metrics.counters["swim.conflicts"]:
            return Verdict.PROVE.value
    return "pinged in vain"


def _gossip(lone: Lone, cell: Cell) -> list[Message]:
    """What the node says of the subject in the next moments."""
    lone.advance(0.25)
    return [message for _, message in lone.sent() if getattr(message, "node", "") == cell.subject]
