"""User events and queries under loss, partitions and restarts, in storms, and with stamps that are wrong."""

from __future__ import annotations

from functools import partial

from sims.faults.commands import QUERY_NAME, SendQuery
from sims.faults.rules import Overrides
from sims.measure import quantile
from sims.scenarios.partitions import heal, part
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import first_nodes, limit, settled
from sims.theory.bounds import dissemination_bound, healing_bound, join_bound
from sims.world import World
from sims.world.host import SimNode
from sims.world.network import Link
from sims.world.observer import Observer
from swim.commands import Ticket
from swim.errors import LocalError
from swim.events import Event, QueryResponse, UserEvent
from swim.serf.messages import JoinIntent, LeaveIntent, Query, encode_serf
from swim.serf.messages import UserEvent as UserEventMessage
from swim.wire.codec import encode
from swim.wire.messages import User

__all__ = [
    "clock_poisoning",
    "duplicate_stamps",
    "event_storm",
    "events_under_loss",
    "late_join",
    "query_under_partition",
]


class _Arrivals(Observer):
    """When each node received which user event, in its current life."""

    def __init__(self) -> None:
        self.seconds: dict[bytes, dict[str, float]] = {}
        self.count = 0

    def event(self, world: World, node: SimNode, event: Event) -> None:
        if isinstance(event, UserEvent):
            self.count += 1
            self.seconds.setdefault(event.payload, {}).setdefault(node.id, world.now)

    def at(self, node: SimNode) -> set[bytes]:
        """Payloads of the events that a host received."""
        return {payload for payload, hosts in self.seconds.items() if node.id in hosts}


def _arrivals(world: World) -> _Arrivals:
    arrivals = _Arrivals()
    world.observe(arrivals)
    return arrivals


def _spread(run: Run, world: World, arrivals: _Arrivals, sent: dict[bytes, float], within: float) -> None:
    """Waits until all running nodes have all of these events; measures how long each took."""
    nodes = world.running()
    run.expect_soon(
        world, lambda w: all(sent.keys() <= arrivals.at(node) for node in nodes), within, "an event was lost"
    )
    took = [
        max(arrivals.seconds[payload][node.id] for node in nodes) - at
        for payload, at in sent.items()
        if all(node.id in arrivals.seconds.get(payload, {}) for node in nodes)
    ]
    if took:
        run.measure("median_all_seconds", quantile(took, 0.5))
        run.measure("last_all_seconds", max(took))


@scenario(
    "event-storm",
    events=300,
    senders=5,
    seconds=1.0,
    at_least={"events": 1, "senders": 1, "seconds": 0.01},
    at_most={"events": 20_000, "seconds": 60.0},
)
def event_storm(run: Run) -> None:
    """Several nodes send hundreds of user events within seconds: each must arrive everywhere, once.

    What is more than gossip spreads is refused to its sender, and not counted.
    """
    world = settled(run)
    arrivals, rng = _arrivals(world), world.random_for("event storm")
    senders, sent = first_nodes(world, run["senders"], skip=0), dict[bytes, float]()
    for number in range(run["events"]):
        at, payload = world.now + rng.uniform(0.0, run["seconds"]), f"event {number}".encode()
        world.at(at, _send, senders[number % len(senders)], payload, sent)
    world.run_for(run["seconds"])
    refused = run["events"] - len(sent)
    run.measure("refused", refused)
    run.measure("waiting", max(len(node.inspect().events) for node in senders))
    _spread(run, world, arrivals, sent, 60.0)
    drops = sum(node.metrics.counters["swim.dropped.queue-full"] for node in world.nodes.values())
    run.expect(not drops, f"{drops} broadcasts were dropped")
    counted = sum(node.metrics.counters["swim.dropped.user-events-waiting"] for node in world.nodes.values())
    run.expect(counted == refused, f"{refused} events were refused, and {counted} counted")


def _send(node: SimNode, payload: bytes, sent: dict[bytes, float]) -> None:
    try:
        node.user_event("storm", payload)
    except LocalError:
        return
    sent[payload] = node.now()


