"""Upper bounds in seconds, computed from the settings, which the liveness checkers use.

All bounds are for a calm network (no loss, no cuts), whose slowest packet takes ``latency`` seconds, and for
running nodes. ``n`` counts the members in a node's table, including dead ones that are not reaped. ``inf``
means that only luck can make it happen, because the mechanism is switched off.

Where random choices decide (gossip targets), the bound fails at most one time in ``1 / RISK``.
"""

from __future__ import annotations

import math

from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from swim.config import Config
from swim.core.broadcast import retransmit_limit
from swim.core.push_pull_schedule import push_pull_scale
from swim.core.suspicion import suspicion_timeout

__all__ = [
    "RISK",
    "convergence_bound",
    "detection_bound",
    "dissemination_bound",
    "gossip_bound",
    "healing_bound",
    "join_bound",
    "leave_bound",
    "longest_suspicion",
    "probe_bound",
    "refutation_bound",
    "worst_latency",
]

RISK = 1e-5
"""Probability that a probabilistic bound is exceeded in a correct run."""

_INF = float("inf")
_STREAM_TRIPS = 6


def worst_latency(latency: Latency) -> float:
    """Maximum seconds of a packet; for an exponential, all but one packet in 10^9."""
    match latency:
        case Constant(seconds):
            return seconds
        case Uniform(_, high):
            return high
        case Exponential(mean, floor):
            return floor + mean * math.log(1e9)
        case Empirical(quantiles):
            return max(quantiles)
    raise TypeError(f"no bound is known for {latency!r}")


def probe_bound(config: Config, n: int, *, failing: int = 1) -> float:
    """Time until a given node has begun a probe of a given live member.

    Two probes of one member are at most 2(n-1) rounds apart, in random orders (SWIM, section 4.3) or in turn.
    A round takes one interval, but a failing one takes the health score + 1 of them, and each of the
    ``failing`` members may be probed twice before. At most one round was in progress.
    """
    interval = config.probe_interval
    if not interval:
        return _INF
    slowest = interval * config.awareness_max_multiplier
    return (2 * n - 1) * interval + 2 * failing * (slowest - interval) + slowest


def longest_suspicion(config: Config, n: int) -> float:
    """Time from a suspicion's start to its end without a refutation.

    With enough confirmations, which is usual, it ends after m = ``suspicion_mult`` log10(n) intervals;
    without any, after ``suspicion_max_timeout_mult`` times that (Lifeguard, section 4.2), which is also the
    maximum at an unhealthy node. This is the longer one.
    """
    shortest = suspicion_timeout(config.suspicion_mult, n, config.probe_interval or 1.0)
    return shortest * config.suspicion_max_timeout_mult


def gossip_bound(config: Config, n: int, *, latency: float) -> float:
    """Time until a broadcast has reached every member that gossip reaches, usually all.

    A push epidemic with fan-out f takes log(n)/log(1+f) + ln(n)/f rounds and a few more (Pittel 1987), plus
    one round for each end's phase. About n·e^-λ members are missed, where λ is the transmit limit.
    """
    fanout = config.gossip_nodes
    if not config.gossip_interval or not fanout:
        return _INF
    spread = math.log(max(n, 2)) / math.log(1 + fanout) + math.log(max(n, 2)) / fanout
    rounds = max(math.ceil(spread) + 4, math.ceil(retransmit_limit(config.retransmit_mult, n) / fanout) + 1)
    return rounds * (config.gossip_interval + latency)


def dissemination_bound(config: Config, n: int, *, latency: float) -> float:
    """Time until a broadcast has reached every member, including those that gossip missed.

    There are two regimes. Gossip misses a member with a probability of about e^-λ. The few missed ones learn
    by push/pull, whichever side dials: in each period every node exchanges once with a random member, so
    their number at least halves, and the last one cannot miss. Without gossip all members are such. The first
    period may last two (random phase), and one more is for an exchange with a member that is just gone.
    """
    if n < 2:
        return 0.0
    if not config.push_pull_interval:
        return _INF
    gossip = gossip_bound(config, n, latency=latency)
    missed = n - 1
    if gossip < _INF:
        missed = _missed(n, retransmit_limit(config.retransmit_mult, n))
    else:
        gossip = 0.0
    periods = 3 + math.ceil(math.log2(missed))
    period = push_pull_scale(config.push_pull_interval, n)
    return gossip + periods * (period + _STREAM_TRIPS * latency)


