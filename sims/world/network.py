"""The virtual network: links with their faults, partitions, address translation and name service.

Everything is off by default and then costs nothing. A host is named by its id in the world. Rules are looked
up in a fixed order: the link of the pair, else the rule for the sender, else that for the receiver, else the
default.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple

from sims.errors import UsageError
from sims.world.latency import LATENCY, Constant, Exponential, Latency
from swim import checks
from swim.addresses import Endpoint, join_host_port
from swim.core.rng import Rng
from swim.errors import ConfigError

__all__ = [
    "RETRANSMISSIONS_MAX",
    "RETRANSMISSION_SECONDS",
    "Burst",
    "Cut",
    "Fate",
    "Link",
    "Nat",
    "Network",
    "Passage",
]

RETRANSMISSION_SECONDS = 0.2
"""Seconds until a lost segment of a stream is first sent again; each further wait is twice as long."""
RETRANSMISSIONS_MAX = 6
"""How often a segment of a stream is sent again before the stream breaks."""

_LAN = Exponential(0.0005)
_DNS = Constant(0.001)
_PLAIN_FIELDS = (
    "loss",
    "duplicate",
    "reorder",
    "corrupt",
    "refuse",
    "reset",
    "stall",
    "half_open",
)

Fate = Literal["sent", "lost", "cut", "mtu", "queue-full", "no-host", "corrupted"]
"""The fate of a packet, decided when it is sent. A ``corrupted`` one arrives, with a bit flipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Loss in bursts (Gilbert-Elliott): a link turns bad and good again, packet by packet.

    Attributes:
        start: chance per packet, 0 to 1, that a good link turns bad.
        stop: chance per packet that a bad one turns good; bursts last 1/stop packets on average.
        loss: chance that a packet is lost while the link is bad.

    Raises:
        ConfigError: naming the field that is not a probability.
    """

    start: float
    stop: float
    loss: float = 1.0

    def __post_init__(self) -> None:
        _check_chances(self, ("start", "stop", "loss"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One direction between two hosts. Probabilities are from 0 to 1, per packet or per stream.

    Attributes:
        latency: of every packet, and of every segment of a stream.
        loss: independent; in a stream it costs retransmissions (200 ms, doubling), not bytes.
        burst: additional loss in bursts.
        duplicate: the packet arrives a second time.
        reorder: the packet is held back for up to ``reorder_delay`` seconds.
        corrupt: one bit is flipped.
        mtu: larger packets vanish, bytes.
        bandwidth: bytes per second; packets beyond it wait.
        queue: bytes that may wait for bandwidth; more is dropped.
        refuse: a stream is refused.
        reset: an accepted stream breaks when the answer comes.
        stall: a stream hangs until its deadline.
        half_open: a stream is accepted, but no bytes arrive in either direction.
        is_plain: whether the link only delays; follows from the others.

    Raises:
        ConfigError: naming the field that is out of range.
    """

    latency: Latency = _LAN
    loss: float = 0.0
    burst: Burst | None = None
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_delay: float = 0.05
    corrupt: float = 0.0
    mtu: int | None = None
    bandwidth: float | None = None
    queue: int = 65_536
    refuse: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    half_open: float = 0.0
    is_plain: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        _check_chances(self, _PLAIN_FIELDS)
        LATENCY("latency", self.latency)
        checks.optional(checks.instance("a Burst", Burst))("burst", self.burst)
        if self.bandwidth is not None and not checks.number("bandwidth", self.bandwidth) > 0.0:
            raise ConfigError("bandwidth", f"must be more than 0, not {self.bandwidth!r}")
        if self.mtu is not None:
            checks.whole_number("mtu", self.mtu, at_least=1)
        checks.whole_number("queue", self.queue)
        checks.number("reorder_delay", self.reorder_delay)
        shapes = (self.burst, self.mtu, self.bandwidth)
        is_plain = shapes == (None, None, None) and not any(getattr(self, name) for name in _PLAIN_FIELDS)
        object.__setattr__(self, "is_plain", is_plain)  # read for every packet

    def __repr__(self) -> str:
        changed = [each for each in fields(self) if each.init and getattr(self, each.name) != each.default]
        return f"Link({', '.join(f'{each.name}={getattr(self, each.name)!r}' for each in changed)})"


