"""What the nodes of the model know: arrays with one element per (update, node), never per pair of nodes.

A *row* is one member that something happens to. A *place* is row * total + node: where one node's view of one
row lies in the flat arrays. Several independent clusters (*runs*) of n nodes lie side by side; node ids count
through all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sims.model.calendar import Array, Calendar
from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from swim.config import Config
from swim.core.broadcast import retransmit_limit
from swim.core.push_pull_schedule import push_pull_scale
from swim.core.suspicion import confirmations_wanted, suspicion_timeout
from swim.errors import ConfigError

__all__ = ["ALIVE", "DEAD", "NO_NODE", "SUSPECT", "Setup", "State"]

ALIVE, SUSPECT, DEAD = 1, 2, 3
"""States, and kinds of claims; 0 in a queue is "nothing"."""
NO_NODE = -1

_STEP_MIN, _STEP_MAX = 0.001, 0.005
_SHUFFLE_UP_TO = 24
_LATENCY = Exponential()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What happens in a run, from time 0 on, in a cluster where all nodes know each other.

    Attributes:
        nodes: size of the cluster, at least 2.
        kills: members that crash together at time 0.
        updates: members that publish new metadata at time 0.
        watched: healthy members whose false accusations are simulated, at most all; those of others are
            ignored.
        loss: probability that a packet is lost, 0 to 1; segments of streams are retransmitted instead.
        latency: of every packet.
        silent: crashed hosts do not even refuse streams, so that accusers wait for the round's end.
        seconds: how long it runs if members are watched, and at most otherwise.

    Raises:
        ConfigError: naming the field.
    """

    nodes: int
    kills: int = 1
    updates: int = 0
    watched: int = 0
    loss: float = 0.0
    latency: Latency = _LATENCY
    silent: bool = False
    seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise ConfigError("nodes", f"must be at least 2, not {self.nodes!r}")
        if not 0.0 <= self.loss < 1.0:
            raise ConfigError("loss", f"must be a chance from 0 to below 1, not {self.loss!r}")
        for name in ("kills", "updates", "watched"):
            if getattr(self, name) < 0:
                raise ConfigError(name, f"must be at least 0, not {getattr(self, name)!r}")
        if self.rows == 0 or self.kills + self.updates >= self.nodes:
            raise ConfigError("kills", f"cannot have {self.rows} subjects among {self.nodes} nodes")

    @property
    def rows(self) -> int:
        """How many members something happens to."""
        return self.kills + self.updates + min(self.watched, self.nodes - self.kills - self.updates)


