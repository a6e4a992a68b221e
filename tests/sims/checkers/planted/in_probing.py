"""Planted in probing: relays, the health score, checks of second-hand news, confirmations."""

from __future__ import annotations

from typing import Any

import pytest

from sims.checkers import (
    CalmNodesAreIdle,
    DisprovedClaimsDoNothing,
    ProbesAreInterleaved,
    RefusedProcessesAreGone,
    RelayedAcksReturn,
    SuspicionsEndInTime,
)
from swim.core.awareness import Awareness
from swim.core.output import StreamEnd
from swim.core.ping_responder import PingResponder
from swim.core.probe import ProbeRound
from swim.core.prober import Prober
from swim.core.ranks import Ranks
from swim.core.refusals import Refusals
from swim.core.suspicion import Suspicion
from swim.core.verify import Verify
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug


@bug("Confirmations of a suspicion are ignored.", scripts.VANISH, SuspicionsEndInTime)
def ignores_confirmations(patch: pytest.MonkeyPatch) -> None:
    def listed(self: Any, now: float, accuser: str, **more: bool) -> bool:
        is_news = accuser not in self.accusers
        self.accusers.add(accuser)
        return is_news

    patch.setattr(Suspicion, "confirm", listed)


@bug("A suspect whose host refuses streams has as much time as any.", scripts.LAST, SuspicionsEndInTime)
def ignores_refusals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProbeRound, "is_refused", property(lambda self: False, lambda self, value: None))


@bug("A paused process counts as one whose host refuses.", scripts.STANDSTILL, RefusedProcessesAreGone)
def pauses_are_refusals(patch: pytest.MonkeyPatch) -> None:
    fail, dialled = Prober._fail, Refusals.dialled

    def failed(self: Any, now: float, current: ProbeRound) -> None:
        self._refusals.begin(now, current.target)
        fail(self, now, current)

    def refused(self: Any, now: float, name: str, end: StreamEnd | None) -> None:
        dialled(self, now, name, StreamEnd.REFUSED)

    patch.setattr(Prober, "_fail", failed)
    patch.setattr(Refusals, "dialled", refused)


@bug(
    "A host that refuses streams has no time to start its process again.",
    scripts.CRASH,
    RefusedProcessesAreGone,
)
def no_grace(patch: pytest.MonkeyPatch) -> None:
    def at_once(self: Any, check: Any) -> None:
        self._context.timers.at(check.since, self._next, check)

    patch.setattr(Refusals, "_dial_later", at_once)


@bug("A relay sends the ack to itself instead of the member that asked.", scripts.LOSS, RelayedAcksReturn)
def relay_acks_the_wrong_node(patch: pytest.MonkeyPatch) -> None:
    report = PingResponder._report

    def astray(self: Any, now: float, relayed: Any, outcome: Any) -> None:
        others = [record.endpoint for record in self._context.table if record.endpoint != relayed.requester]
        relayed.requester = others[0]
        report(self, now, relayed, outcome)

    patch.setattr(PingResponder, "_report", astray)


@bug("The health score never recovers.", scripts.LOSSY_THEN_CALM, CalmNodesAreIdle)
def score_never_recovers(patch: pytest.MonkeyPatch) -> None:
    apply = Awareness.apply
    patch.setattr(Awareness, "apply", lambda self, delta: apply(self, max(delta, 0)))


@bug("Pings for others are never forgotten.", scripts.LOSSY_THEN_CALM, CalmNodesAreIdle)
def relayed_pings_stay(patch: pytest.MonkeyPatch) -> None:
    def stays(self: Any, now: float, relayed: Any) -> None:
        if relayed.may_nack:
            self._nack(now, relayed)

    patch.setattr(PingResponder, "_expired", stays)


@bug("A death claim is believed though its member answered.", scripts.LIES, DisprovedClaimsDoNothing)
def second_look_always_believes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Verify, "_is_innocent", lambda self, now, accused, *_: self._is_guilty(now, accused))


@bug("The number of the period never changes.", scripts.QUIET, ProbesAreInterleaved)
def period_stands_still(patch: pytest.MonkeyPatch) -> None:
    turn = Ranks.next
    patch.setattr(Ranks, "next", lambda self, period: turn(self, 0))


@bug("A node goes on with the rank that it had at first.", scripts.QUIET, ProbesAreInterleaved)
def rank_of_a_stale_view(patch: pytest.MonkeyPatch) -> None:
    change = Ranks._change

    def unplaced(self: Any) -> Any:
        placed = self._placed
        order = change(self)
        self._placed = placed
        return order

    patch.setattr(Ranks, "_change", unplaced)