def _check_chances(owner: object, names: Iterable[str]) -> None:
    for name in names:
        if not 0.0 <= checks.number(name, getattr(owner, name), at_least=-math.inf) <= 1.0:
            raise ConfigError(name, f"must be a chance from 0 to 1, not {getattr(owner, name)!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Nothing passes from ``sources`` to ``targets``, nor back unless it is ``one_way``.

    Two cuts between the same hosts are independent: healing one leaves the other.
    """

    sources: frozenset[str]
    targets: frozenset[str]
    one_way: bool = False

    def ends(self) -> dict[str, object]:
        """As a trace records it."""
        return {"sources": sorted(self.sources), "targets": sorted(self.targets), "one_way": self.one_way}

    def blocks(self, source: str, target: str) -> bool:
        """Whether a packet from one host to another is stopped."""
        if source in self.sources and target in self.targets:
            return True
        return not self.one_way and source in self.targets and target in self.sources


@dataclass(frozen=True, slots=True)
class Nat:
    """A host behind address translation, which others see and reach at ``public``.

    Attributes:
        public: the address at which others reach it.
        restricted: admits only packets from addresses that the host sent to in the last ``timeout`` seconds.
        outgoing: the source address of its packets as others see it; None is ``public``.
    """

    public: Endpoint
    restricted: bool = True
    timeout: float = 30.0
    outgoing: Endpoint | None = None


class Passage(NamedTuple):
    """The network's decision about one packet: its fate, and the seconds until each copy arrives."""

    fate: Fate
    delays: tuple[float, ...]


class Network:
    """The links of one world. Hosts are named by id; a missing rule means the default link.

    Args:
        default: the link where no other rule applies.
        dns_latency: of name lookups.
    """

    @checks.arguments(default=checks.optional(checks.instance("a Link", Link)), dns_latency=LATENCY)
    def __init__(self, default: Link | None = None, *, dns_latency: Latency = _DNS) -> None:
        self.default = default or Link()
        self.dns_latency = dns_latency
        self.cuts: list[Cut] = []
        self.nats: dict[str, Nat] = {}
        self.names: dict[str, tuple[Endpoint, ...]] = {}
        """Answers of the name service: host name to endpoints; change it at any time."""
        self._links: dict[tuple[str | None, str | None], Link] = {}
        self._bad: set[tuple[str, str]] = set()
        self._free_at: dict[tuple[str, str], float] = {}
        self._opened: dict[tuple[str, Endpoint], float] = {}
        self.is_plain = self.default.is_plain
        """Whether every packet passes, after the default link's latency."""
        self._tell: Callable[..., None] | None = None

    def enter(self, tell: Callable[..., None]) -> None:
        """A world takes this network, and is notified whenever a rule changes.

        The network tracks packets in flight, so no other world may use it.

        Raises:
            UsageError: another world uses it.
        """
        if self._tell is not None:
            raise UsageError("a Network carries one world; make another one")
        self._tell = tell

    # -- rules

    def set_default(self, link: Link) -> None:
        """Replaces the default link."""
        self.default = link
        self._changed("set-link", source=None, target=None, link=repr(link))

    def set_link(self, source: str | None, target: str | None, link: Link | None) -> None:
        """Sets the rule of one direction. None means every host; ``link=None`` removes the rule."""
        if link is None:
            self._links.pop((source, target), None)
        else:
            self._links[source, target] = link
        self._changed("set-link", source=source, target=target, link=repr(link) if link else None)

    def rule(self, source: str | None, target: str | None) -> Link | None:
        """The rule that ``set_link`` set for exactly this direction, or None."""
        return self._links.get((source, target))

    @property
    def links(self) -> list[Link]:
        """The default link, and all that rules name."""
        return [self.default, *self._links.values()]

    def link(self, source: str, target: str) -> Link:
        """The link for packets from one host to another."""
        links = self._links
        if not links:
            return self.default
        return (
            links.get((source, target))
            or links.get((source, None))
            or links.get((None, target))
            or self.default
        )

    def cut(self, sources: Iterable[str], targets: Iterable[str], *, one_way: bool = False) -> Cut:
        """Stops everything from ``sources`` to ``targets``, and back unless ``one_way``."""
        cut = Cut(frozenset(sources), frozenset(targets), one_way)
        self.cuts.append(cut)
        self._changed("cut", **cut.ends())
        return cut

    def partition(self, *groups: Iterable[str]) -> None:
        """Stops everything between any two of the groups."""
        sides = [frozenset(group) for group in groups]
        for index, side in enumerate(sides):
            for other in sides[index + 1 :]:
                self.cut(side, other)

    def heal(self, cut: Cut | None = None) -> None:
        """Removes one cut, or all of them."""
        if cut is None:
            self.cuts.clear()
        elif cut in self.cuts:
            self.cuts.remove(cut)
        self._changed("heal", **(cut.ends() if cut is not None else {}))

    def calm(self) -> None:
        """Removes every cut and every rule, and makes the default link only delay."""
        self.cuts.clear()
        self._links.clear()
        self._bad.clear()
        self._free_at.clear()
        self.default = Link(latency=self.default.latency)
        self._changed("calm")

    def set_names(self, host: str, endpoints: Sequence[Endpoint]) -> None:
        """Changes what a name resolves to; an empty answer is "no such host"."""
        self.names[host] = tuple(endpoints)
        self._changed("set-names", name=host, endpoints=[join_host_port(*endpoint) for endpoint in endpoints])

    # -- what happens to a packet

    def is_cut(self, source: str, target: str) -> bool:
        """Whether a partition stops packets from one host to another."""
        return any(cut.blocks(source, target) for cut in self.cuts)

    def carry(self, now: float, source: str, target: str, size: int, rng: Rng) -> Passage:
        """Decides the fate of one packet of ``size`` bytes."""
        if self.cuts and self.is_cut(source, target):
            return Passage("cut", ())
        link = self.link(source, target)
        if link.is_plain:
            return Passage("sent", (link.latency.draw(rng),))
        if link.mtu is not None and size > link.mtu:
            return Passage("mtu", ())
        if self._is_lost(source, target, link, rng):
            return Passage("lost", ())
        waits = 0.0
        if link.bandwidth is not None:
            if self._backlog(now, source, target) * link.bandwidth > link.queue:
                return Passage("queue-full", ())
            waits = self._wait(now, source, target, size, link.bandwidth)
        delays = [waits + link.latency.draw(rng)]
        if link.reorder and rng.uniform(0, 1) < link.reorder:
            delays[0] += round(rng.uniform(0, link.reorder_delay), 6)
        if link.duplicate and rng.uniform(0, 1) < link.duplicate:
            delays.append(waits + link.latency.draw(rng))
        corrupted = link.corrupt and rng.uniform(0, 1) < link.corrupt
        return Passage("corrupted" if corrupted else "sent", tuple(delays))

    def stream_delay(self, now: float, source: str, target: str, size: int, rng: Rng) -> float | None:
        """Seconds that a segment of a stream takes, including retransmissions; None if it never arrives.

        Where packets would be dropped, a stream's sender slows down: bandwidth costs time, whatever the
        queue.
        """
        if self.is_cut(source, target):
            return None
        link = self.link(source, target)
        delay = link.latency.draw(rng)
        if link.bandwidth is not None:
            delay += self._wait(now, source, target, size, link.bandwidth)
        for attempt in range(RETRANSMISSIONS_MAX + 1):
            if not self._is_lost(source, target, link, rng):
                return delay
            delay += RETRANSMISSION_SECONDS * 2**attempt
        return None

    # -- address translation

    def seen_as(self, now: float, host: str, own: Endpoint, to: Endpoint) -> Endpoint:
        """The source address of a packet as its receiver sees it; opens the way back."""
        nat = self.nats.get(host)
        if nat is None:
            return own
        self._opened[host, to] = now
        return nat.outgoing or nat.public

    def lets_in(self, now: float, host: str, used: Endpoint, source: Endpoint) -> bool:
        """Whether a packet from ``source`` sent to the address ``used`` reaches the host."""
        nat = self.nats.get(host)
        if nat is None:
            return True
        if used != nat.public:
            return False
        opened = self._opened.get((host, source))
        return not nat.restricted or (opened is not None and now - opened <= nat.timeout)

    # -- inside

    def _changed(self, kind: str, **detail: object) -> None:
        if self._tell is not None:
            self._tell(kind, **detail)
        self.is_plain = not self.cuts and not self._links and self.default.is_plain

    def _is_lost(self, source: str, target: str, link: Link, rng: Rng) -> bool:
        if link.loss and rng.uniform(0, 1) < link.loss:
            return True
        return self._is_lost_in_burst(source, target, link, rng)

    def _is_lost_in_burst(self, source: str, target: str, link: Link, rng: Rng) -> bool:
        burst = link.burst
        if burst is None:
            return False
        pair = (source, target)
        if rng.uniform(0, 1) < (burst.stop if pair in self._bad else burst.start):
            self._bad ^= {pair}
        return pair in self._bad and rng.uniform(0, 1) < burst.loss

    def _backlog(self, now: float, source: str, target: str) -> float:
        """Seconds until everything that waits for bandwidth is sent."""
        return max(0.0, self._free_at.get((source, target), 0.0) - now)

    def _wait(self, now: float, source: str, target: str, size: int, bandwidth: float) -> float:
        takes = self._backlog(now, source, target) + size / bandwidth
        self._free_at[source, target] = now + takes
        return round(takes, 6)
