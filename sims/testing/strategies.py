"""Hypothesis strategies for all parts of a simulated run. They shrink towards few and simple.

They yield frozen values, or values whose repr is the call that made them, so a failing example can be pasted.
Durations are whole milliseconds; they shrink to quarters of a second where that fails as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from sims import faults as f
from sims.faults.schedule import Schedule
from sims.world import World
from sims.world.latency import Constant, Exponential, Latency, Uniform
from sims.world.network import Burst, Link, Network
from swim import checks
from swim.config import Config
from swim.errors import ConfigError
from swim.wire import codec
from swim.wire.keyring import Keyring
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, Nack, Ping, Suspect, User
from swim.wire.packet import PacketCodec

__all__ = [
    "DEFAULT_KINDS",
    "Cluster",
    "clusters",
    "configs",
    "durations",
    "fault_schedules",
    "latencies",
    "links",
    "networks",
    "packets",
    "splits",
]

_PROFILES = (Config.local, Config.lan, Config.wan)
_KEYS = (b"0123456789abcdef", b"fedcba9876543210fedcba9876543210")

DEFAULT_KINDS: tuple[type[f.Fault], ...] = (
    f.Crash, f.Restart, f.Pause, f.Split, f.CutPair, f.SetLink, f.Leave, f.Rejoin, f.SetTags, f.Readdress,
    f.Block, f.SlowReader,
)  # fmt: skip
"""The kinds of fault that a schedule draws from by default."""


def durations(low: float = 0.25, high: float = 30.0) -> st.SearchStrategy[float]:
    """Whole milliseconds from ``low`` to ``high`` seconds; they shrink to quarters, and towards ``low``."""
    quarters = st.integers(math.ceil(low * 4), math.floor(high * 4)).map(lambda count: count / 4)
    any_time = st.integers(math.ceil(low * 1000), math.floor(high * 1000)).map(lambda count: count / 1000)
    return quarters | any_time


# -- settings


def configs(
    *, name: str = "n1", profiles: Iterable[Callable[..., Config]] = _PROFILES, **fixed: Any
) -> st.SearchStrategy[Config]:
    """Valid settings of one node.

    Args:
        name: its name.
        profiles: ``Config.local`` and the like, to choose from; the first is the plainest.
        fixed: fields that do not vary.
    """
    varied = {key: value for key, value in _OPTIONS.items() if key not in fixed}
    return st.sampled_from(list(profiles)).flatmap(
        lambda profile: st.fixed_dictionaries({}, optional=varied).flatmap(
            lambda options: _made(profile, {"name": name} | fixed | options)
        )
    )


_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "tags": st.dictionaries(
        st.sampled_from(["role", "dc", "build"]), st.text("abc123", max_size=8), max_size=2
    ),
    "delegate_version": st.sampled_from([5, 4, 3, 2]),
    "protocol_version": st.sampled_from([2, 3, 4, 5]),
    "label": st.sampled_from(["", "blue"]),
    "keys": st.sampled_from([(), _KEYS[:1], _KEYS]),
    "enable_compression": st.booleans(),
    "udp_buffer_size": st.sampled_from([1400, 600, 4000]),
    "indirect_checks": st.integers(0, 4),
    "disable_tcp_pings": st.booleans(),
    "suspicion_mult": st.integers(2, 6),
    "awareness_max_multiplier": st.integers(1, 8),
    "buddy_system": st.booleans(),
    "early_suspicion": st.booleans(),
    "verify_second_hand": st.booleans(),
    "gossip_nodes": st.integers(1, 4),
    "retransmit_mult": st.integers(2, 5),
    "eager_gossip_delay": st.sampled_from([0.005, 0.02, -1.0]),
    "push_pull_interval": st.sampled_from([15.0, 5.0, 60.0]),
}
_PER_NODE = ("tags", "delegate_version", "protocol_version", "enable_compression", "indirect_checks")
"""Fields that may differ between nodes; a cluster shares the others, above all label and keys."""


def _made(profile: Callable[..., Config], options: dict[str, Any]) -> st.SearchStrategy[Config]:
    """A value that Hypothesis prints as the call that made it."""

    def make(**given: Any) -> Config:
        return profile(**given)

    make.__name__ = getattr(profile, "__qualname__", repr(profile))
    return st.builds(make, **{key: st.just(value) for key, value in options.items()})


@dataclass(frozen=True, slots=True)
class Cluster:
    """The first nodes of a world, each with its own settings."""

    configs: tuple[Config, ...]

    def world(self, seed: int = 0, **options: Any) -> World:
        """A world in which these nodes join the first of them; ``options`` are those of ``World``."""
        world = World(seed, nodes=0, **options)
        for config in self.configs:
            world.add(config.name, config=config, seeds=[*world.nodes.values()][:1])
        return world


def clusters(
    *,
    min_nodes: int = 2,
    max_nodes: int = 7,
    profiles: Iterable[Callable[..., Config]] = _PROFILES,
    **fixed: Any,
) -> st.SearchStrategy[Cluster]:
    """Clusters of mixed sizes, settings and versions, whose nodes are compatible with each other.

    Args:
        min_nodes: minimum size.
        max_nodes: maximum size.
        profiles: one of them applies to all nodes.
        fixed: fields of ``Config`` that do not vary.
    """
    return _clusters(st.integers(min_nodes, max_nodes), list(profiles), fixed)


@st.composite
def _clusters(
    draw: st.DrawFn,
    counts: st.SearchStrategy[int],
    profiles: list[Callable[..., Config]],
    fixed: dict[str, Any],
) -> Cluster:
    profile = draw(st.sampled_from(profiles))
    shared = {key: value for key, value in _OPTIONS.items() if key not in fixed and key not in _PER_NODE}
    common = fixed | draw(st.fixed_dictionaries({}, optional=shared))
    own = {key: _OPTIONS[key] for key in _PER_NODE if key not in fixed}
    options = st.fixed_dictionaries({}, optional=own)
    names = [f"n{number}" for number in range(1, draw(counts) + 1)]
    configs = [draw(_made(profile, {"name": name} | common | draw(options))) for name in names]
    return Cluster(tuple(configs))


# -- the network


def latencies(*, longest: float = 0.5) -> st.SearchStrategy[Latency]:
    """Distributions with means of at most ``longest`` seconds."""
    seconds = st.sampled_from([0.001, 0.0005, 0.01, 0.05, 0.2, 0.5]).filter(lambda value: value <= longest)
    return st.one_of(
        st.builds(Constant, seconds),
        st.builds(Exponential, seconds),
        st.builds(Uniform, st.just(0.0), seconds),
    )


def _chances(highest: float) -> st.SearchStrategy[float]:
    return st.integers(0, round(highest * 20)).map(lambda twentieths: twentieths / 20)


def links(*, worst: float = 0.5, slowest: float = 0.2, corrupt: float = 0.0) -> st.SearchStrategy[Link]:
    """One direction between two hosts.

    Args:
        worst: maximum probability, 0 to 1, of each fault of a packet or stream.
        slowest: maximum mean latency, seconds.
        corrupt: maximum probability that a bit is flipped. Packets of protocol 5 have a checksum, and
            encrypted ones are authenticated; in others the claims change, and properties may not hold.
    """
    chance = _chances(worst)
    return st.builds(
        Link,
        latency=latencies(longest=slowest),
        loss=chance,
        burst=st.none() | st.builds(Burst, start=chance, stop=st.sampled_from([0.5, 0.1]), loss=chance),
        duplicate=chance,
        reorder=chance,
        corrupt=_chances(corrupt),
        mtu=st.sampled_from([None, 1500]),
        bandwidth=st.sampled_from([None, 1e6, 1e5]),
        refuse=chance,
        reset=chance,
        stall=chance,
        half_open=chance,
    )


def networks(*, worst: float = 0.25, slowest: float = 0.05) -> st.SearchStrategy[Network]:
    """Networks with one link for all; ``SetLink`` in a schedule changes single links. See ``links``."""
    return st.builds(Network, links(worst=worst, slowest=slowest), dns_latency=latencies(longest=slowest))


# -- faults


def fault_schedules(
    nodes: Sequence[str],
    seconds: float,
    *,
    kinds: Iterable[type[f.Fault]] = DEFAULT_KINDS,
    max_faults: int = 8,
) -> st.SearchStrategy[Schedule]:
    """Schedules of faults, in order of time.

    Args:
        nodes: ids of the existing hosts, at least one.
        seconds: by then everything has begun and, if it ends by itself, ended.
        kinds: kinds of fault to draw from, the simplest first. Of those in ``sims.faults``, ``Add``,
            ``SetNames`` and ``Translate`` need values that only you know, and are refused.
        max_faults: maximum number in one schedule.

    Raises:
        ConfigError: naming an argument: no nodes, or a kind that cannot be drawn.
    """
    if not checks.texts("nodes", nodes):
        raise ConfigError("nodes", "is empty, and a fault needs a host")
    checks.number("seconds", seconds)
    checks.whole_number("max_faults", max_faults)
    kinds = list(kinds)
    makers = _makers(list(nodes), seconds)
    for kind in kinds:
        if kind not in makers:
            raise ConfigError("kinds", f"fault_schedules cannot draw {getattr(kind, '__name__', kind)}")
    if len(nodes) < 2:
        kinds = [kind for kind in kinds if kind not in (f.Split, f.CutPair, f.Join, f.ForceLeave)]
    one = st.one_of([makers[kind] for kind in kinds])
    return st.lists(one, max_size=max_faults).map(
        lambda drawn: Schedule(sorted(drawn, key=lambda fault: fault.at))
    )


def _makers(nodes: list[str], seconds: float) -> dict[type[f.Fault], st.SearchStrategy[f.Fault]]:
    node = st.sampled_from(nodes)
    start = durations(0.0, seconds)
    pair = st.permutations(nodes).map(lambda order: tuple(order[:2]))

    def lasting(kind: type[f.Fault], *what: st.SearchStrategy[Any], **more: Any) -> Any:
        """A fault that is over by the end of the schedule."""
        return durations(0.0, max(0.0, seconds - 0.25)).flatmap(
            lambda at: st.builds(
                kind, st.just(at), *what, seconds=durations(0.25, max(0.25, seconds - at)), **more
            )
        )

    return {
        f.Crash: st.builds(f.Crash, start, node, silent=st.booleans()),
        f.Restart: st.builds(f.Restart, start, node, snapshot=st.booleans()),
        f.Readdress: st.builds(f.Readdress, start, node, snapshot=st.booleans()),
        f.Pause: lasting(f.Pause, node),
        f.Block: lasting(f.Block, node),
        f.SlowReader: lasting(f.SlowReader, node, latency=latencies()),
        f.SetClock: st.builds(f.SetClock, start, node, st.floats(-100.0, 100.0)),
        f.Join: pair.flatmap(lambda two: st.builds(f.Join, start, st.just(two[0]), st.just(two[1:]))),
        f.Leave: st.builds(f.Leave, start, node, stop=st.booleans()),
        f.Rejoin: st.builds(f.Rejoin, start, node),
        f.SetTags: st.builds(f.SetTags, start, node, st.sampled_from([{}, {"role": "a"}, {"role": "b"}])),
        f.Send: pair.flatmap(lambda two: st.builds(f.Send, start, *map(st.just, two))),
        f.Broadcast: st.builds(f.Broadcast, start, node),
        f.ChangeKey: st.builds(
            f.ChangeKey, start, node, st.sampled_from(["install", "use", "remove"]), st.integers(0, 2)
        ),
        f.SendUserEvent: st.builds(f.SendUserEvent, start, node, count=st.integers(1, 3)),
        f.SendQuery: st.builds(
            f.SendQuery,
            start,
            node,
            st.just(()) | pair,
            ack=st.booleans(),
            relay_factor=st.sampled_from([0, 2]),
            finish_early=st.booleans(),
        ),
        f.ForceLeave: pair.flatmap(
            lambda two: st.builds(f.ForceLeave, start, *map(st.just, two), prune=st.booleans())
        ),
        f.Split: lasting(f.Split, splits(nodes)),
        f.CutPair: pair.flatmap(
            lambda two: lasting(f.CutPair, st.just(two[:1]), st.just(two[1:]), one_way=st.booleans())
        ),
        f.SetLink: lasting(f.SetLink, st.none() | node, st.none() | node, link=links()),
    }


def splits(nodes: Sequence[str]) -> st.SearchStrategy[tuple[tuple[str, ...], ...]]:
    """Two non-empty groups that contain every node, as for ``Split``."""
    return st.sets(st.sampled_from(list(nodes)), min_size=1, max_size=max(1, len(nodes) - 1)).map(
        lambda side: (
            tuple(node for node in nodes if node in side),
            tuple(node for node in nodes if node not in side),
        )
    )


# -- packets


def packets(
    config: Config | None = None, *, names: Sequence[str] = ("n1", "n2", "x")
) -> st.SearchStrategy[bytes]:
    """Datagrams for a node: valid ones in its encoding, slightly broken ones, and arbitrary bytes.

    Args:
        config: the receiver's label, keys and compression; by default none of them.
        names: the members that the messages are about.
    """
    keys = config.keys if config is not None else ()
    framing = PacketCodec(config or Config.lan(name="x"), Keyring(keys), lambda: bytes(12))
    return _packets(framing, list(names)) | st.binary(max_size=100)


@st.composite
def _packets(draw: st.DrawFn, framing: PacketCodec, names: list[str]) -> bytes:
    messages = draw(st.lists(_messages(names), min_size=1, max_size=4))
    data = bytearray(framing.seal([codec.encode(message) for message in messages], crc=draw(st.booleans())))
    for place, value in draw(_edits()):
        if value is None:
            del data[place:]
        elif place < len(data):
            data[place] = value
    return bytes(data)


def _messages(names: Sequence[str]) -> st.SearchStrategy[Any]:
    name = st.sampled_from(list(names)) | st.text(min_size=1, max_size=8)
    number = st.integers(0, 5) | st.integers(0, 2**32 - 1)
    port = st.integers(0, 65535)
    address = st.integers(1, 9).map(lambda last: bytes((10, 0, 0, last))) | st.binary(max_size=17)
    body = st.none() | st.binary(max_size=20)
    vsn = st.just(bytes((1, 5, 2, 2, 5, 5))) | st.binary(max_size=7)
    return st.one_of(
        st.builds(Ping, number, name, address, port, name),
        st.builds(IndirectPing, number, address, port, name, st.booleans(), address, port, name),
        st.builds(Ack, number, body),
        st.builds(Nack, number),
        st.builds(Suspect, number, name, name),
        st.builds(Dead, number, name, name),
        st.builds(Alive, number, name, address, port, body, vsn),
        st.builds(User, st.binary(max_size=40)),
    )


def _edits() -> st.SearchStrategy[list[tuple[int, int | None]]]:
    """Places in a packet, and their replacements; None truncates the packet."""
    return st.lists(st.tuples(st.integers(0, 200), st.none() | st.integers(0, 255)), max_size=4)
