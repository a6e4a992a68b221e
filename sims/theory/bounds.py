"""How long good things may take at most, in seconds, computed from the settings: what liveness is held to.

All bounds are for a calm network (no loss, nothing cut), whose slowest packet takes ``latency`` seconds, and
for nodes that run. ``n`` counts the members that a node has in its table, the dead that it has not reaped
among them. ``inf`` means that nothing but luck brings it about, because what would is switched off.

Where chance decides (who gossips to whom), the bound holds but for one time in ``1 / RISK``.
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
"""Chance that a bound with chance in it is passed in a run that is right."""

_INF = float("inf")
_STREAM_TRIPS = 6


def worst_latency(latency: Latency) -> float:
    """Seconds that a packet takes at most; for an exponential, but for one packet in 10^9."""
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
    """Until a given node has begun a probe of a given live member.

    A node walks its list in a new random order each time, so two probes of one member are at most 2(n-1) - 1
    rounds apart (SWIM, section 4.3). A round takes one interval, but a failing one takes the health score + 1
    of them, and each of the ``failing`` members may be met twice on the way. At most one round was under way.
    """
    interval = config.probe_interval
    if not interval:
        return _INF
    slowest = interval * config.awareness_max_multiplier
    return (2 * n - 1) * interval + 2 * failing * (slowest - interval) + slowest


def longest_suspicion(config: Config, n: int) -> float:
    """From a suspicion's start to its end if nobody refutes it.

    With enough confirmations, which is the rule, it ends after m = ``suspicion_mult`` log10(n) intervals;
    without any after ``suspicion_max_timeout_mult`` times that (Lifeguard, section 4.2), which is also what
    an unhealthy node may stretch it to. This is the longer one.
    """
    shortest = suspicion_timeout(config.suspicion_mult, n, config.probe_interval or 1.0)
    return shortest * config.suspicion_max_timeout_mult


def gossip_bound(config: Config, n: int, *, latency: float) -> float:
    """Until news has reached everybody whom gossip reaches, usually everybody.

    A push epidemic with fan-out f takes log(n)/log(1+f) + ln(n)/f rounds and a few more (Pittel 1987); one
    round more for each end's phase. About n·e^-λ members are missed, where λ is the transmit limit.
    """
    fanout = config.gossip_nodes
    if not config.gossip_interval or not fanout:
        return _INF
    spread = math.log(max(n, 2)) / math.log(1 + fanout) + math.log(max(n, 2)) / fanout
    rounds = max(math.ceil(spread) + 4, math.ceil(retransmit_limit(config.retransmit_mult, n) / fanout) + 1)
    return rounds * (config.gossip_interval + latency)


def dissemination_bound(config: Config, n: int, *, latency: float) -> float:
    """Until news has reached everybody, also whom gossip missed.

    Two regimes. Gossip reaches a member but for a chance of about e^-λ; the few it missed learn by push/pull,
    whichever of the two dials: in each period everybody exchanges once with somebody random, so that their
    number at least halves, and a last one cannot miss. Without gossip everybody is such a one. The
    first period may last two (random phase), and one more is for an exchange that met a member just gone.
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
    """How many of n - 1 miss what each sends ``limit`` times, but for one time in ``1 / RISK``; at least 1.

    By logarithms: the ways to choose some of many members exceed any float.
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
    """From a crash until every node that runs shows it as failed.

    Every node finds out by itself at the latest: it probes the member within ``probe_bound``, the round takes
    up to the highest health score + 1 intervals, and the suspicion its longest; gossip only makes it faster.
    With many ``failing`` at once a node that hears nobody doubts itself and accuses one in half a suspicion.
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
    """From the end of a disturbance until no view shows a member that runs as failed.

    Who is held to be failed learns so from the answer to its own probe of who holds it (buddy system), or by
    push/pull; it refutes at once, and the news has to spread. A suspicion that nobody refuted in time may be
    still to come: then this begins after it.
    """
    learns = dissemination_bound(config, n, latency=latency)
    if config.buddy_system and config.probe_interval:
        learns = min(learns, probe_bound(config, n, failing=failing) + 2 * latency)
    return longest_suspicion(config, n) + learns + dissemination_bound(config, n, latency=latency)


def healing_bound(config: Config, n: int, *, latency: float, gone: int = 0, live: int = 1) -> float:
    """From the end of a partition until everybody on each side shows everybody on the other as alive.

    Somebody has to dial the other side: every node tries one member that it lost, and one seed, at a random
    0.5 to 1.5 times ``rejoin_interval``. An attempt finds one of the ``gone`` members instead with a chance
    of gone / (gone + 1) at worst; ``live`` nodes try. Two successes are needed: the first lets everybody know
    that the other side holds it dead, which they refute; the second carries the refutations across. Each
    then has to spread, and suspicions that the exchange raised have to be refuted.
    """
    if not config.rejoin_interval:
        return _INF
    tries = 1.0
    if gone:
        tries = max(1.0, math.ceil(math.log(RISK) / math.log(gone / (gone + 1)) / live))
    attempts = 2 * tries * 1.5 * config.rejoin_interval + 2 * _STREAM_TRIPS * latency
    return attempts + refutation_bound(config, n, latency=latency, failing=max(1, gone))


def join_bound(config: Config, n: int, *, latency: float) -> float:
    """From a join of a seed that runs until everybody knows everybody: one stream, then dissemination."""
    return _STREAM_TRIPS * latency + dissemination_bound(config, n, latency=latency)


def leave_bound(config: Config, n: int, *, latency: float) -> float:
    """From the command to leave until every node that runs shows the member as left.

    The leave itself takes at most ``broadcast_timeout`` and ``leave_propagate_delay``, and gossip goes on.
    """
    takes = max(config.broadcast_timeout, config.leave_propagate_delay) + 1.25 * config.gossip_interval
    return takes + dissemination_bound(config, n, latency=latency)


def convergence_bound(config: Config, n: int, *, latency: float, gone: int, live: int) -> float:
    """From the end of all faults until the ``live`` nodes agree: ``gone`` ones failed or left, nobody else.

    The dead are found out, and the living find each other, at the same time; a verdict on the living that was
    under way when the faults ended comes first. The sum supposes the worst of everything at once: of 200
    swarm runs the slowest took an eighth of it, half of them less than a thousandth.
    """
    detection = detection_bound(config, n, latency=latency, failing=max(1, gone))
    spread = dissemination_bound(config, n, latency=latency)
    return detection + spread + healing_bound(config, n, latency=latency, gone=gone, live=live)
