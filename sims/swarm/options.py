"""What one seed picks before the run: the cluster, its settings, and which kinds of faults are possible.

Swarm testing: omitting most choices from a run finds more bugs than including all of them in each run. So
every setting keeps its default, and every kind of fault is off, with a probability of its own.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sims.swarm.kinds import KINDS
from sims.world import Start
from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from swim.config import Config
from swim.core.rng import Rng

__all__ = ["SwarmOptions", "pick_options", "rng_of"]

_SLOWER = {"lan": 1.0, "local": 1.0, "wan": 3.0}

# (setting, one time in so many it is not the profile's, its other values)
_SETTINGS: tuple[tuple[str, int, tuple[Any, ...]], ...] = (
    ("delegate_version", 3, (0, 4)),
    ("protocol_version", 5, (1, 3, 4, 5)),
    ("label", 4, ("blue",)),
    ("keys", 4, ((b"0123456789abcdef",), (b"0123456789abcdef0123456789abcdef", b"fedcba9876543210"))),
    ("enable_compression", 8, (True,)),
    ("udp_buffer_size", 5, (512, 1000)),
    ("disable_tcp_pings", 4, (True,)),
    ("indirect_checks", 5, (0, 1, 2)),
    ("suspicion_mult", 4, (2, 3, 5)),
    ("suspicion_max_timeout_mult", 5, (1, 3)),
    ("awareness_max_multiplier", 5, (1, 3)),
    ("awareness_stretches_suspicion", 4, (False,)),
    ("buddy_system", 5, (False,)),
    ("early_suspicion", 4, (False,)),
    ("self_doubt_threshold", 4, (0, 2)),
    ("gossip_interval", 5, (0.05, 1.0)),
    ("gossip_nodes", 5, (1, 2)),
    ("retransmit_mult", 5, (1, 3)),
    ("eager_gossip_delay", 4, (-1.0, 0.05)),
    ("verify_second_hand", 4, (False,)),
    ("gossip_to_the_dead_time", 3, (5.0, 15.0, 60.0)),
    ("push_pull_interval", 3, (5.0, 10.0)),
    ("tcp_timeout", 5, (0.5, 3.0)),
    ("dead_node_reclaim_time", 5, (20.0,)),
    ("rejoin_interval", 4, (5.0, 15.0)),
    ("recent_intent_timeout", 6, (20.0,)),
    ("leaving_timeout", 6, (20.0,)),
    ("probe_alignment", 8, (0.1,)),
    ("max_new_members_per_packet", 8, (4,)),
    ("max_tombstones", 8, (0, 2)),
    ("reconnect_timeout", 8, (30.0, 90.0)),
    ("tombstone_timeout", 8, (30.0, 90.0)),
)
_COMMON = (
    "delegate_version",
    "protocol_version",
    "accept_encryption_v0",
    "label",
    "keys",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmOptions:
    """All choices of a run except the faults themselves.

    Attributes:
        nodes: the number of first nodes.
        profile: ``lan``, ``local`` or ``wan``.
        settings: differences from the profile, for nodes with odd numbers.
        others: the same for even numbers; shared settings are equal in both.
        latency: of every packet.
        start: how the nodes start, see ``sims.world.Start``; those that start apart have a seed by name.
        anchored: the first node, the seed of all others, never moves or leaves, and runs after the faults.
        kinds: the kinds of faults that may happen, see ``sims.swarm.kinds``.
        faults: how many happen.
        seconds: within which they begin; then lasting ones are ended.
        comeback: probability that a crashed node is restarted when the faults are over.
    """

    nodes: int
    profile: str
    settings: Mapping[str, Any]
    others: Mapping[str, Any]
    latency: Latency
    start: Start
    anchored: bool
    kinds: tuple[str, ...]
    faults: int
    seconds: float
    comeback: float

    @property
    def slower(self) -> float:
        """The factor by which everything takes longer than in the lan profile."""
        return _SLOWER[self.profile]

    def config(self, name: str, **given: Any) -> Config:
        """The settings of the node with this name."""
        settings = self.others if name[-1:] in "02468" else self.settings
        return Config.profile(self.profile, name=name, **(dict(settings) | given))

    def __str__(self) -> str:
        how = f"{self.start}{', anchored' if self.anchored else ''}"
        lines = [f"nodes     {self.nodes}, {self.profile}, {self.latency!r}, {how}"]
        lines.append(f"settings  {_listed(self.settings)}")
        if self.others != self.settings:
            lines.append(f"others    {_listed(self.others)}")
        lines.append(
            f"faults    {self.faults} in {self.seconds:g} s of: {', '.join(self.kinds) or 'no kind'}"
        )
        lines.append(f"healing   {self.comeback:.0%} of the crashed come back")
        return "\n".join(f"  {line}" for line in lines)


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in settings.items()) or "as in the profile"


def _shown(value: Any) -> str:
    return f"{len(value)} keys" if isinstance(value, tuple) else repr(value)


def rng_of(seed: int, use: str) -> Rng:
    """Random bits of a swarm seed, separate for each purpose."""
    digest = blake2b(f"swarm {seed} {use}".encode(), digest_size=16).digest()
    return Rng(random.Random(int.from_bytes(digest, "big")))


def pick_options(seed: int) -> SwarmOptions:
    """The choices of a seed."""
    rng = rng_of(seed, "options")
    profile = rng.choice(("lan", "lan", "lan", "local", "local", "wan"))
    settings = _pick_settings(rng)
    others = settings
    if rng.below(3) == 0:
        common = {name: value for name, value in settings.items() if name in _COMMON}
        others = {n: v for n, v in _pick_settings(rng).items() if n not in _COMMON} | common
    probes = rng_of(seed, "probes")  # apart, so that the other choices of a seed do not move
    if probes.below(3) == 0:
        others = others | {"interleaved_probes": bool(probes.below(2))}
        settings = settings | {"interleaved_probes": False}
    if probes.below(3) == 0:
        settings = settings | {"measured_timeouts": True, "probe_timeout_min": probes.choice((0.02, 0.1))}
    kinds = tuple(name for name in KINDS if rng.below(2))
    size = rng.below(12)
    nodes = 3 + rng.below(6) if size < 8 else 9 + rng.below(8) if size < 11 else 17 + rng.below(14)
    return SwarmOptions(
        nodes=nodes,
        profile=profile,
        settings=settings,
        others=others,
        latency=_pick_latency(rng, 10.0 if profile == "wan" else 1.0),
        start=rng.choice(("join", "join", "apart", "converged")),
        anchored=bool(rng.below(2)),
        kinds=kinds,
        faults=1 + rng.below(6 + nodes) if kinds else 0,
        seconds=float(rng.choice((20, 60, 120))) * _SLOWER[profile],
        comeback=rng.choice((0.0, 0.5, 1.0)),
    )


def _pick_settings(rng: Rng) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, rarity, values in _SETTINGS:
        if rng.below(rarity) == 0:
            settings[name] = rng.choice(values)
    if settings.get("protocol_version") == 1:
        settings["accept_encryption_v0"] = True
    return settings


def _pick_latency(rng: Rng, scale: float) -> Latency:
    milliseconds = scale * rng.choice((0.001, 0.0005, 0.004))
    kinds: tuple[Latency, ...] = (
        Constant(milliseconds),
        Uniform(milliseconds / 4, 5 * milliseconds),
        Exponential(milliseconds),
        Empirical((milliseconds / 2, milliseconds, 2 * milliseconds, 8 * milliseconds)),
    )
    return rng.choice(kinds)
