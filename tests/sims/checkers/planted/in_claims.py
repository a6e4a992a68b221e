"""Planted in how claims are applied: precedence, refutation, suspicion, the own leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from sims.checkers import (
    CrashedMembersAreFailed,
    EventsAreLegal,
    HealthyMembersAreNotFailed,
    IncarnationsNeverGoBack,
    LeavesAreNotFailures,
    LeftMembersStayAway,
    NodesBelieveInThemselves,
    NothingResurrects,
    OnlyTheOwnerSpeaks,
    SuspicionsTakeTheirTime,
)
from swim.core.claims import Claims
from swim.core.leave import Leaving
from swim.core.member import State
from swim.core.output import Finished
from swim.core.ping_responder import PingResponder
from swim.core.precedence import RULES, Claim, Decision, Stored, Verdict
from swim.core.probe import ProbeRound
from swim.core.suspicion import Suspicion
from swim.events import Reason
from swim.serf import member_status
from swim.serf.member_status import Cause, Change, Effect, Entered
from swim.serf.members import Members
from swim.wire.messages import Suspect
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug

I, J, R, D = map(Decision, (Verdict.IGNORE, Verdict.JOIN, Verdict.REFRESH, Verdict.DEAD))  # noqa: E741
ALIVE, LEAVE = (Claim.ALIVE, Claim.ALIVE_HEARD), (Claim.LEAVE, Claim.LEAVE_HEARD)


def rule(patch: pytest.MonkeyPatch, stored: Stored, columns: Iterable[Claim], *row: Decision) -> None:
    for rows in (stored, Stored.UNSEEN) if stored is Stored.ALIVE else (stored,):
        for claim in columns:
            patch.setitem(RULES[rows], claim, row)


@bug("Old alive claims win as well.", scripts.ECHO, IncarnationsNeverGoBack)
def skips_the_incarnation_check(patch: pytest.MonkeyPatch) -> None:
    rule(patch, Stored.ALIVE, ALIVE, R, I, R)


@bug("An alive claim of the same incarnation clears a suspicion.", scripts.LOSS, EventsAreLegal)
def equal_incarnation_clears(patch: pytest.MonkeyPatch) -> None:
    rule(patch, Stored.SUSPECT, ALIVE, I, R, R)


@bug("An alive claim of the same incarnation revives a dead member.", scripts.ECHO, NothingResurrects)
def equal_incarnation_revives_the_dead(patch: pytest.MonkeyPatch) -> None:
    rule(patch, Stored.DEAD, ALIVE, I, J, J)


@bug("An alive claim of the same incarnation brings back who left.", scripts.ECHO, LeftMembersStayAway)
def equal_incarnation_brings_back_the_left(patch: pytest.MonkeyPatch) -> None:
    rule(patch, Stored.LEFT, ALIVE, I, J, J)


@bug("A leave counts as a death.", scripts.PLAIN_LEAVE, LeavesAreNotFailures)
def treats_leave_as_dead(patch: pytest.MonkeyPatch) -> None:
    for stored in (Stored.ALIVE, Stored.SUSPECT):
        rule(patch, stored, LEAVE, I, D, D)
    rule(patch, Stored.DEAD, LEAVE, I, I, I)


@bug("A node does not refute accusations.", scripts.SPLIT, HealthyMembersAreNotFailed)
def never_refutes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Claims, "_refute", lambda self, now, accused, reason: None)


@bug("A refutation repeats the incarnation that was accused.", scripts.SPLIT, HealthyMembersAreNotFailed)
def refutes_with_the_same_incarnation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Claims, "_refute", lambda self, now, accused, reason: self.announce_self(now))


@bug("A node that is called dead believes it.", scripts.SPLIT, NodesBelieveInThemselves)
def believes_its_own_death(patch: pytest.MonkeyPatch) -> None:
    def believe(self: Any, now: float, claim: Any, *_: Any) -> None:
        shared = self._context
        dead = shared.table.put(shared.local.turned(State.DEAD, now, claim.incarnation))
        shared.delegate.member_gone(now, dead, Reason("claim", "somebody"))

    patch.setattr(Claims, "_refute_claim", believe)
    patch.setitem(member_status.RULES[Entered.RUNNING], Cause.DIED, (Change(Effect.FAIL),) * 3)


@bug("Who accuses raises the incarnation of the accused.", scripts.CRASH, OnlyTheOwnerSpeaks)
def accuser_raises_the_incarnation(patch: pytest.MonkeyPatch) -> None:
    apply = Claims.apply

    def accuse(self: Any, now: float, claim: Any, source: Any) -> None:
        raised = isinstance(claim, Suspect)
        apply(self, now, claim._replace(incarnation=claim.incarnation + raised), source)

    patch.setattr(Claims, "apply", accuse)


@bug("A newer claim is stored with the old tags.", scripts.TAGS, OnlyTheOwnerSpeaks)
def keeps_old_tags(patch: pytest.MonkeyPatch) -> None:
    refresh = Claims._refresh

    def keep(self: Any, now: float, claim: Any, stored: Any, source: Any) -> None:
        refresh(self, now, claim._replace(meta=stored.meta), stored, source)

    patch.setattr(Claims, "_refresh", keep)


@bug("A suspicion is never decided.", scripts.VANISH, CrashedMembersAreFailed)
def suspicion_never_expires(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Claims, "_expire", lambda self, now, token: None)


@bug("A suspect is declared dead at once.", scripts.CRASH, SuspicionsTakeTheirTime)
def suspicion_expires_at_once(patch: pytest.MonkeyPatch) -> None:
    begin = Suspicion.__init__

    def hasty(self: Any, now: float, *args: Any, **settings: Any) -> None:
        begin(self, now, *args, **settings)
        self.deadline = now

    patch.setattr(Suspicion, "__init__", hasty)


@bug("One accuser counts as often as it speaks.", scripts.VANISH, SuspicionsTakeTheirTime)
def one_accuser_confirms_itself(patch: pytest.MonkeyPatch) -> None:
    confirm = Suspicion.confirm

    def gullible(self: Any, now: float, accuser: str, **more: bool) -> bool:
        known = set(self.accusers)
        self.accusers.clear()
        counted = confirm(self, now, accuser, **more)
        self.accusers |= known
        return counted

    patch.setattr(Suspicion, "confirm", gullible)


@bug("A lone accuser without any acks expects no confirmation.", scripts.VANISH, SuspicionsTakeTheirTime)
def is_certain_without_a_refusal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProbeRound, "is_refused", property(lambda self: True, lambda self, value: None))


@bug("The timer of a suspicion fires though it was refuted.", scripts.LOSS, SuspicionsTakeTheirTime)
def stale_timers_fire(patch: pytest.MonkeyPatch) -> None:
    def is_listed(self: Any, token: Any) -> bool:
        record = self._context.table.get(token[0])
        return record is not None and record.is_live

    patch.setattr(Claims, "_is_running", is_listed)


@bug("Time slept through counts as time of a suspicion.", scripts.OVERSLEEP, SuspicionsTakeTheirTime)
def counts_its_sleep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Claims, "hold", lambda self, now, gap: None)


@bug("A leave of a member held dead is not believed.", scripts.LOST_LEAVE, LeavesAreNotFailures)
def does_not_believe_late_leaves(patch: pytest.MonkeyPatch) -> None:
    rule(patch, Stored.DEAD, LEAVE, I, I, I)
    patch.setattr(Members, "listed_left", lambda self, now, name, ltime, reason: None)
    patch.setattr(Members, "leave_intent", lambda self, now, intent, reason: False)


@bug("A node leaves without announcing it.", scripts.LEAVE, LeavesAreNotFailures)
def leaves_without_a_word(patch: pytest.MonkeyPatch) -> None:
    def begin(self: Any, now: float, ticket: int) -> None:
        self._context.status = "left"
        local = self._context.local
        self._context.delegate.member_gone(
            now, self._context.table.put(local.turned(State.LEFT, now, local.incarnation)), Reason("local")
        )
        self._context.output.finished.append(Finished(ticket, None))

    patch.setattr(Leaving, "begin", begin)


@bug("A ping for another node is answered.", scripts.SWAP, CrashedMembersAreFailed)
def answers_for_another(patch: pytest.MonkeyPatch) -> None:
    ping = PingResponder.ping

    def answer(self: Any, now: float, request: Any, *rest: Any) -> None:
        ping(self, now, request._replace(node=self._context.local.name), *rest)

    patch.setattr(PingResponder, "ping", answer)
