"""How each kind of trouble is drawn: a few related faults, at a random time, on random hosts."""

from __future__ import annotations

from collections.abc import Callable

from sims.faults import (
    Add,
    Block,
    Broadcast,
    ChangeKey,
    Crash,
    CutPair,
    Fault,
    ForceLeave,
    Leave,
    Pause,
    Readdress,
    Rejoin,
    Restart,
    Send,
    SendQuery,
    SendUserEvent,
    SetClock,
    SetLink,
    SetNames,
    SetTags,
    SlowReader,
    Split,
    Translate,
)
from sims.faults.schedule import Schedule
from sims.world.latency import Exponential
from sims.world.network import Burst, Link, Nat
from swim.core.rng import Rng

__all__ = [
    "ANCHOR",
    "KINDS",
    "LATEST",
    "SEED_NAME",
    "Planner",
    "clocks",
    "firewalls",
    "messages",
    "rotations",
    "user_events",
]

ANCHOR = "n1"
"""The host that all nodes join; in an anchored run it never moves or leaves."""

SEED_NAME = "seeds.example"
"""The seed name of nodes that start apart; at first it resolves to the anchor."""

_CHANCES = (0.02, 0.1, 0.3, 0.6)
_CORRUPT = 0.01
LATEST = 45.0
"""Maximum seconds that a packet is delayed; by then, members that it claims alive may be dead and reaped."""