@scenario("events-under-loss", loss=0.2, seconds=60.0, at_least={"nodes": 6}, at_most={"loss": 1})
def events_under_loss(run: Run) -> None:
    """User events while packets are lost, two halves are apart for a while, and a node restarts.

    Each must have arrived everywhere once the network is whole: gossip brings it, or a push/pull. So must
    those sent while the restarted node was down.
    """
    world = settled(run)
    arrivals, names = _arrivals(world), list(world.nodes)
    down = world.host(names[-1])
    world.network.set_default(Link(latency=world.network.default.latency, loss=run["loss"]))
    half, sent = len(names) // 2, dict[bytes, float]()
    began, step = world.now, run["seconds"] / 12
    for number in range(12):
        world.at(began + step * number, _fire, world, number, sent)
    world.at(began + step * 2, world.network.partition, names[:half], names[half:])
    world.at(began + step * 3, world.crash, down)
    world.at(began + step * 6, world.network.heal)
    world.at(began + step * 8, world.restart, down)
    world.run_for(run["seconds"])
    world.network.calm()
    within = limit(world, healing_bound) + 3 * world.nodes["n1"].config.push_pull_interval
    _spread(run, world, arrivals, sent, within)
    run.expect_soon(world, lambda w: w.converged, within, "no agreement")


def _fire(world: World, number: int, sent: dict[bytes, float]) -> None:
    node, payload = list(world.nodes.values())[number % 5], f"event {number}".encode()
    node.user_event("news", payload)
    sent[payload] = world.now


def _ask(world: World, node: SimNode, *, timeout: float, early: bool) -> Ticket:
    """All nodes are asked; their applications answer."""
    SendQuery(0.0, node.id, timeout=timeout, finish_early=early).begin(world, Overrides())
    return list(node.tickets.values())[-1]


def _all_done(tickets: list[Ticket], _: World) -> bool:
    return all(ticket.is_done for ticket in tickets)


def _answered(ticket: Ticket) -> set[str]:
    return {reply.source for reply in ticket.replies if isinstance(reply, QueryResponse)}


@scenario("query-under-partition", seconds=60.0, timeout=8.0, at_least={"nodes": 4, "timeout": 0.1})
def query_under_partition(run: Run) -> None:
    """A query in each half of a partition, before and after it is noticed, and one when it is over.

    Only the own half may answer, and all of it must, once it is noticed. A query that may finish early must
    last its whole time until the other half is listed as failed, and end early from then on.
    """
    world = settled(run)
    names, timeout = list(world.nodes), run["timeout"]
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    world.network.partition(*halves)
    for early in (True, False):
        asked = world.now
        tickets = [_ask(world, world.host(half[0]), timeout=timeout, early=early) for half in halves]
        done = run.expect_soon(world, partial(_all_done, tickets), timeout + 0.1, "a query does not end")
        run.expect(done >= timeout - 0.1, f"a query ended after {world.now - asked:.1f} s, in a partition")
        for half, ticket in zip(halves, tickets, strict=True):
            answered = _answered(ticket)
            run.expect(answered <= set(half), f"{sorted(answered)} answered, of {half}")
            # Half of the copies are sent into the void until the other side is listed as failed.
            run.expect(
                len(answered) > len(half) / 2 and (early or answered == set(half)),
                f"of {half} only {sorted(answered)} answered",
            )
        if early:
            part(run, world, *halves, run["seconds"])
    ticket = _ask(world, world.host(halves[0][0]), timeout=timeout, early=True)
    run.measure(
        "half_seconds",
        run.expect_soon(world, lambda w: ticket.is_done, 0.9 * timeout, "a query does not end early"),
    )
    heal(run, world)
    ticket = _ask(world, world.host(names[0]), timeout=timeout, early=True)
    run.measure(
        "all_seconds",
        run.expect_soon(world, lambda w: ticket.is_done, 0.9 * timeout, "a query does not end early"),
    )
    run.expect(_answered(ticket) == set(names), "not all answered")


_POISON = (1 << 63, (1 << 64) - 1, (1 << 62) + 1, 1 << 40)