class State:
    """All arrays of one simulation, and what every part of it shares.

    Attributes:
        total: nodes of all runs together.
        subject: node id per row and run; ``row_of`` is the way back, ``NO_NODE`` for the others.
        up: per node, whether it runs.
        state, incarnation: per place, the view of a row (``ALIVE``, ``SUSPECT`` or ``DEAD``).
        started, low, deadline: per place, of a running suspicion.
        confirmed, accusers: per place; the first accuser is not a confirmation.
        kind, claimed, accuser, origin, transmits: per place, the broadcast queued there, ``kind`` 0 if none.
        armed, last_round: per node, of gossip.
        score: per node, the local health score.
        suspected_at, failed_at, informed_at: per place, when it was first so; infinite if never.
    """

    def __init__(self, config: Config, setup: Setup, runs: int, seed: int) -> None:
        n = setup.nodes
        self.config, self.setup, self.n, self.runs = config, setup, n, runs
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.calendar = Calendar(min(max(config.eager_gossip_delay, _STEP_MIN), _STEP_MAX))
        self.limit = retransmit_limit(config.retransmit_mult, n)
        self.wanted = confirmations_wanted(config.suspicion_mult, n)
        self.shortest = suspicion_timeout(config.suspicion_mult, n, config.probe_interval)
        self.longest = self.shortest * config.suspicion_max_timeout_mult
        self.sync_interval = push_pull_scale(config.push_pull_interval, n)
        self.total = total = n * runs
        self.rows = setup.rows
        places = self.rows * total
        self.subject = self.distinct(runs, n, self.rows) + n * np.arange(runs)
        self.row_of = np.full(total, NO_NODE, np.int64)
        self.row_of[self.subject] = np.arange(self.rows)[:, None]
        self.up = np.ones(total, bool)
        self.up[self.subject[: setup.kills].ravel()] = False
        self.state = np.full(places, ALIVE, np.int8)
        self.incarnation = np.zeros(places, np.int16)
        self.started = np.zeros(places)
        self.low = np.zeros(places)
        self.deadline = np.full(places, np.inf)
        self.confirmed = np.zeros(places, np.int8)
        self.accusers = np.full((self.wanted + 1, places), NO_NODE, np.int32)
        self.kind = np.zeros(places, np.int8)
        self.claimed = np.zeros(places, np.int16)
        self.accuser = np.full(places, NO_NODE, np.int32)
        self.origin = np.full(places, NO_NODE, np.int32)
        self.transmits = np.zeros(places, np.int16)
        self.armed = np.full(total, np.inf)
        self.last_round = np.full(total, -np.inf)
        self.score = np.zeros(total, np.int8)
        self.suspected_at = np.full(places, np.inf)
        self.failed_at = np.full(places, np.inf)
        self.informed_at = np.full(places, np.inf)
        self.counts: dict[str, Array] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anything is queued anywhere."""
        return bool(np.count_nonzero(self.kind))

    def distinct(self, count: int, bound: int, wanted: int) -> Array:
        """``wanted`` rows of ``count`` random numbers below ``bound``; those of a column are distinct."""
        if wanted == 1:
            return self.rng.integers(0, bound, (1, count))
        if bound <= _SHUFFLE_UP_TO or 4 * wanted > bound:
            return np.argsort(self.rng.random((count, bound)), axis=1)[:, :wanted].T
        drawn = np.empty((wanted, count), np.int64)
        for index in range(wanted):
            again = np.arange(count)
            while len(again):
                drawn[index, again] = self.rng.integers(0, bound, len(again))
                repeated = (drawn[:index, again] == drawn[index, again]).any(axis=0)
                again = again[repeated]
        return drawn

    # -- small things that all parts need

    def is_subject(self, places: Array) -> Array:
        """Whether the node there is the row's own member."""
        row, node = np.divmod(places, self.total)
        own: Array = self.row_of[node] == row
        return own

    def view(self, viewers: Array, nodes: Array) -> Array:
        """The state in which each viewer sees the node beside it."""
        row = self.row_of[nodes]
        seen = self.state[np.maximum(row, 0) * self.total + viewers]
        return np.where(row == NO_NODE, ALIVE, seen)

    def draw_latency(self, count: int) -> Array:
        """That many packets' travel times, seconds."""
        rng = self.rng
        match self.setup.latency:
            case Constant(seconds):
                return np.full(count, seconds)
            case Uniform(low, high):
                return rng.uniform(low, high, count)
            case Exponential(mean, floor):
                return floor + rng.exponential(mean, count)
            case Empirical(quantiles):
                places = rng.uniform(0, len(quantiles) - 1, count)
                return np.interp(places, np.arange(len(quantiles)), quantiles)
            case other:
                raise ConfigError("latency", f"the vector model cannot draw from {other!r}")

    def draw_loss(self, count: int) -> Array:
        """Which of that many packets are lost."""
        loss = self.setup.loss
        return self.rng.random(count) < loss if loss else np.zeros(count, bool)

    def count(self, what: str, nodes: Array) -> None:
        """Counts one event of a name for each node, by run."""
        per_run = self.counts.setdefault(what, np.zeros(self.runs, np.int64))
        if self.runs == 1:
            per_run[0] += len(nodes)
        elif len(nodes):
            per_run += np.bincount(nodes // self.n, minlength=self.runs)
