"""Formulas for a cluster: detection, suspicion, dissemination, traffic, false suspicions.

Everything follows from a ``Config`` and a number of nodes; values that the engine computes itself come from
the engine's own functions. The simulators verify them: see ``sims.theory.explain``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from sims.world.network import RETRANSMISSION_SECONDS, RETRANSMISSIONS_MAX
from swim.config import Config
from swim.core.broadcast import retransmit_limit
from swim.core.ping_responder import nack_patience
from swim.core.prober import CONNECT_SHARE
from swim.core.push_pull_schedule import push_pull_scale
from swim.core.refusals import TOLD_DIRECTLY
from swim.core.suspicion import confirmations_wanted, remaining, suspicion_timeout

__all__ = [
    "Suspicions",
    "detection_wait",
    "detection_worst",
    "direct_wait",
    "dissemination",
    "failure_spread",
    "false_suspicions_per_hour",
    "first_failed",
    "first_suspected",
    "gossip_rounds",
    "informed_curve",
    "missed_by_gossip",
    "probe_delay",
    "probe_failure",
    "push_pull_period",
    "suspicion_after",
    "suspicions",
    "transmit_limit",
]

_LATENCY = 0.0005
_SHARES = {"half": 0.5, "p90": 0.9, "p99": 0.99, "p9999": 0.9999}
_HOPS_MAX = 2000


# -- detection


def detection_wait(config: Config, n: int, share: float = 0.5) -> float:
    """Seconds until a crashed member is probed, not exceeded in this share of the cases.

    With interleaved probes it is probed once in every period T, so the wait is uniform up to T. Otherwise
    each of n - 1 probers has its own random order, so the wait W has P(W > t) = (1 - t / ((n-1) T))^(n-1),
    close to an exponential of mean T (SWIM, section 4.1, gives T / (1 - 1/e) for synchronous periods).
    """
    if config.interleaved_probes:
        return share * config.probe_interval
    return float((1 - (1 - share) ** (1 / (n - 1))) * (n - 1) * config.probe_interval)


def direct_wait(config: Config) -> float:
    """Seconds that a prober waits for the ack of a member whose round trips it measured and found short."""
    return config.probe_timeout_min if config.measured_timeouts else config.probe_timeout


def probe_delay(config: Config, n: int, *, silent: bool = False) -> float:
    """Seconds from the probe of a crashed member to the accusation, if packets take no time.

    memberlist waits for the end of the probe interval. With ``early_suspicion`` a round ends once all relays
    have nacked and the stream was refused, or did not connect in time to a host that is ``silent``.
    """
    relays = min(config.indirect_checks, n - 2)
    can_end = config.early_suspicion and relays and not config.disable_tcp_pings
    if not can_end:
        return config.probe_interval
    direct = direct_wait(config)
    connecting = CONNECT_SHARE * (config.probe_interval - direct) if silent else 0.0
    return min(direct + max(nack_patience(config), connecting), config.probe_interval)


class Suspicions(NamedTuple):
    """How long a suspicion lasts, seconds; see ``suspicions``.

    Attributes:
        shortest: with all confirmations.
        longest: with none.
        confirmations: independent accusers after the first that shorten it to ``shortest``.
    """

    shortest: float
    longest: float
    confirmations: int


def suspicions(config: Config, n: int) -> Suspicions:
    """The bounds of a suspicion at a healthy node (Lifeguard's LHA-Suspicion, as memberlist computes it)."""
    shortest = suspicion_timeout(config.suspicion_mult, n, config.probe_interval)
    wanted = confirmations_wanted(config.suspicion_mult, n)
    longest = shortest * config.suspicion_max_timeout_mult if wanted else shortest
    return Suspicions(shortest, longest, wanted)


def suspicion_after(config: Config, n: int, confirmed: int) -> float:
    """Seconds that a suspicion lasts with that many confirmations."""
    low, high, wanted = suspicions(config, n)
    return remaining(min(confirmed, wanted), wanted, 0.0, low, high) if wanted else low


def suspicion_refused(config: Config, n: int, *, silent: bool = False) -> float:
    """Seconds that the prober's suspicion lasts if the member's host refuses its streams; else infinite."""
    if not config.restart_grace or config.disable_tcp_pings or silent:
        return math.inf
    return max(0.0, direct_wait(config) + config.restart_grace - probe_delay(config, n))


def first_suspected(config: Config, n: int, share: float = 0.5, *, silent: bool = False) -> float:
    """Seconds from a crash to the first suspicion of it, not exceeded in that share of the cases."""
    return detection_wait(config, n, share) + probe_delay(config, n, silent=silent)


def first_failed(config: Config, n: int, share: float = 0.5, *, silent: bool = False) -> float:
    """Seconds from a crash to the first node that counts it as failed: W, the round, the shortest suspicion.

    Confirmations arrive one probe interval apart on average, so all arrive before the shortest suspicion
    ends, except in the smallest clusters. Of two nodes, the one left cannot ask a third; its health score
    rises and it waits twice as long. A host that refuses streams ends the suspicion sooner.
    """
    low, _, _ = suspicions(config, n)
    alone = n == 2 and config.awareness_stretches_suspicion and config.awareness_max_multiplier > 1
    shortest = min(2 * low, low * config.suspicion_max_timeout_mult) if alone else low
    lasts = min(shortest, suspicion_refused(config, n, silent=silent))
    return first_suspected(config, n, share, silent=silent) + lasts


def detection_worst(config: Config, n: int, *, silent: bool = False) -> float:
    """Seconds within which a lone prober detects a crash whatever the order: 2n - 1 rounds (SWIM, 4.3)."""
    return (
        (2 * n - 1) * config.probe_interval
        + probe_delay(config, n, silent=silent)
        + suspicions(config, n).longest
    )


# -- dissemination


def transmit_limit(config: Config, n: int) -> int:
    """How often each node sends one update: ``retransmit_mult * ceil(log10(n + 1))``."""
    return retransmit_limit(config.retransmit_mult, n)


def gossip_rounds(config: Config, n: int) -> float:
    """Synchronous rounds until push gossip of this fan-out reaches all nodes: log_(1+f) n + ln n / f."""
    fanout = config.gossip_nodes
    return math.log(n) / math.log(1 + fanout) + math.log(n) / fanout if fanout else math.inf


def missed_by_gossip(config: Config, n: int) -> float:
    """Expected members that gossip alone never reaches, n e^-limit; they wait for a probe or a push/pull."""
    return n * math.exp(-transmit_limit(config, n))


def dissemination(config: Config, n: int, *, latency: float = _LATENCY) -> dict[str, float]:
    """Seconds from a broadcast until shares of the cluster have it by gossip: half, p90, p99, p9999, all.

    A mean-field recursion: a node that learns of it sends it to ``gossip_nodes`` random members one eager
    delay later, and again every gossip interval until the transmit limit; ``sent`` packets reach n (1 -
    e^(-sent/n)) of n. When an expected ln 2 members are missing, in every second run ``all`` have it;
    infinite if the sending ends before.

    Args:
        config: the settings.
        n: nodes, at least 2.
        latency: mean seconds that a packet takes.
    """
    return _moments(config, n, latency, _wave(config, n, latency, []))


def informed_curve(
    config: Config, n: int, *, loss: float = 0.0, failed: float = 0.0, latency: float = _LATENCY
) -> list[tuple[float, float]]:
    """Seconds, and the share of the running members that have a broadcast by then; see ``dissemination``.

    Args:
        config: the settings.
        n: nodes, at least 2.
        loss: probability that a packet is lost, 0 to 1.
        failed: share of the nodes that have crashed unnoticed: they are still sent packets. 0 to below 1.
        latency: mean seconds that a packet takes.
    """
    hop = _hop(config, latency)
    missing = _wave(config, n, latency, [], loss=loss, failed=failed)
    others = max(missing[0], 1e-12)
    return [(step * hop, 1 - left / others) for step, left in enumerate(missing)]


def failure_spread(config: Config, n: int, *, latency: float = _LATENCY) -> dict[str, float]:
    """Seconds from the first node that says failed until shares of the cluster do; names as above.

    Two waves: each node's own suspicion ends as much later than the first one's as it began later, and the
    dead claim is gossiped as well. A node missed by one wave is mostly reached by the other. A suspicion that
    ends because the host refuses streams ends at the prober alone, which sends this to many directly.
    """
    if suspicion_refused(config, n) < suspicions(config, n).shortest:
        later = _moments(config, n, latency, _wave(config, n, latency, [], told=min(TOLD_DIRECTLY, n - 1)))
        return {name: latency + seconds for name, seconds in later.items()}
    suspicion = _wave(config, n, latency, [])
    return _moments(config, n, latency, _wave(config, n, latency, suspicion))


def _hop(config: Config, latency: float) -> float:
    pause = config.eager_gossip_delay if config.eager_gossip_delay >= 0 else config.gossip_interval
    return pause + latency


def _wave(
    config: Config,
    n: int,
    latency: float,
    timers: list[float],
    *,
    loss: float = 0.0,
    failed: float = 0.0,
    told: int = 0,
) -> list[float]:
    """Members that still miss the claim after each hop; ``timers``: those that would without gossip.

    ``told`` members have it from the start.
    """
    missing = [max(0.0, n * (1 - failed) - 1 - told)]
    if not config.gossip_interval or not config.gossip_nodes:
        return missing + timers
    informed = [1.0 + told]
    rounds = math.ceil(transmit_limit(config, n) / config.gossip_nodes)
    gap = max(1, round(config.gossip_interval / _hop(config, latency)))
    while missing[-1] > 1e-9 and len(missing) < _HOPS_MAX:
        step = len(missing)
        senders = sum(informed[step - 1 - k * gap] for k in range(rounds) if step - 1 - k * gap >= 0)
        left = missing[-1] * math.exp(-senders * config.gossip_nodes * (1 - loss) / n)
        if step < len(timers):
            left *= timers[step] / timers[step - 1]
        informed.append(missing[-1] - left)
        missing.append(left)
    return missing


def _moments(config: Config, n: int, latency: float, missing: list[float]) -> dict[str, float]:
    none_left = math.log(2)
    wanted = {name: max((1 - share) * n, none_left) for name, share in _SHARES.items()} | {"all": none_left}
    hop = _hop(config, latency)
    return {
        name: next((step * hop for step, left in enumerate(missing) if left <= few), math.inf)
        for name, few in wanted.items()
    }


def push_pull_period(config: Config, n: int) -> float:
    """Seconds between a node's own push/pulls, 0 if there are none."""
    return push_pull_scale(config.push_pull_interval, n)


# -- false suspicions


def probe_failure(config: Config, loss: float) -> float:
    """Probability that the probe of a healthy member fails when packets are lost with probability ``loss``.

    SWIM, section 3.1: neither the direct ping nor any relay nor the stream ping brings an ack. A lost segment
    of a stream is sent again after 0.2 s, 0.4 s and so on, as in ``sims.world.network``.
    """
    passes = 1 - loss
    packets = (1 - passes**2) * (1 - passes**4) ** config.indirect_checks
    return packets * _stream_failure(config, loss)


def false_suspicions_per_hour(config: Config, loss: float) -> float:
    """Expected accusations against one healthy member per hour: it is probed once an interval on average."""
    return probe_failure(config, loss) * 3600 / config.probe_interval


def _stream_failure(config: Config, loss: float) -> float:
    if config.disable_tcp_pings:
        return 1.0
    patience = config.probe_interval - config.probe_timeout
    chances = [
        ((1 - loss) * loss**tries, RETRANSMISSION_SECONDS * (2**tries - 1))
        for tries in range(RETRANSMISSIONS_MAX + 1)
    ]
    in_time = sum(p * q for p, there in chances for q, back in chances if 3 * there + back < patience)
    return 1 - in_time
