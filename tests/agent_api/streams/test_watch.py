"""``/v1/swim/watch``: the members, then what changes, and a steady heartbeat."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_api import create_app
from agent_api.cluster import ClusterLike
from agent_api.own.clock import WallClock
from agent_api.own.shapes import Observer
from agent_api.streams.events import WATCH_LEVELS, WatchSource
from agent_api.streams.lines import Feed
from sims.world.host import SimNode
from swim import Event, MemberSuspected, Reason, Subscription, UserEvent
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent
from tests.clusters import cluster as of_nodes

CHANGES_WITH_EVERY_ACK = ("last_ack", "rtt", "probe")


class Simulated:
    """What the API reads of a cluster, of a simulated node; an ``async for`` over its events."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self.subscriptions: list[Subscription] = []
        node.subscribe(lambda _, event: self._publish(event))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def events(self) -> Subscription:
        self.subscriptions.append(Subscription(self._node.config.event_buffer_size))
        return self.subscriptions[-1]

    def _publish(self, event: Event) -> None:
        for subscription in self.subscriptions:
            subscription.put(event)


class Fold:
    """A client: the members as it knows them, and the number of the last event."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}
        self.sequence = -1

    def apply(self, line: bytes) -> None:
        item = json.loads(line)
        if item["event"] == "Snapshot":
            self.members = {member["name"]: member for member in item["snapshot"]["members"]}
            self.sequence = item["sequence"]
            return
        assert item["sequence"] > self.sequence, "nothing comes twice"
        self.sequence = item["sequence"]
        if item["event"] == "MemberReaped":
            del self.members[item["member"]["name"]]
        elif "member" in item:
            self.members[item["member"]["name"]] = item["member"]


async def drain(feed: Feed, fold: Fold) -> None:
    await trio.testing.wait_all_tasks_blocked()
    while not feed.is_empty:
        line = await feed.next()
        assert line is not None
        fold.apply(line)


def lasting(members: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in member.items() if key not in CHANGES_WITH_EVERY_ACK}
        for name, member in members.items()
    }


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.sampled_from([0.2, 1.0, 4.0])),
        st.tuples(st.sampled_from(["crash", "restart", "leave", "tags", "event", "split", "heal"]),
                  st.sampled_from(["n2", "n3", "n4"])),
        st.tuples(st.just("read"), st.none()),
    ),
    max_size=25,
)  # fmt: skip


def step(world: Any, name: str, what: str, nodes: dict[str, SimNode]) -> None:
    node = nodes[name]
    if what == "crash" and node.state == "running":
        world.crash(node)
    elif what == "restart" and not node.is_up:
        world.restart(node)
        node.join([nodes["n1"]])
    elif what == "leave" and node.state == "running" and node.status == "running":
        node.leave(stop=False)
    elif what == "tags" and node.state == "running" and node.status == "running":
        node.set_tags({"round": str(world.now)})
    elif what == "event" and node.state == "running" and node.status == "running":
        node.user_event("deploy")
    elif what == "split":
        world.network.cut([name], [other for other in nodes if other != name])
    elif what == "heal":
        world.network.calm()


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**16), steps=STEPS)
def test_a_snapshot_and_the_events_after_it_are_a_later_snapshot(
    seed: int, steps: Sequence[tuple[str, Any]]
) -> None:
    """Whatever happens to four members, at whatever moments the client reads: all but what acks change."""

    async def main() -> None:
        world, peers = of_nodes(4, seed)
        nodes = {peer.id: peer for peer in peers}
        cluster = cast(ClusterLike, Simulated(peers[0]))
        observer = Observer(cluster, WallClock(cluster, lambda: 1e9 + world.now))
        feed, fold = Feed(10_000), Fold()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(WatchSource(observer), feed)
            await trio.testing.wait_all_tasks_blocked()
            for what, value in (*steps, ("run", 3.0)):
                if what == "run":
                    world.run_for(value)
                elif what == "read":
                    await drain(feed, fold)
                else:
                    step(world, value, what, nodes)
            await drain(feed, fold)
            now = {
                member.name: json.loads(json.dumps(observer.member(member))) for member in peers[0].members()
            }
            assert lasting(fold.members) == lasting(now)
            assert fold.sequence == peers[0].stats().sequence
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def first_lines(
    app: Any, target: str, happen: Callable[[], None], seconds: float
) -> list[dict[str, Any]]:
    """The lines of a watch that a client receives in so many seconds, each with the time of its arrival."""
    path, _, query = target.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    lines: list[dict[str, Any]] = []
    requests = [{"type": "http.request"}]

    async def receive() -> dict[str, Any]:
        if not requests:
            await trio.sleep_forever()
        return requests.pop()

    async def send(message: dict[str, Any]) -> None:
        if body := message.get("body"):
            lines.append(json.loads(body) | {"after": trio.current_time() - began})

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(app, scope, receive, send)
        await trio.sleep(2)
        happen()
        await trio.sleep(seconds - 2)
        nursery.cancel_scope.cancel()
    return lines


async def test_heartbeats_come_every_five_seconds_whatever_else_does(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    cluster.metrics.count("memberlist.udp.sent", 7)
    lines = await first_lines(
        create_app(cluster), "/v1/swim/watch", lambda: cluster.add(make_member("b")), seconds=12
    )
    assert [(line["event"], line["after"]) for line in lines] == [
        ("Snapshot", 0.0), ("MemberJoined", 2.0), ("Heartbeat", 5.0), ("Heartbeat", 10.0),
    ]  # fmt: skip
    snapshot, joined, heartbeat, _ = lines
    assert snapshot["snapshot"]["name"] == "n1.global"
    assert [member["name"] for member in snapshot["snapshot"]["members"]] == ["n1.global"]
    assert joined["member"]["name"] == "b"
    assert heartbeat | {"at": "", "after": 0} == {
        "event": "Heartbeat", "at": "", "sequence": 0, "status": "running", "readiness": "joined",
        "health_score": 0, "suspicions": {}, "counters": {"memberlist.udp.sent": 7},
        "gauges": {f"serf.queue.{name}": 0 for name in ("Event", "Intent", "Query")}, "after": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("", ["MemberJoined", "MemberSuspected", "UserEvent"]),
        ("members", ["MemberJoined"]),
        ("suspicions", ["MemberSuspected"]),
        ("events", ["UserEvent"]),
        ("metrics", []),
        ("members,suspicions", ["MemberJoined", "MemberSuspected"]),
        ("members&level=events", ["MemberJoined", "UserEvent"]),
    ],
)
async def test_a_reader_chooses_what_it_receives(
    cluster: FakeCluster, level: str, expected: list[str], autojump_clock: trio.testing.MockClock
) -> None:
    def happen() -> None:
        cluster.add(make_member("b"))
        cluster.publish(MemberSuspected(make_member("b"), None, Reason("probe"), 2))
        cluster.publish(UserEvent("deploy", sequence=3))

    snapshot, *lines, heartbeat = await first_lines(
        create_app(cluster), f"/v1/swim/watch?level={level}", happen, seconds=6
    )
    assert [line["event"] for line in lines] == expected
    has_metrics = level in ("", "metrics")
    assert ("counters" in snapshot["snapshot"], "counters" in heartbeat) == (has_metrics, has_metrics)
    assert ("suspicions" in heartbeat) == (not level or "suspicions" in level)


async def test_levels_that_there_are_not(agent: Agent) -> None:
    for word in ("member", "x", "Members"):
        answer = await agent.get(f"/v1/swim/watch?level=members,{word}")
        assert (answer.status, answer.text) == (400, f"level: {word!r} is none of {', '.join(WATCH_LEVELS)}")