def _missed(n: int, limit: int) -> int:
    """How many of n - 1 miss a broadcast sent ``limit`` times by each, but one time in ``1 / RISK``; min. 1.

    Computed with logarithms, since the number of combinations exceeds any float.
    """
    if not limit:
        return n - 1
    misses, hears = -limit, math.log1p(-math.exp(-limit))
    tail = 1.0
    for count in range(n):
        rest = n - 1 - count
        ways = math.lgamma(n) - math.lgamma(count + 1) - math.lgamma(rest + 1)
        tail -= math.exp(ways + count * misses + rest * hears)
        if tail < RISK:
            return max(1, count)
    return n - 1


def detection_bound(config: Config, n: int, *, latency: float, failing: int = 1) -> float:
    """Time from a crash until every running node lists the member as failed.

    At the latest every node detects it by itself: it probes the member within ``probe_bound``, the round
    takes up to the highest health score + 1 intervals, and the suspicion its maximum; gossip only makes it
    faster. With many ``failing`` at once, a node without any acks doubts itself and accuses one member per
    half a suspicion.
    """
    interval = config.probe_interval
    if not interval:
        return _INF
    a_round = interval * config.awareness_max_multiplier
    total = probe_bound(config, n, failing=failing) + a_round + longest_suspicion(config, n)
    if 0 < config.self_doubt_threshold <= failing:
        pause = suspicion_timeout(config.suspicion_mult, n, interval) / 2
        total += failing * max(pause, a_round)
    return total + 2 * latency


def refutation_bound(config: Config, n: int, *, latency: float, failing: int = 1) -> float:
    """Time from the end of a disturbance until no view lists a running member as failed.

    A member held failed learns it from the ack to its own probe of a node that holds it (buddy system), or by
    push/pull. It refutes at once, and the refutation must spread. If a suspicion has yet to expire, this
    begins after it.
    """
    learns = dissemination_bound(config, n, latency=latency)
    if config.buddy_system and config.probe_interval:
        learns = min(learns, probe_bound(config, n, failing=failing) + 2 * latency)
    return longest_suspicion(config, n) + learns + dissemination_bound(config, n, latency=latency)


def healing_bound(config: Config, n: int, *, latency: float, gone: int = 0, live: int = 1) -> float:
    """Time from the end of a partition until all nodes on each side list all nodes on the other as alive.

    A node must dial the other side: every node tries one lost member, and one seed, at a random 0.5 to 1.5
    times ``rejoin_interval``. At worst, an attempt dials one of the ``gone`` members with a probability of
    gone / (gone + 1); ``live`` nodes try. Two successes are needed: with the first, all nodes learn that the
    other side holds them dead, which they refute; the second carries the refutations across. Each must then
    spread, and suspicions raised by the exchange must be refuted.
    """
    if not config.rejoin_interval:
        return _INF
    tries = 1.0
    if gone:
        tries = max(1.0, math.ceil(math.log(RISK) / math.log(gone / (gone + 1)) / live))
    attempts = 2 * tries * 1.5 * config.rejoin_interval + 2 * _STREAM_TRIPS * latency
    return attempts + refutation_bound(config, n, latency=latency, failing=max(1, gone))


def join_bound(config: Config, n: int, *, latency: float) -> float:
    """Time from a join of a running seed until all nodes know each other: one stream, then dissemination."""
    return _STREAM_TRIPS * latency + dissemination_bound(config, n, latency=latency)


def leave_bound(config: Config, n: int, *, latency: float) -> float:
    """Time from the leave command until every running node lists the member as left.

    The leave itself takes at most ``broadcast_timeout`` and ``leave_propagate_delay``, and gossip continues.
    """
    takes = max(config.broadcast_timeout, config.leave_propagate_delay) + 1.25 * config.gossip_interval
    return takes + dissemination_bound(config, n, latency=latency)


def convergence_bound(config: Config, n: int, *, latency: float, gone: int, live: int) -> float:
    """Time from the end of all faults until the ``live`` nodes agree: only ``gone`` ones are failed or left.

    Dead members are detected, and live ones find each other, at the same time; suspicions of live members
    that were running when the faults ended expire first. The sum assumes the worst of everything at once: of
    200 swarm runs the slowest took an eighth of it, half of them less than a thousandth.
    """
    detection = detection_bound(config, n, latency=latency, failing=max(1, gone))
    spread = dissemination_bound(config, n, latency=latency)
    return detection + spread + healing_bound(config, n, latency=latency, gone=gone, live=live)
