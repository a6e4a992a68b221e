"""Which member each node probes, and when: in random orders or in turn, as ``swim.core.table`` has it."""

from __future__ import annotations

import numpy as np

from sims.model.calendar import Array
from sims.model.state import DEAD, NO_NODE, State

__all__ = ["Interleaved", "RandomOrders"]

_NEVER = int(np.iinfo(np.int32).max)
_DRAWS_MAX = 64
_TOLERANCE = 1e-9


class RandomOrders:
    """Every member is probed once in a cycle of n - 1 rounds, in a separate order at each prober.

    The rounds that probe rows are drawn when a cycle begins; the others probe random members without a row.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._interval = state.config.probe_interval
        total, n = state.total, state.n
        self._round = np.zeros(total, np.int32)
        cursor = state.rng.integers(0, n - 1, total, dtype=np.int32)
        self._cycle_end = (n - 1 - cursor).astype(np.int32)
        meets = self._order(np.arange(total)) - cursor
        self._meets = np.where(meets >= 0, meets, _NEVER).astype(np.int32)

    def first(self) -> Array:
        """When each node's first round begins."""
        return self._state.rng.uniform(0, self._interval, self._state.total)

    def after(self, nodes: Array, times: Array, ends: Array) -> Array:
        """When nodes begin their next rounds after those that began at ``times`` and are over at ``ends``."""
        steps: Array = np.maximum(1, np.floor((ends - times) / self._interval + _TOLERANCE))
        return times + steps * self._interval

    def rows(self, nodes: Array) -> Array:
        """The row that each node probes in this round, ``NO_NODE`` if none; counts the round."""
        state = self._state
        number = self._round[nodes]
        over = number >= self._cycle_end[nodes]
        if over.any():
            self._new_cycle(nodes[over])
        rows = np.full(len(nodes), NO_NODE, np.int64)
        row, met = np.nonzero(self._meets.take(nodes, axis=1) == number)
        due = (state.state[row * state.total + nodes[met]] != DEAD) & (state.row_of[nodes[met]] != row)
        rows[met[due]] = row[due]
        self._round[nodes] = number + 1
        return rows

    def targets(self, nodes: Array, rows: Array) -> Array:
        """The member that each node probes: its row's member, or a random one without a row."""
        state, n = self._state, self._state.n
        runs = nodes // n
        targets = np.where(rows == NO_NODE, NO_NODE, state.subject[np.maximum(rows, 0), runs])
        open_ = np.flatnonzero(rows == NO_NODE)
        for _ in range(_DRAWS_MAX if state.rows < n - 1 else 0):
            if not len(open_):
                break
            draw = state.rng.integers(0, n - 1, len(open_))
            draw += draw >= nodes[open_] % n
            draw += runs[open_] * n
            fits = state.row_of[draw] == NO_NODE
            targets[open_[fits]] = draw[fits]
            open_ = open_[~fits]
        return targets

    def _new_cycle(self, nodes: Array) -> None:
        state = self._state
        start = self._round[nodes]
        known_dead = (state.state.reshape(state.rows, state.total).take(nodes, axis=1) == DEAD).sum(axis=0)
        self._meets[:, nodes] = start + self._order(nodes)
        self._cycle_end[nodes] = start + np.maximum(state.n - 1 - known_dead, 1)

    def _order(self, nodes: Array) -> Array:
        """In which of a cycle's n - 1 rounds each node probes each row; its own row is ignored."""
        state, n = self._state, self._state.n
        if state.rows < n:
            return state.distinct(len(nodes), n - 1, state.rows).astype(np.int32)
        places = state.distinct(len(nodes), n, n).astype(np.int32)
        own = places[state.row_of[nodes], np.arange(len(nodes))]
        after: Array = places - (places > own)
        return after


class Interleaved:
    """Members are probed in turn, as in ``swim.core.ranks``; each run begins at a random time of its clock.

    A node's rank is its number. That members may have their turn before it is theirs is left out: it matters
    only where members come and go more often than each is probed.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._interval = state.config.probe_interval
        begin = state.rng.uniform(0, 1e6, state.runs)
        self._begin = begin[np.arange(state.total) // state.n]
        self._period = np.zeros(state.total, np.int64)
        self._target = np.zeros(state.total, np.int64)

    def first(self) -> Array:
        """When each node's first round begins."""
        nodes, start = np.arange(self._state.total), np.zeros(self._state.total)
        self._period = self._latest(nodes, start)
        return self.after(nodes, start, start)

    def after(self, nodes: Array, times: Array, ends: Array) -> Array:
        """When nodes begin their next rounds after those that began at ``times`` and are over at ``ends``."""
        period = np.maximum(self._period[nodes] + 1, self._latest(nodes, ends))
        self._period[nodes] = period
        phase, _ = self._turn(nodes, period)
        moment: Array = (period + phase - self._begin[nodes]) * self._interval
        return moment

    def rows(self, nodes: Array) -> Array:
        """The row that each node probes in this round, ``NO_NODE`` if its target has none."""
        _, targets = self._turn(nodes, self._period[nodes])
        self._target[nodes] = targets
        rows: Array = self._state.row_of[targets]
        return rows

    def targets(self, nodes: Array, rows: Array) -> Array:
        """The member that each node probes."""
        targets: Array = self._target[nodes]
        return targets

    def _latest(self, nodes: Array, now: Array) -> Array:
        """The latest period in which each node's moment has come."""
        number, part = np.divmod(now / self._interval + self._begin[nodes] + _TOLERANCE, 1.0)
        period = number.astype(np.int64)
        phase, _ = self._turn(nodes, period)
        return period - (phase > part)

    def _turn(self, nodes: Array, period: Array) -> tuple[Array, Array]:
        """The part of a period at which each node probes, and whom; members it holds dead have no rank."""
        state, n = self._state, self._state.n
        own = nodes % n
        is_dead = state.state.reshape(state.rows, state.total).take(nodes, axis=1) == DEAD
        dead = np.where(is_dead, state.subject[:, nodes // n] % n, n)
        dead = np.sort(dead, axis=0)[: is_dead.sum(axis=0).max(initial=0)]
        live = n - (dead < n).sum(axis=0)
        rank = own - (dead < own).sum(axis=0)
        turn = (rank + 1 + period % np.maximum(live - 1, 1)) % live
        target = turn.copy()
        for gone in dead:
            target += gone <= target
        return turn / live, target + nodes - own
