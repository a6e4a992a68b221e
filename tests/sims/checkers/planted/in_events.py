"""Planted in how user events spread and reach the application."""

from __future__ import annotations

from typing import Any

import pytest

from sims.checkers import UserEventsComeOnce, UserEventsReachAll
from swim import events
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


@bug("Of two events with one stamp only the first is taken.", scripts.EVENTS, UserEventsReachAll)
def takes_one_event_of_a_stamp(patch: pytest.MonkeyPatch) -> None:
    admit = RecentRing.admit

    def first(self: Any, ltime: int, key: Any) -> bool:
        return ltime not in self._slots and admit(self, ltime, key)

    patch.setattr(RecentRing, "admit", first)
