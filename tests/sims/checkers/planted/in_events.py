"""Planted in how user events spread and reach the application."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sims.checkers import (
    ClocksDoNotRunAway,
    OldEventsStayAway,
    StampsFollowCauses,
    UserEventsComeOnce,
    UserEventsReachAll,
)
from swim import events
from swim.serf.delegate import SerfDelegate
from swim.serf.exchange import StateExchange
from swim.serf.lamport import LamportClock
from swim.serf.seen import RecentRing
from swim.serf.user_events import UserEvents
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug


@bug("The application receives an event with every copy of it.", scripts.EVENTS, UserEventsComeOnce)
def hands_out_every_copy(patch: pytest.MonkeyPatch) -> None:
    receive = UserEvents.receive

    def repeat(self: Any, ltime: int, name: str, payload: bytes | None, coalesce: bool = False) -> bool:
        if receive(self, ltime, name, payload, coalesce):
            return True
        self._roster.hand_out(events.UserEvent(name, payload or b"", ltime, coalesce))
        return False

    patch.setattr(UserEvents, "receive", repeat)


@bug("A snapshot's event clock does not keep old events away.", scripts.EVENTS, UserEventsComeOnce)
def forgets_what_it_recorded(patch: pytest.MonkeyPatch) -> None:
    restore = SerfDelegate.restore
    patch.setattr(SerfDelegate, "restore", lambda self, read: restore(self, replace(read, event_clock=0)))


@bug("Of two events with one stamp only the first is taken.", scripts.EVENTS, UserEventsReachAll)
def takes_one_event_of_a_stamp(patch: pytest.MonkeyPatch) -> None:
    admit = RecentRing.admit

    def first(self: Any, ltime: int, key: Any) -> bool:
        return ltime not in self._slots and admit(self, ltime, key)

    patch.setattr(RecentRing, "admit", first)


@bug("A received stamp does not move the clock.", scripts.EVENTS, StampsFollowCauses)
def follows_no_clock(patch: pytest.MonkeyPatch) -> None:
    receive = UserEvents.receive

    def forget(self: Any, *event: Any) -> bool:
        before = self.clock.time
        is_new = receive(self, *event)
        self.clock.time = max(before, self.clock.time - 1)
        return is_new

    patch.setattr(UserEvents, "receive", forget)


@bug("Each join brings the events from before it.", scripts.LATE_EVENTS, OldEventsStayAway)
def always_replays(patch: pytest.MonkeyPatch) -> None:
    merge = StateExchange.merge

    def replay(self: Any, clock: Any, state: bytes, *, peer: str, replay: bool) -> Any:
        return merge(self, clock, state, peer=peer, replay=True)

    patch.setattr(StateExchange, "merge", replay)


@bug("Push/pulls count the other's clock as a stamp.", scripts.EVENTS, ClocksDoNotRunAway)
def pushes_clocks_up(patch: pytest.MonkeyPatch) -> None:
    merge = StateExchange.merge

    def witness(self: Any, clock: Any, state: bytes, **how: Any) -> Any:
        ours = self._clocks[1]
        yield from merge(self, clock, state, **how)
        ours.witness(ours.time)

    patch.setattr(StateExchange, "merge", witness)


@bug("Stamps from the far future are believed.", scripts.POISON, ClocksDoNotRunAway)
def believes_any_stamp(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LamportClock, "is_absurd", lambda self, stamp: False)