class Planner:
    """Draws a schedule.

    Args:
        rng: decides.
        hosts: ids of the first hosts.
        link: the usual link.
        slower: stretches all durations.
        anchored: spares the anchor.
    """

    def __init__(self, rng: Rng, hosts: list[str], link: Link, slower: float, *, anchored: bool) -> None:
        self.rng = rng
        self.hosts = hosts
        self.link = link
        self.anchored = anchored
        self._slower = slower

    def plan(self, kinds: tuple[str, ...], count: int, seconds: float) -> Schedule:
        """Draws ``count`` times from the kinds; faults that would begin after ``seconds`` are omitted."""
        if not kinds:
            return Schedule()
        # Most of them late, so that many are in progress when healing begins.
        draws = [(self.rng.uniform(0.0, seconds), self.rng.uniform(0.0, seconds)) for _ in range(count)]
        times = sorted(round(max(pair), 3) for pair in draws)
        drawn = [fault for at in times for fault in KINDS[self.rng.choice(kinds)](self, at)]
        return Schedule(sorted((f for f in drawn if f.at <= seconds), key=lambda fault: fault.at))

    def host(self) -> str:
        """Any host."""
        return self.rng.choice(self.hosts)

    def loose(self) -> str:
        """Any host that is not anchored."""
        return self.rng.choice([host for host in self.hosts if host != ANCHOR or not self.anchored])

    def some(self) -> tuple[str, ...]:
        """One host, or a few, or about half."""
        wanted = self.rng.choice((1, 2, max(1, len(self.hosts) // 2)))
        shuffled = list(self.hosts)
        self.rng.shuffle(shuffled)
        return tuple(sorted(shuffled[:wanted]))

    def rest(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """All other hosts."""
        return tuple(host for host in self.hosts if host not in hosts)

    def duration(self) -> float:
        """Shorter than a probe round, shorter than a suspicion, or longer than both; seconds."""
        low, high = self.rng.choice(((0.1, 2.0), (2.0, 12.0), (12.0, 60.0)))
        return round(self.rng.uniform(low, high) * self._slower, 3)

    def chance(self) -> float:
        """A probability for a fault of a bad link."""
        return self.rng.choice(_CHANCES)


def _crash(plan: Planner, at: float) -> list[Fault]:
    return [Crash(at, plan.host(), silent=bool(plan.rng.below(2)))]


def _restart(plan: Planner, at: float) -> list[Fault]:
    return [Restart(at, plan.host(), snapshot=bool(plan.rng.below(2)))]


def _bounce(plan: Planner, at: float) -> list[Fault]:
    node = plan.host()
    back = round(at + plan.duration(), 3)
    return [Crash(at, node), Restart(back, node, snapshot=bool(plan.rng.below(2)))]


def _readdress(plan: Planner, at: float) -> list[Fault]:
    return [Readdress(at, plan.loose(), snapshot=bool(plan.rng.below(2)))]


def _pause(plan: Planner, at: float) -> list[Fault]:
    return [Pause(at, plan.host(), plan.duration())]


def _block(plan: Planner, at: float) -> list[Fault]:
    return [Block(at, host, plan.duration()) for host in plan.some()]


def _slow(plan: Planner, at: float) -> list[Fault]:
    latency = Exponential(plan.rng.choice((0.005, 0.05, 0.3)))
    return [SlowReader(at, plan.host(), latency, plan.duration())]


def _add(plan: Planner, at: float) -> list[Fault]:
    node = f"n{len(plan.hosts) + 1}"
    seed = ANCHOR if plan.anchored else plan.host()
    plan.hosts.append(node)
    return [Add(at, node, (seed,))]


def _leave(plan: Planner, at: float) -> list[Fault]:
    return [Leave(at, plan.loose())]


def _rejoin(plan: Planner, at: float) -> list[Fault]:
    node = plan.loose()
    return [Leave(at, node, stop=False), Rejoin(round(at + plan.duration(), 3), node)]


def _tags(plan: Planner, at: float) -> list[Fault]:
    return [SetTags(at, plan.host(), {"number": str(plan.rng.below(100))})]


def _force_leave(plan: Planner, at: float) -> list[Fault]:
    return [ForceLeave(at, plan.host(), plan.host(), prune=bool(plan.rng.below(2)))]


def _split(plan: Planner, at: float) -> list[Fault]:
    side = plan.some()
    return [Split(at, (side, plan.rest(side)), plan.duration())]


def _one_way(plan: Planner, at: float) -> list[Fault]:
    side = plan.some()
    sides = (side, plan.rest(side))
    first = plan.rng.below(2)
    return [CutPair(at, sides[first], sides[1 - first], plan.duration(), one_way=True)]


def _cut_some(plan: Planner, at: float) -> list[Fault]:
    return [CutPair(at, plan.some(), plan.some(), plan.duration())]


def _names(plan: Planner, at: float) -> list[Fault]:
    others = plan.some() if plan.rng.below(2) else ()
    return [SetNames(at, SEED_NAME, others)]


def _nat(plan: Planner, at: float) -> list[Fault]:
    node = plan.loose()
    nat = Nat((f"192.0.2.{plan.hosts.index(node) + 1}", 7946), restricted=bool(plan.rng.below(2)))
    return [Translate(at, node, nat), Translate(round(at + plan.duration(), 3), node, None)]


def _bad_link(plan: Planner, at: float) -> list[Fault]:
    rng = plan.rng

    def sometimes() -> float:
        return plan.chance() if rng.below(3) == 0 else 0.0

    link = Link(
        latency=plan.link.latency,
        loss=sometimes(),
        burst=Burst(start=0.05, stop=0.2) if rng.below(4) == 0 else None,
        duplicate=sometimes(),
        reorder=sometimes(),
        reorder_delay=rng.choice((0.05, 0.05, 5.0, LATEST)),
        corrupt=_CORRUPT if rng.below(4) == 0 else 0.0,
        mtu=rng.choice((500, 900)) if rng.below(8) == 0 else None,
        bandwidth=rng.choice((2_000.0, 20_000.0)) if rng.below(8) == 0 else None,
        refuse=sometimes(),
        reset=sometimes(),
        stall=sometimes(),
        half_open=sometimes(),
    )
    source = plan.host() if rng.below(2) else None
    target = plan.host() if rng.below(2) else None
    return [SetLink(at, source, target, link, plan.duration())]


def messages(rng: Rng, hosts: list[str], seconds: float) -> list[Fault]:
    """Messages between applications: none in half of the runs, so that the others' draws do not move."""
    found: list[Fault] = []
    for _ in range(rng.below(2) * rng.below(40)):
        at, node = round(rng.uniform(0.0, seconds), 3), rng.choice(hosts)
        found.append(Send(at, node, rng.choice(hosts)) if rng.below(3) else Broadcast(at, node))
    return found


def user_events(rng: Rng, hosts: list[str], seconds: float) -> list[Fault]:
    """User events, queries and changes of tags of applications; none in half of the runs, as above."""
    found: list[Fault] = []
    for _ in range(rng.below(2) * rng.below(40)):
        at, node = round(rng.uniform(0.0, seconds), 3), rng.choice(hosts)
        what = rng.below(5)
        if what < 2:
            count = rng.choice((1, 1, 1, 2, 30))
            found.append(SendUserEvent(at, node, count=count, coalesce=bool(rng.below(2))))
        elif what < 4:
            asked = (rng.choice(hosts),) if rng.below(4) == 0 else ()
            ack, early, relays = bool(rng.below(2)), bool(rng.below(2)), rng.choice((0, 0, 2, 5))
            found.append(SendQuery(at, node, asked, ack=ack, relay_factor=relays, finish_early=early))
        else:
            found.append(SetTags(at, node, {"turn": str(rng.below(100))}))
    return found


def rotations(rng: Rng, hosts: list[str], seconds: float, keys: int) -> list[Fault]:
    """Changes of gossip keys; none without encryption, and in half of the runs, as above.

    Any member may make all encrypt with any of the ``keys`` that all hold, at any time, so no order of what
    happens may cut one off; one more key comes and goes.
    """
    found: list[Fault] = []
    for _ in range(rng.below(2) * rng.below(12) if keys else 0):
        at, node = round(rng.uniform(0.0, seconds), 3), rng.choice(hosts)
        operation = rng.choice(("install", "use", "use", "remove"))
        found.append(ChangeKey(at, node, operation, rng.below(keys) if operation == "use" else keys))
    return found


def clocks(rng: Rng, hosts: list[str], seconds: float) -> list[Fault]:
    """Wall clocks that are wrong, and go on drifting; none in half of the runs, as above."""
    found: list[Fault] = []
    for node in hosts if rng.below(2) else ():
        ahead = rng.choice((0.0, 0.0, 0.05, 0.4, 5.0, 3600.0))
        for at in sorted(round(rng.uniform(0.0, seconds), 3) for _ in range(rng.below(4))):
            ahead += rng.uniform(-0.3, 0.3)
            found.append(SetClock(at, node, round(ahead, 3)))
    return found


def firewalls(rng: Rng, hosts: list[str], seconds: float, usual: Link) -> list[Fault]:
    """Hosts behind a firewall that rejects streams for a while, with or without packets; as above.

    It answers for a process that runs, as the host of one that is gone does.
    """
    found: list[Fault] = []
    for _ in range(rng.below(2) * rng.below(4)):
        at, node = round(rng.uniform(0.0, seconds), 3), rng.choice(hosts)
        link = Link(latency=usual.latency, refuse=1.0, loss=rng.choice((0.0, 1.0)))
        found.append(SetLink(at, None, node, link, round(rng.uniform(0.5, 20.0), 3)))
    return found


KINDS: dict[str, Callable[[Planner, float], list[Fault]]] = {
    "crash": _crash,
    "restart": _restart,
    "bounce": _bounce,
    "readdress": _readdress,
    "pause": _pause,
    "block": _block,
    "slow-reader": _slow,
    "add": _add,
    "leave": _leave,
    "rejoin": _rejoin,
    "tags": _tags,
    "force-leave": _force_leave,
    "split": _split,
    "one-way": _one_way,
    "cut-some": _cut_some,
    "names": _names,
    "nat": _nat,
    "bad-link": _bad_link,
}
"""The kinds by name, with the function that draws each."""
