"""Reconnects: dials seeds and failed members that are not alive again, at a jittered interval.

memberlist forgets dead members, and Serf gives up after a day; two halves of a healed partition then stay
apart. Here every seed (a name, resolved again each time) stays a candidate for ever, and a failed member for
seven days (the latest 1,024). The whole cluster shares one budget: the first live member by name dials one
candidate per interval, and all others together one per four intervals, in case the first cannot reach it. So
lost members cost about two dials a minute, however large the cluster.

A node that starts with a snapshot first asks its past members, a few at a time, until one has answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from swim.addresses import Endpoint, join_host_port, parse_address
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.output import Lookup
from swim.core.pings import Outstanding, Pings
from swim.core.purposes import Reconnecting
from swim.core.push_pull import PushPulls
from swim.core.seeds import Seeds
from swim.core.timers import Timer, TimerKind
from swim.detection import SeedStatus
from swim.errors import ConfigError
from swim.wire.codec import encode
from swim.wire.messages import Ack

__all__ = ["PAST_MAX", "Reconnects"]

PAST_MAX = 1024
"""Past members remembered; of more, those lost first are forgotten."""
_PAST_SECONDS = 7 * 24 * 3600.0
_STAND_IN = 4
"""All members but the first together dial this many times less often than the first, which may not know of a
candidate. Each does so in turn, so that none is looked for by luck alone."""
_BACKOFF = 1.2
"""A node alone makes each interval that many times longer than the last, up to ``rejoin_interval``."""
_ASKED_AT_ONCE = 3
"""Members of the last run that are asked at once, per ``probe_timeout``."""


class _Past(NamedTuple):
    endpoint: Endpoint
    since: float


class _Lost(NamedTuple):
    """The purpose of a ping to a past member that never acked: until it does, no stream goes there."""

    name: str


class Reconnects:
    """Remembers lost members; when it is this node's turn, dials one of them and one seed."""

    def __init__(self, context: Context, push_pulls: PushPulls, gossip: Gossip, pings: Pings) -> None:
        self._context = context
        self._push_pulls = push_pulls
        self._gossip = gossip
        self._pings = pings
        pings.register(_Lost, self._answered, expired=lambda now, lost: None)
        self.changed: Callable[[str, Endpoint | None], None] = lambda name, endpoint: None
        """Called when a past member is looked for at an endpoint, and when it no longer is (None)."""
        self._past: dict[str, _Past] = {}
        self._seed_endpoints: dict[str, tuple[Endpoint, ...]] = {}
        self._literals: set[str] = set()
        self._looked_up: set[str] = set()
        self._armed: float | None = None
        self._high_water = 1
        self._interval_alone = context.config.rejoin_interval_alone
        self._passed: int | None = None
        self._seeds = Seeds(context.config.seeds)
        for seed in context.config.seeds:
            self._learn_literal(seed)
        self._next_try = context.timers.kind(TimerKind.RECONNECT, self._try, lambda at: at == self._armed)
        self._unasked: list[str] = []
        self._next_ask: Timer[None] = context.timers.kind(
            TimerKind.RETURN, lambda now, _: self._ask(now), lambda _: bool(self._unasked)
        )

    def arm(self, now: float) -> None:
        """Schedules the next attempt if any member or seed is missing; sooner if the table shrank."""
        context = self._context
        live = context.table.live
        self._seeds.settle(now, self._is_satisfied)
        self._high_water = max(self._high_water, live)
        if not context.config.rejoin_interval or context.status != "running" or not self._is_anyone_missing():
            self._armed = None
            return
        shrank = self._high_water - live >= 2 and 4 * live <= 3 * self._high_water
        config = context.config
        if context.has_peers:
            self._interval_alone = config.rejoin_interval_alone
            mean = config.rejoin_interval_alone if shrank else config.rejoin_interval
        else:
            mean = self._interval_alone
        due = now + context.rng.uniform(0.5, 1.5) * mean
        if self._armed is None or due < self._armed:
            self._armed = due
            context.timers.at(due, self._next_try, due)

    def returned(self, now: float, *groups: Mapping[str, Endpoint]) -> None:
        """The node starts with the members of its last run; those of the first group are asked first."""
        for group in reversed(groups):
            names = [name for name, at in group.items() if self._may_ask(name, at)]
            for name in names:
                self.lost(now, name, group[name])
            self._context.rng.shuffle(names)
            self._unasked += names
        if self._context.config.rejoin_interval:
            self._ask(now)

    def lost(self, now: float, name: str, endpoint: Endpoint) -> None:
        """A member seen first-hand failed: it is a candidate until it is back, leaves or is forced out."""
        self._past.pop(name, None)
        if len(self._past) >= PAST_MAX:
            self.forget(next(iter(self._past)))
        self._past[name] = _Past(endpoint, now)
        self.changed(name, endpoint)
        self.arm(now)

    def forget(self, name: str) -> None:
        """Drops a member that is back, left, or was forced out by an operator."""
        if self._past.pop(name, None) is not None:
            self.changed(name, None)

    @property
    def remembered(self) -> int:
        """How many past members are looked for."""
        return len(self._past)

    def candidates(self) -> dict[str, Endpoint]:
        """Past members that are dialled, by name."""
        return {name: past.endpoint for name, past in self._past.items()}

    def ended(self, now: float, purpose: Reconnecting, error: str) -> None:
        """A push/pull of an attempt ended; ``error`` is empty if it succeeded."""
        error = error and f"{join_host_port(*purpose.endpoint)}: {error}"
        self._seeds.ended(now, purpose.address, error)

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each seed."""
        return self._seeds.statuses(self._is_satisfied, None if self._context.has_peers else self._armed)

    def resolved(self, now: float, address: str, endpoints: Sequence[Endpoint], error: str) -> None:
        """Takes the answer to a seed's lookup and dials the endpoints without a live member."""
        if address not in self._looked_up:
            return
        self._looked_up.discard(address)
        if not endpoints:
            self._seeds.ended(now, address, error or "the name has no addresses")
        self._seed_endpoints[address] = tuple(endpoints)
        for endpoint in endpoints:
            self._context.contacts.learn(endpoint)
            self.dial(now, address, endpoint)

    def _try(self, now: float, _deadline: float) -> None:
        self._armed = None
        context = self._context
        if context.status != "running":
            return
        for name, past in list(self._past.items()):
            if now - past.since > _PAST_SECONDS or self._is_live(past.endpoint):
                self.forget(name)  # too long ago, or another member uses the address
        if self._is_my_turn():
            endpoints = {past.endpoint for past in self._past.values()}
            seeds = [seed for seed in context.config.seeds if not self._is_satisfied(seed)]
            if seeds := [
                s for s in seeds if s not in self._literals or self._seed_endpoints[s][0] not in endpoints
            ]:
                self._look_up(now, context.rng.choice(seeds))
            if self._past:
                name = next(iter(self._past))
                self._past[name] = self._past.pop(name)  # the one dialled last is last
                self._look_for(now, name)
        self._high_water = max(context.table.live, self._high_water - 1)
        if not context.has_peers:
            longest = max(context.config.rejoin_interval, context.config.rejoin_interval_alone)
            self._interval_alone = min(self._interval_alone * _BACKOFF, longest)
        self.arm(now)

    def _may_ask(self, name: str, at: Endpoint) -> bool:
        return name != self._context.config.name and at[1] > 0 and not self._context.why_unreachable(at[0])

    def _ask(self, now: float) -> None:
        """Asks the next members of the last run, unless one has answered."""
        context = self._context
        if context.has_peers or context.status != "running":
            self._unasked.clear()
        asked, self._unasked = self._unasked[-_ASKED_AT_ONCE:], self._unasked[:-_ASKED_AT_ONCE]
        for name in asked:
            if name in self._past:
                self._look_for(now, name)
        if self._unasked:
            context.timers.at(now + context.config.probe_timeout, self._next_ask, None)

    def _is_my_turn(self) -> bool:
        """Whether this node dials for the whole cluster now; always if it is alone."""
        context = self._context
        first = next((record for record in context.table if record.is_live), context.local)
        if first is context.local:
            return True
        turns = _STAND_IN * context.table.live
        self._passed = 1 + (context.rng.below(turns) if self._passed is None else self._passed)
        if self._passed < turns:
            return False
        self._passed = 0
        return True

    def _look_for(self, now: float, name: str) -> None:
        context, endpoint = self._context, self._past[name].endpoint
        if context.may_dial(endpoint):
            self.dial(now, name, endpoint)
            return
        context.metrics.count("swim.rejoin.attempts")
        ping = self._pings.ping(now, name, endpoint, _Lost(name), until=now + context.config.probe_timeout)
        self._gossip.send_exactly(endpoint, [encode(ping)], record=None)

    def _answered(self, now: float, lost: _Lost, ping: Outstanding, _ack: Ack) -> None:
        if lost.name in self._past:
            self.dial(now, lost.name, ping.endpoint)

    def _look_up(self, now: float, seed: str) -> None:
        known = parse_address(seed, self._context.bind_port).literal
        if known is not None:
            self.dial(now, seed, known)
        elif seed not in self._looked_up:
            self._looked_up.add(seed)
            self._context.output.lookups.append(Lookup(seed))

    def dial(self, now: float, address: str, endpoint: Endpoint) -> None:
        """Starts a push/pull, unless a live member is there; ``address`` names the seed or past member."""
        if self._is_live(endpoint):
            return
        purpose = Reconnecting(address, endpoint)
        self._seeds.tried(address)
        if wrong := self._context.why_unreachable(endpoint[0]):
            self._context.metrics.dropped("address")
            self.ended(now, purpose, wrong)
            return
        self._context.metrics.count("swim.rejoin.attempts")
        if not self._push_pulls.dial(now, endpoint, purpose, join=True):
            self.ended(now, purpose, "too many streams are open")

    def _is_anyone_missing(self) -> bool:
        return bool(self._past) or not all(map(self._is_satisfied, self._context.config.seeds))

    def _is_satisfied(self, seed: str) -> bool:
        """Whether another live member is at the seed, or the seed can only be this node.

        A name that resolves to this node alone may resolve to others later, as when all start at once.
        """
        endpoints, own = self._seed_endpoints.get(seed, ()), self._context.local.endpoint
        for endpoint in endpoints:
            if endpoint != own and self._is_live(endpoint):
                return True
        return endpoints == (own,) and (seed in self._literals or self._context.has_peers)

    def _is_live(self, endpoint: Endpoint) -> bool:
        record = self._context.table.at(endpoint)
        return record is not None and record.is_live

    def _learn_literal(self, seed: str) -> None:
        try:
            literal = parse_address(seed, self._context.bind_port).literal
        except ConfigError:
            return
        if literal is not None:
            self._literals.add(seed)
            self._context.contacts.learn(literal)
            self._seed_endpoints[seed] = (literal,)
