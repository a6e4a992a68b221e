"""How claims spread: gossip rounds, piggybacking, and push/pull."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sims.model.calendar import Array
from sims.model.claims import Claims, Columns
from sims.model.state import ALIVE, NO_NODE, SUSPECT, State
from sims.world.network import RETRANSMISSION_SECONDS, RETRANSMISSIONS_MAX

__all__ = ["Spread"]

_SCAN_UP_TO = 24
_DRAWS_MAX = 64


class Spread:
    """Sends queued claims, as ``swim.core.gossip`` and ``swim.core.push_pull`` do."""

    def __init__(self, state: State, claims: Claims) -> None:
        self._state = state
        self._claims = claims
        claims.poke = self._poke
        if state.config.push_pull_interval:
            nodes = np.arange(state.total)
            first = state.rng.uniform(0, state.sync_interval, state.total)
            state.calendar.file("sync", first, nodes)

    # -- gossip

    def _poke(self, times: Array, nodes: Array) -> None:
        """Schedules gossip rounds where something was queued."""
        state, config = self._state, self._state.config
        if not config.gossip_interval or not config.gossip_nodes:
            return
        idle = np.isinf(state.armed[nodes])
        nodes, first = np.unique(nodes[idle], return_index=True)
        delay = config.eager_gossip_delay if config.eager_gossip_delay >= 0 else config.gossip_interval
        armed = np.maximum(times[idle][first] + delay, state.last_round[nodes] + config.gossip_interval)
        state.armed[nodes] = armed
        state.calendar.file("gossip", armed, nodes)

    def gossip(self) -> None:
        """Runs the gossip rounds that are due in the current bucket."""
        state = self._state
        due = state.calendar.take("gossip")
        if due is None:
            return
        times, nodes = due
        state.armed[nodes] = np.inf
        state.last_round[nodes] = times
        busy = state.up[nodes] & self.is_pending(nodes)
        times, nodes = times[busy], nodes[busy]
        for targets in self.pick(nodes, state.config.gossip_nodes, None):
            sent = targets != NO_NODE
            arrive = times[sent] + state.draw_latency(int(sent.sum()))
            carried = self.carry(arrive, nodes[sent], targets[sent], state.draw_loss(len(arrive)))
            state.count("gossip", nodes[sent][carried])
        still = self.is_pending(nodes)
        self._poke(times[still], nodes[still])

    def is_pending(self, nodes: Array) -> Array:
        """Whether each node has anything queued."""
        pending: Array = np.any(self._queued(nodes), axis=0)
        return pending

    def _queued(self, nodes: Array) -> Array:
        """The kind of the queued claim, by row and node."""
        state = self._state
        return state.kind.reshape(state.rows, state.total).take(nodes, axis=1)

    def carry(self, arrive: Array, senders: Array, receivers: Array, lost: Array) -> Array:
        """Piggybacks the sender's queued claims on one packet per pair.

        Args:
            arrive: when each packet arrives, seconds.
            senders: nodes.
            receivers: nodes.
            lost: packets that do not arrive; they still count as transmits.

        Returns:
            Which packets carried anything.
        """
        state = self._state
        carried = np.zeros(len(senders), bool)
        rows, chosen = np.nonzero(self._queued(senders))
        places = rows * state.total + senders[chosen]
        news = state.origin[places] != receivers[chosen]
        rows, chosen, places = rows[news], chosen[news], places[news]
        if not len(chosen):
            return carried
        carried[chosen] = True
        columns = Columns(
            arrive[chosen],
            rows * state.total + receivers[chosen],
            state.kind[places],
            state.claimed[places],
            state.accuser[places],
            senders[chosen].astype(np.int32),
        )
        self._charge(places, senders[chosen], receivers[chosen])
        gone = lost[chosen]
        self._claims.send(columns.only(~gone) if gone.any() else columns)
        return carried

    def _charge(self, places: Array, senders: Array, receivers: Array) -> None:
        """Counts a transmit, except to members that the sender holds dead."""
        state = self._state
        live = state.view(senders, receivers) <= SUSPECT
        places = places[live]
        np.add.at(state.transmits, places, np.int16(1))
        spent = state.transmits[places] >= state.limit
        state.kind[places[spent]] = 0

    # -- choosing

    def pick(self, nodes: Array, count: int, refuses: Callable[[Array, Array], Array] | None) -> list[Array]:
        """``count`` distinct random others for each node, ``NO_NODE`` where there are not enough.

        Args:
            nodes: the nodes that choose.
            count: how many.
            refuses: ``refuses(positions, candidates)``: which are not eligible for ``nodes[positions]``.
        """
        n = self._state.n
        if n <= _SCAN_UP_TO or n < 3 * count:
            return self._pick_by_scan(nodes, count, refuses)
        own = nodes % n
        first = nodes - own
        picked: list[Array] = []
        for _ in range(count):
            chosen = np.full(len(nodes), NO_NODE)
            open_ = np.arange(len(nodes))
            for _ in range(_DRAWS_MAX):
                draw = self._state.rng.integers(0, n - 1, len(open_))
                draw += draw >= own[open_]
                draw += first[open_]
                chosen[open_] = draw
                again = np.zeros(len(open_), bool)
                for other in picked:
                    again |= other[open_] == draw
                if refuses is not None:
                    again |= refuses(open_, draw)
                chosen[open_[again]] = NO_NODE
                open_ = open_[again]
                if not len(open_):
                    break
            picked.append(chosen)
        return picked

    def _pick_by_scan(
        self, nodes: Array, count: int, refuses: Callable[[Array, Array], Array] | None
    ) -> list[Array]:
        n = self._state.n
        own = nodes % n
        keys = self._state.rng.random((len(nodes), n))
        positions = np.arange(len(nodes))
        keys[positions, own] = np.inf
        if refuses is not None:
            candidates = (nodes - own)[:, None] + np.arange(n)
            out = refuses(np.repeat(positions, n), candidates.ravel())
            keys[out.reshape(keys.shape)] = np.inf
        order = np.argsort(keys, axis=1)
        picked = []
        for slot in range(min(count, n - 1)):
            found = order[:, slot]
            absent = np.isinf(keys[positions, found])
            picked.append(np.where(absent, NO_NODE, nodes - own + found))
        return picked

    # -- push/pull

    def sync(self) -> None:
        """Runs the push/pulls that begin in the current bucket, in both directions."""
        state = self._state
        due = state.calendar.take("sync")
        if due is None:
            return
        times, nodes = due
        state.calendar.file("sync", times + state.sync_interval, nodes)
        running = state.up[nodes]
        times, nodes = times[running], nodes[running]

        def refuses(positions: Array, candidates: Array) -> Array:
            unfit: Array = state.view(nodes[positions], candidates) != ALIVE
            return unfit

        [peers] = self.pick(nodes, 1, refuses)
        reached = (peers != NO_NODE) & state.up[np.maximum(peers, 0)]
        times, nodes, peers = times[reached], nodes[reached], peers[reached]
        state.count("exchanges", nodes)
        there, back = self.stream_delay(len(nodes)), self.stream_delay(len(nodes))
        self._tell_all(times + 3 * there, nodes, peers)
        self._tell_all(times + 3 * there + back, peers, nodes)

    def _tell_all(self, arrive: Array, sources: Array, targets: Array) -> None:
        """Sends whole views; a dead record in them only raises the receiver's own suspicion."""
        state = self._state
        for row in range(state.rows):
            seen, known = row * state.total + sources, row * state.total + targets
            view, incarnation = state.state[seen], state.incarnation[seen]
            news = np.isfinite(arrive) & (incarnation >= state.incarnation[known])
            news &= (incarnation > state.incarnation[known]) | (view != ALIVE)
            if not news.any():
                continue
            self._claims.send(
                Columns(
                    arrive,
                    known,
                    np.where(view == ALIVE, ALIVE, SUSPECT).astype(np.int8),
                    incarnation,
                    targets.astype(np.int32),
                    sources.astype(np.int32),
                ).only(news)
            )

    def stream_delay(self, count: int) -> Array:
        """Seconds that these segments of streams take, with retransmissions; infinite if they are lost."""
        state = self._state
        delay = state.draw_latency(count)
        loss = state.setup.loss
        if loss:
            tries = state.rng.geometric(1 - loss, count) - 1
            delay += RETRANSMISSION_SECONDS * (2.0**tries - 1)
            delay[tries > RETRANSMISSIONS_MAX] = np.inf
        return delay
