"""Probe rounds: which member is probed when, what the network delivers, and what the prober concludes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sims.model.calendar import Array
from sims.model.claims import Claims, Columns
from sims.model.order import Interleaved, RandomOrders
from sims.model.spread import Spread
from sims.model.state import ALIVE, DEAD, NO_NODE, SUSPECT, State
from swim.core.ping_responder import nack_patience
from swim.core.prober import CONNECT_SHARE
from swim.core.refusals import TOLD_DIRECTLY

__all__ = ["Probing"]


class _Rounds(NamedTuple):
    """Probe rounds: start, prober, target, and the target's row, ``NO_NODE`` if it has none."""

    times: Array
    nodes: Array
    targets: Array
    places: Array

    def only(self, chosen: Array) -> _Rounds:
        return _Rounds(*(column[chosen] for column in self))


class Probing:
    """Runs all nodes' probe rounds, as ``swim.core.prober`` and ``swim.core.ping_responder`` do."""

    def __init__(self, state: State, claims: Claims, spread: Spread) -> None:
        self._state, self._claims, self._spread = state, claims, spread
        self._interval = state.config.probe_interval
        self._order = (Interleaved if state.config.interleaved_probes else RandomOrders)(state)
        self._file(self._order.first(), np.arange(state.total))

    def _again(self, nodes: Array, times: Array, ends: Array) -> None:
        """Files the next rounds of nodes whose rounds began at ``times`` and are over at ``ends``."""
        self._file(self._order.after(nodes, times, ends), nodes)

    def _file(self, times: Array, nodes: Array) -> None:
        grid = self._state.config.probe_alignment
        if grid:
            times = np.ceil(times / grid - 1e-6) * grid
        self._state.calendar.file("probe", times, nodes)

    # -- whom to probe

    def begin(self) -> None:
        """Begins the rounds that are due in the current bucket."""
        state = self._state
        due = state.calendar.take("probe")
        if due is None:
            return
        times, nodes = due
        running = state.up[nodes]
        times, nodes = times[running], nodes[running]
        state.count("probes", nodes)
        rows = self._order.rows(nodes)
        if not state.setup.loss and not state.is_busy:
            # Nothing is piggybacked, and members without a row answer.
            met = rows != NO_NODE
            state.score[nodes[~met]] = np.maximum(state.score[nodes[~met]] - 1, 0)
            self._again(nodes[~met], times[~met], times[~met])
            times, nodes, rows = times[met], nodes[met], rows[met]
        targets = self._order.targets(nodes, rows)
        idle = targets == NO_NODE
        self._again(nodes[idle], times[idle], times[idle])
        if not idle.all():
            places = np.where(rows == NO_NODE, NO_NODE, rows * state.total + nodes)
            self._probe(_Rounds(times, nodes, targets, places).only(~idle))

    # -- one round

    def _probe(self, rounds: _Rounds) -> None:
        state = self._state
        acked = self._ping(rounds)
        nodes = rounds.nodes[acked]
        state.score[nodes] = np.maximum(state.score[nodes] - 1, 0)
        self._again(nodes, rounds.times[acked], rounds.times[acked])
        if not acked.all():
            self._ask_relays(rounds.only(~acked))

    def _ping(self, rounds: _Rounds) -> Array:
        """The ping and its ack, each with piggybacked claims; which rounds were acked."""
        state = self._state
        times, nodes, targets, places = rounds
        there = times + state.draw_latency(len(nodes))
        arrived = state.up[targets] & ~state.draw_loss(len(nodes))
        suspected = (places != NO_NODE) & (state.state[places] == SUSPECT)
        if state.config.buddy_system and suspected.any():
            self._accuse(there, nodes, targets, suspected & arrived)
            riding = ~suspected
            self._spread.carry(there[riding], nodes[riding], targets[riding], ~arrived[riding])
        else:
            self._spread.carry(there, nodes, targets, ~arrived)
        back = there + state.draw_latency(len(nodes))
        returned = arrived & ~state.draw_loss(len(nodes))
        doubted = arrived & (state.view(targets, nodes) != ALIVE)
        if state.config.buddy_system and doubted.any():
            self._accuse(back, targets, nodes, doubted & returned)
        riding = arrived & ~doubted
        self._spread.carry(back[riding], targets[riding], nodes[riding], ~returned[riding])
        state.count("acks", targets[arrived])
        return returned

    def _accuse(self, arrive: Array, accusers: Array, accused: Array, chosen: Array) -> None:
        """Sends members the accusation against them, in the same packet."""
        state = self._state
        accusers, accused = accusers[chosen], accused[chosen]
        base = state.row_of[accused] * state.total
        origins = accusers.astype(np.int32)
        view, incarnation = state.state[base + accusers], state.incarnation[base + accusers]
        self._claims.send(Columns(arrive[chosen], base + accused, view, incarnation, origins, origins))

    def _ask_relays(self, rounds: _Rounds) -> None:
        """No ack in time: tries relays and a stream, then ends the round with its outcome."""
        state, config = self._state, self._state.config
        times, nodes, targets, places = rounds
        asked = times + (config.probe_timeout_min if config.measured_timeouts else config.probe_timeout)
        end = times + self._interval * (state.score[nodes].astype(float) + 1)
        heard = np.full(len(nodes), np.inf)
        last_nack = np.full(len(nodes), -np.inf)
        expected, nacks = np.zeros(len(nodes), np.int8), np.zeros(len(nodes), np.int8)

        def refuses(positions: Array, candidates: Array) -> Array:
            unfit: Array = state.view(nodes[positions], candidates) != ALIVE
            unfit |= candidates == targets[positions]
            return unfit

        for relays in self._spread.pick(nodes, config.indirect_checks, refuses):
            chosen = np.flatnonzero(relays != NO_NODE)
            expected[chosen] += 1
            relayed = self._relay(asked[chosen], nodes[chosen], relays[chosen], targets[chosen])
            acked_at, nacked_at = relayed
            heard[chosen] = np.minimum(heard[chosen], acked_at)
            in_time = nacked_at <= end[chosen]
            nacks[chosen] += in_time
            last_nack[chosen] = np.maximum(last_nack[chosen], np.where(in_time, nacked_at, -np.inf))
        streamed, refused, broken = self._stream(asked, targets, end)
        acked = (heard < end) | streamed
        early = (expected > 0) & (nacks == expected) & np.isfinite(broken) & config.early_suspicion
        failed_at = np.where(early, np.minimum(np.maximum(last_nack, broken), end), end)
        when = np.where(heard < end, heard, np.where(streamed, end, failed_at))
        delta = np.where(acked, -1, np.where(expected > 0, expected - nacks, 1)).astype(np.int8)
        accused = np.where(acked, NO_NODE, places)
        state.calendar.file("outcome", when, nodes, accused, state.incarnation[np.maximum(places, 0)], delta)
        gone = np.isfinite(refused) & (accused != NO_NODE)
        if config.restart_grace and gone.any():
            self._refused(_Rounds(np.maximum(when, refused + config.restart_grace), *rounds[1:]).only(gone))
        self._again(nodes, times, when)

    def _refused(self, rounds: _Rounds) -> None:
        """Hosts that refuse streams until the rounds' times: the suspicions of their members end then.

        The probers send this to many members directly.
        """
        times, nodes, _, places = rounds
        self._announce(times, places, nodes)
        state, n = self._state, self._state.n
        for others in state.distinct(len(nodes), n, min(n, TOLD_DIRECTLY)):
            there = others + nodes - nodes % n
            arrive = times + state.draw_latency(len(nodes))
            heard = ~state.draw_loss(len(nodes))
            self._announce(arrive[heard], (places - nodes + there)[heard], nodes[heard])

    def _announce(self, times: Array, places: Array, accusers: Array) -> None:
        kinds, incarnations = np.full(len(times), DEAD, np.int8), self._state.incarnation[places]
        no_node = np.full(len(times), NO_NODE, np.int32)
        self._claims.send(Columns(times, places, kinds, incarnations, accusers.astype(np.int32), no_node))

    def _relay(self, asked: Array, nodes: Array, relays: Array, targets: Array) -> tuple[Array, Array]:
        """One relay for each round: the times of its ack and its nack; infinite if never."""
        state, config, carry = self._state, self._state.config, self._spread.carry
        count = len(nodes)
        lost = [state.draw_loss(count) for _ in range(4)]
        at_relay = asked + state.draw_latency(count)
        got = state.up[relays] & ~lost[0]
        carry(at_relay, nodes, relays, ~got)
        at_target = at_relay + state.draw_latency(count)
        reached = got & state.up[targets] & ~lost[1]
        carry(at_target[got], relays[got], targets[got], ~reached[got])
        back = at_target + state.draw_latency(count)
        answered = reached & ~lost[2]
        carry(back[reached], targets[reached], relays[reached], ~answered[reached])
        home = np.where(answered, back, at_relay + nack_patience(config)) + state.draw_latency(count)
        carry(home[got], relays[got], nodes[got], lost[3][got])
        state.count("relayed", np.concatenate((nodes, relays[got], targets[reached], relays[got])))
        arrived = got & ~lost[3]
        never = np.full(count, np.inf)
        return np.where(arrived & answered, home, never), np.where(arrived & ~answered, home, never)

    def _stream(self, asked: Array, targets: Array, end: Array) -> tuple[Array, Array, Array]:
        """The stream ping: whether it was acked in time; when it was refused, and failed (or infinite)."""
        state, never = self._state, np.full(len(targets), np.inf)
        if state.config.disable_tcp_pings:
            return np.zeros(len(targets), bool), never, never
        there, back = self._spread.stream_delay(len(targets)), self._spread.stream_delay(len(targets))
        up, answers_at = state.up[targets], asked + 2 * there
        connect_by = asked + CONNECT_SHARE * (end - asked) if state.config.early_suspicion else end
        answers = (up | (not state.setup.silent)) & (answers_at <= connect_by)
        refused = np.where(answers & ~up, answers_at, never)
        acked = answers & up & (asked + 3 * there + back < end)
        return acked, refused, np.where(answers, refused, connect_by)

    # -- the outcome

    def conclude(self) -> None:
        """Carries out the outcomes in the current bucket: adjusts health scores, accuses failed targets."""
        state = self._state
        due = state.calendar.take("outcome")
        if due is None:
            return
        times, nodes, places, incarnations, delta = due
        score = state.score[nodes] + delta
        state.score[nodes] = np.clip(score, 0, state.config.awareness_max_multiplier - 1)
        accusing = places != NO_NODE
        nodes, places = nodes[accusing], places[accusing]
        state.count("accusations", nodes[state.up[state.subject[places // state.total, nodes // state.n]]])
        kinds = np.full(len(nodes), SUSPECT, np.int8)
        no_node = np.full(len(nodes), NO_NODE, np.int32)
        own = nodes.astype(np.int32)
        self._claims.send(Columns(times[accusing], places, kinds, incarnations[accusing], own, no_node))
