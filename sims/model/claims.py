"""Applies claims, whole arrays at once: the rules of ``swim.core.precedence`` and of suspicions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sims.model.calendar import Array
from sims.model.state import ALIVE, DEAD, NO_NODE, SUSPECT, State
from swim.core.suspicion import remaining

__all__ = ["Claims", "Columns"]

_EXPIRY = 4
_UNIT = 1e9


class Columns(NamedTuple):
    """Claims in flight, one array per field: arrival time and place, content, sender."""

    times: Array
    places: Array
    kinds: Array
    incarnations: Array
    accusers: Array
    origins: Array

    def only(self, chosen: Array) -> Columns:
        """The rows that a mask or an index array picks."""
        return Columns(*(column[chosen] for column in self))


class Claims:
    """Applies claims to the views. No two arrive at the same time; those for one place apply in order."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.poke: Callable[[Array, Array], None]
        """``poke(times, nodes)``: something was queued there."""
        kills, updates = state.setup.kills, state.setup.updates
        living = state.n - kills
        self.missing = state.runs * (kills * living + updates * (living - 1))
        """How many (row, node) have yet to learn of the kills and updates."""
        wanted = state.wanted
        self._share = np.array([remaining(c, max(wanted, 1), 0, 0, _UNIT) / _UNIT for c in range(wanted + 1)])

    def send(self, columns: Columns) -> None:
        """Sends claims, but only those that can still change a view, since a view never forgets."""
        useful = self._matters(columns)
        if useful.any():
            self._state.calendar.file("arrival", *columns.only(useful))

    def take_in(self) -> None:
        """Applies all claims that arrive in the current bucket."""
        due = self._state.calendar.take("arrival")
        if due is None:
            return
        columns = Columns(*due)
        columns = columns.only(np.argsort(columns.times, kind="stable"))
        while True:
            columns = columns.only(self._matters(columns))
            if not len(columns.times):
                return
            _, first = np.unique(columns.places, return_index=True)
            self._apply(columns.only(first))
            rest = np.ones(len(columns.times), bool)
            rest[first] = False
            columns = columns.only(rest)

    # -- which claims do anything

    def _matters(self, columns: Columns) -> Array:
        state = self._state
        places, kinds = columns.places, columns.kinds
        view, known = state.state[places], state.incarnation[places]
        newer = columns.incarnations > known
        older = columns.incarnations < known
        alive = (kinds == ALIVE) & newer
        suspect = (kinds == SUSPECT) & ~older & (view != DEAD)
        confirms = suspect & (view == SUSPECT)
        if confirms.any():
            which = np.flatnonzero(confirms)
            suspect[which] = self._is_news(places[which], columns.accusers[which])
        dead = (kinds == DEAD) & ~older & (view != DEAD)
        expiry = (kinds == _EXPIRY) & (view == SUSPECT) & (state.deadline[places] == columns.times)
        # A node that has the refutation answers nodes that still accuse.
        stale = (kinds != ALIVE) & older & (view == ALIVE) & (columns.origins >= 0)
        useful: Array = (alive | suspect | dead | expiry | stale) & state.up[places % state.total]
        return useful

    def _is_news(self, places: Array, accusers: Array) -> Array:
        state = self._state
        fresh = state.confirmed[places] < state.wanted
        for known in state.accusers:
            fresh &= known[places] != accusers
        return fresh

    # -- what they do

    def _apply(self, columns: Columns) -> None:
        state = self._state
        kinds = columns.kinds
        older = columns.incarnations < state.incarnation[columns.places]
        accusing = (kinds == SUSPECT) | (kinds == DEAD)
        stale = accusing & older
        about_self = accusing & ~older & state.is_subject(columns.places)
        suspect = (kinds == SUSPECT) & ~older & ~about_self
        view = state.state[columns.places]
        dead = ((kinds == DEAD) & ~older & ~about_self) | (kinds == _EXPIRY)
        for chosen, act in (
            (stale, self._correct),
            (about_self, self._refute),
            (suspect & (view == ALIVE), self._suspect),
            (suspect & (view == SUSPECT), self._confirm),
            (dead, self._bury),
            (kinds == ALIVE, self._revive),
        ):
            if chosen.any():
                act(columns.only(chosen))

    def _suspect(self, columns: Columns) -> None:
        state, places, times = self._state, columns.places, columns.times
        state.state[places] = SUSPECT
        state.incarnation[places] = columns.incarnations
        state.started[places] = times
        state.accusers[:, places] = NO_NODE
        state.accusers[0, places] = columns.accusers
        state.confirmed[places] = 0
        low = np.full(len(places), state.shortest)
        if state.config.awareness_stretches_suspicion:
            low = np.minimum(low * (state.score[places % state.total] + 1), state.longest)
        state.low[places] = low
        state.suspected_at[places] = np.minimum(state.suspected_at[places], times)
        self._count_healthy("suspicions", places)
        self._expect(places, times + (state.longest if state.wanted else low))
        self.queue(columns)

    def _confirm(self, columns: Columns) -> None:
        state, places = self._state, columns.places
        state.confirmed[places] += 1
        confirmed = state.confirmed[places]
        state.accusers[confirmed, places] = columns.accusers
        low = state.low[places]
        seconds = np.maximum(low, low + self._share[confirmed] * (state.longest - low))
        self._expect(places, np.maximum(columns.times, state.started[places] + seconds))
        self.queue(columns)

    def _expect(self, places: Array, deadlines: Array) -> None:
        state = self._state
        state.deadline[places] = deadlines
        kinds = np.full(len(places), _EXPIRY, np.int8)
        no_node = np.full(len(places), NO_NODE, np.int32)
        state.calendar.file(
            "arrival", *Columns(deadlines, places, kinds, state.incarnation[places], no_node, no_node)
        )

    def _bury(self, columns: Columns) -> None:
        state, places = self._state, columns.places
        state.state[places] = DEAD
        state.incarnation[places] = columns.incarnations
        state.deadline[places] = np.inf
        fresh = np.isinf(state.failed_at[places])
        state.failed_at[places[fresh]] = columns.times[fresh]
        self.missing -= len(places) - self._count_healthy("failures", places)
        self.queue(columns._replace(kinds=np.full(len(places), DEAD, np.int8)))

    def _count_healthy(self, what: str, places: Array) -> int:
        """Counts false positives: places about running members that are declared failed. Returns how many."""
        state = self._state
        healthy = places[places >= state.setup.kills * state.total]
        state.count(what, healthy % state.total)
        return len(healthy)

    def _revive(self, columns: Columns) -> None:
        state, places = self._state, columns.places
        state.state[places] = ALIVE
        state.incarnation[places] = columns.incarnations
        state.deadline[places] = np.inf
        fresh = np.isinf(state.informed_at[places])
        state.informed_at[places[fresh]] = columns.times[fresh]
        row = places[fresh] // state.total
        kills = state.setup.kills
        self.missing -= int(np.count_nonzero((row >= kills) & (row < kills + state.setup.updates)))
        self.queue(columns)

    def _refute(self, columns: Columns) -> None:
        """The accused member raises its incarnation (memberlist's refute)."""
        state, places = self._state, columns.places
        nodes = places % state.total
        state.incarnation[places] = columns.incarnations + 1
        state.score[nodes] = np.minimum(state.score[nodes] + 1, state.config.awareness_max_multiplier - 1)
        state.count("refutations", nodes)
        self.announce(columns.times, places)

    def announce(self, times: Array, places: Array) -> None:
        """Members queue their own alive claims."""
        state = self._state
        no_node = np.full(len(places), NO_NODE, np.int32)
        kinds = np.full(len(places), ALIVE, np.int8)
        self.queue(Columns(times, places, kinds, state.incarnation[places], no_node, no_node))

    def _correct(self, columns: Columns) -> None:
        state, places = self._state, columns.places
        nodes = places % state.total
        kinds = np.full(len(places), ALIVE, np.int8)
        back = places - nodes + columns.origins
        lost = state.draw_loss(len(places))
        arrive = columns.times + state.draw_latency(len(places))
        state.count("corrections", nodes)
        answer = Columns(
            arrive, back, kinds, state.incarnation[places], columns.accusers, nodes.astype(np.int32)
        )
        self.send(answer.only(~lost))

    def queue(self, columns: Columns) -> None:
        """Queues the claims where they are, each in the place of the last one about the same member."""
        state, places = self._state, columns.places
        state.kind[places] = columns.kinds
        state.claimed[places] = columns.incarnations
        state.accuser[places] = columns.accusers
        state.origin[places] = columns.origins
        state.transmits[places] = 0
        self.poke(columns.times, places % state.total)
