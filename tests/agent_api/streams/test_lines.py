"""Streamed answers: what a slow reader loses and learns, and who ends with whom."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from agent_api.own.shapes import Observer
from agent_api.streams.events import WatchSource
from agent_api.streams.lines import STREAM_BYTES_MAX, STREAM_LINES_MAX, Feed, LineStream
from swim import Config, MemberReaped, MemberStatus, MemberUpdated, Reason, UserEvent
from tests.agent_api.fakes import FakeCluster, make_member

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from("abc"), st.sampled_from(list(MemberStatus))),
        st.tuples(st.just("reap"), st.sampled_from("abc"), st.none()),
        st.tuples(st.just("event"), st.none(), st.none()),
        st.tuples(st.just("read"), st.integers(1, 6), st.none()),
        st.tuples(st.just("run"), st.none(), st.none()),
    ),
    max_size=60,
)


class Folded:
    """A client of the stream: members and user events as it knows them."""

    def __init__(self) -> None:
        self.members: dict[str, str] = {}
        self.events: list[str] = []
        self.lost = 0

    def apply(self, line: bytes) -> None:
        item = json.loads(line)
        if item["event"] == "Snapshot":
            self.members = {member["name"]: member["status"] for member in item["snapshot"]["members"]}
        elif item["event"] == "MemberReaped":
            del self.members[item["member"]["name"]]
        elif item["event"] == "EventsLost":
            self.lost += item["count"]
        elif item["event"] == "UserEvent":
            self.events.append(item["name"])
        else:
            self.members[item["member"]["name"]] = item["member"]["status"]


def change(cluster: FakeCluster, step: tuple[str, Any, Any], number: int) -> int:
    """Makes one thing happen; how many events that is."""
    kind, name, status = step
    reason = Reason("claim")
    if kind == "set":
        member = cluster.table[name] = make_member(name, status=status)
        cluster.publish(MemberUpdated(member, None, reason, sequence=number))
    elif kind == "reap" and name in cluster.table:
        cluster.publish(MemberReaped(cluster.table.pop(name), None, reason, sequence=number))
    elif kind == "event":
        cluster.publish(UserEvent(f"e{number}", sequence=number))
    else:
        return 0
    return 1


@given(steps=STEPS, buffer=st.integers(1, 8), lines=st.integers(1, 8))
def test_what_a_reader_folds_is_what_the_cluster_lists_and_every_gap_is_counted(
    steps: list[tuple[str, Any, Any]], buffer: int, lines: int
) -> None:
    async def main() -> None:
        cluster = FakeCluster(Config(name="n", event_buffer_size=buffer))
        feed, client, happened = Feed(lines), Folded(), 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(WatchSource(Observer(cluster)), feed)
            await trio.testing.wait_all_tasks_blocked()
            for number, step in enumerate(steps):
                happened += change(cluster, step, number)
                if step[0] == "read":
                    for _ in range(step[1]):
                        await read(feed, client)
                elif step[0] == "run":
                    await trio.testing.wait_all_tasks_blocked()
            while await read(feed, client):
                pass
            assert client.members == {name: str(m.status) for name, m in cluster.table.items()}
            seen = len(client.events)
            sent = sum(step[0] == "event" for step in steps)
            assert client.events == sorted(client.events, key=lambda name: int(name[1:]))
            assert sent - seen <= client.lost <= happened
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def read(feed: Feed, client: Folded) -> bool:
    """Takes one line; False if there is none, however long one waits."""
    with trio.move_on_after(1):
        line = await feed.next()
        assert line is not None
        client.apply(line)
        return True
    return False


async def test_a_feed_holds_so_many_lines_and_bytes_and_any_single_one() -> None:
    feed = Feed()
    feed.put(b"x" * (STREAM_BYTES_MAX + 1))
    assert not feed.lost
    feed.put(b"y")
    assert feed.lost == 1
    feed = Feed()
    for _ in range(STREAM_LINES_MAX + 3):
        feed.put(b"z")
    assert feed.lost == 3


async def answer(stream: LineStream, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    await stream({"type": "http"}, receive, send)


async def test_the_client_going_ends_the_source_at_once(autojump_clock: trio.testing.MockClock) -> None:
    gone, ended = trio.Event(), trio.Event()

    async def source(feed: Feed) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, LineStream(source, heartbeat=None, every=1), receive, send)
        await trio.testing.wait_all_tasks_blocked()
        assert not ended.is_set()
        began = trio.current_time()
        gone.set()
        await ended.wait()
        assert trio.current_time() == began


async def test_a_client_that_takes_nothing_holds_up_no_source(autojump_clock: trio.testing.MockClock) -> None:
    done = trio.Event()

    async def source(feed: Feed) -> None:
        for _ in range(10 * STREAM_LINES_MAX):
            feed.put(b"line\n")
            await trio.lowlevel.checkpoint()
        done.set()

    async def never(*_: object) -> Any:
        await trio.sleep_forever()

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            await never()

    with trio.move_on_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, LineStream(source, heartbeat=None, every=1), never, send)
            await done.wait()
            nursery.cancel_scope.cancel()
    assert done.is_set()


@pytest.mark.parametrize("at_once", [True, False])
async def test_heartbeats_come_after_silence_only(
    at_once: bool, autojump_clock: trio.testing.MockClock
) -> None:
    bodies: list[tuple[float, bytes]] = []

    async def source(feed: Feed) -> None:
        await trio.sleep(3)
        feed.put(b"a\n")
        await trio.sleep(12)
        feed.put(b"b\n")

    async def never() -> Any:
        await trio.sleep_forever()

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            bodies.append((trio.current_time() - began, message["body"]))

    began = trio.current_time()
    await answer(LineStream(source, heartbeat=lambda: b"{}\n", every=5, at_once=at_once), never, send)
    first = [(0.0, b"{}\n")] if at_once else []
    assert bodies == [*first, (3.0, b"a\n"), (8.0, b"{}\n"), (13.0, b"{}\n"), (15.0, b"b\n")]


async def test_steady_heartbeats_come_between_lines_that_never_stop(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Even while there is always a line to send, as with a client that takes its time for each."""
    bodies: list[tuple[float, bytes]] = []

    async def source(feed: Feed) -> None:
        while True:
            for _ in range(3):
                feed.put(b"line\n")
            await trio.sleep(1)

    async def never() -> Any:
        await trio.sleep_forever()

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            bodies.append((trio.current_time() - began, message["body"]))
            await trio.sleep(0.5)

    began = trio.current_time()
    stream = LineStream(source, heartbeat=lambda: b"{}\n", every=5, at_once=False, is_steady=True)
    with trio.move_on_after(21):
        await answer(stream, never, send)
    beats = [at for at, body in bodies if body == b"{}\n"]
    assert len(beats) == 4
    assert all(5 * place <= at <= 5 * place + 1 for place, at in enumerate(beats, 1))
    assert len(bodies) > 35