@scenario("clock-poisoning", at_least={"nodes": 2})
def clock_poisoning(run: Run) -> None:
    """Packets with absurd stamps: no clock may move, and events and queries sent later must arrive.

    The clocks of Serf agents wrap to 0 at 2^64 - 1, and follow any other stamp, for good.
    """
    world = settled(run)
    arrivals, [first, victim] = _arrivals(world), first_nodes(world, 2, skip=0)
    for number, ltime in enumerate(_POISON):
        query = Query(ltime, number, b"\x7f\0\0\1", 1, "x", (), 0, 0, 10**9, "poison", b"")
        event = UserEventMessage(ltime, "poison", b"poison", False)
        for message in (event, query, JoinIntent(ltime, victim.name), LeaveIntent(ltime, "x", False)):
            world.inject(victim, encode(User(encode_serf(message))), first.endpoint)
            world.run_for(0.5)
    highest = max(max(node.stats()[4:7]) for node in world.running())
    run.expect(highest < 1000, f"a clock is at {highest}")
    run.expect(b"poison" not in arrivals.seconds, "an event with an absurd stamp was handed out")
    sent = {b"after": world.now}
    victim.user_event("news", b"after")
    _spread(run, world, arrivals, sent, limit(world, dissemination_bound))
    ticket = _ask(world, first, timeout=8.0, early=True)
    run.expect_soon(world, lambda w: ticket.is_done, 7.0, f"not all answer {QUERY_NAME}")


@scenario("duplicate-stamps", at_least={"nodes": 3})
def duplicate_stamps(run: Run) -> None:
    """Two nodes send user events at the same moment, under one stamp: equal ones are one event, others two.

    The same name and payload under a later stamp is an event again.
    """
    world = settled(run)
    arrivals, [one, two] = _arrivals(world), first_nodes(world, 2, skip=0)
    within, nodes = limit(world, dissemination_bound), len(world.running())
    for payloads, expected in (((b"same", b"same"), 1), ((b"mine", b"yours"), 2), ((b"same", b"same"), 1)):
        before = arrivals.count
        for node, payload in zip((one, two), payloads, strict=True):
            node.user_event("news", payload)
        run.expect(one.stats().event_time == two.stats().event_time, "the stamps differ")
        world.run_for(within)
        count = arrivals.count - before
        run.expect(count == expected * nodes, f"{count} arrivals at {nodes} nodes, not {expected} at each")
    run.measure("arrivals", arrivals.count)


@scenario("late-join", events=20, at_least={"nodes": 3, "events": 1}, at_most={"events": 500})
def late_join(run: Run) -> None:
    """User events before others join: one that asks for them receives all; one that does not, none.

    A node that restarts with its snapshot receives those that it missed, and none again.
    """
    world = settled(run)
    arrivals, [first, down] = _arrivals(world), first_nodes(world, 2, skip=0)
    within = limit(world, dissemination_bound)

    def fire(word: str) -> set[bytes]:
        payloads = {f"{word} {number}".encode() for number in range(run["events"])}
        for payload in sorted(payloads):
            first.user_event("news", payload)
        world.run_for(within)
        return payloads

    early = fire("early")
    world.crash(down)
    missed = fire("missed")
    seen = arrivals.count
    world.restart(down)
    joins = limit(world, join_bound) + 3 * first.config.push_pull_interval
    run.expect_soon(world, lambda w: missed <= arrivals.at(down), joins, "not all missed events arrived")
    run.expect(arrivals.count - seen == len(missed), "an event came again after a restart")
    newcomers = [world.add("modest"), world.add("curious")]
    for node, replay in zip(newcomers, (False, True), strict=True):
        node.join([first], replay=replay)
    world.run_for(joins)
    modest, curious = map(arrivals.at, newcomers)
    run.expect(not modest, f"{len(modest)} old events reached a node that asked for none")
    run.expect(curious == early | missed, f"{len(curious)} of {len(early | missed)} old events were replayed")
    later = fire("later")
    for node in newcomers:
        run.expect(later <= arrivals.at(node), "a newcomer lacks a new event")
