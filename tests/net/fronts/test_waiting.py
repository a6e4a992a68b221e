"""Waiting on every front: events in bursts, waits that are given up, and changes made at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio

import swim
import swim.asyncio
import swim.blocking
from swim.events import UserEvent
from swim.metrics import Metrics
from swim.net.isolated.board import Board, Facts, Update, View
from tests.net.fronts.styles import Each, Front, done, every_front, first, isolated_fronts, local

BURST = 100


def held(condition: Callable[[], bool]) -> None:
    """Waits in this thread: its event loop is blocked meanwhile."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts how often other threads wake it."""

    wakes = 0

    def call_soon_threadsafe(self, *arguments: Any, **options: Any) -> asyncio.Handle:
        self.wakes += 1
        return super().call_soon_threadsafe(*arguments, **options)


@pytest.mark.parametrize("isolation", ["thread", pytest.param("process", marks=pytest.mark.slow)])
def test_a_burst_of_events_wakes_an_event_loop_once(isolation: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        config = local("n1", event_buffer_size=BURST)
        async with swim.asyncio.open_cluster(config, isolation=isolation, leave_timeout=0) as one:
            reading = asyncio.create_task(_numbers(one.events(kinds=UserEvent)))
            await asyncio.sleep(0)  # it waits
            wakes = loop.wakes
            tickets = [one.do(swim.SendUserEvent(str(number))) for number in range(BURST)]
            held(lambda: all(ticket.is_done for ticket in tickets))
            assert await reading == list(range(BURST))
            assert loop.wakes - wakes == 1

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        runner.run(main())


def test_a_task_that_an_event_woke_goes_on_as_itself_and_in_its_own_context() -> None:
    whose = ContextVar("whose", default="")

    async def main() -> None:
        async def read() -> tuple[str, object]:
            whose.set("the reader's")
            await anext(events)
            return whose.get(), asyncio.current_task()

        async with swim.asyncio.open_cluster(local("n1"), leave_timeout=0) as one:
            events = one.events(kinds=UserEvent)
            reading = asyncio.create_task(read())
            await asyncio.sleep(0)  # it waits
            one.do(swim.SendUserEvent("x"))
            assert await reading == ("the reader's", reading)

    asyncio.run(main())


async def _numbers(events: Any) -> list[int]:
    return [int((await anext(events)).name) for _ in range(BURST)]


def test_events_published_together_wake_even_the_fastest_reader_once() -> None:
    stats = swim.NodeStats(1, 0, 0, 0, 1, 1, 1, 0, 0, 0, False)
    facts = Facts("running", ("10.0.0.1", 1), False, (), stats, swim.KeyStatus())
    board = Board(View(local("n1"), Metrics(), facts, clock=lambda: 0.0))
    taken: list[int] = []

    def take_all() -> None:
        taken.append(0)
        while mailbox.take() is not None:
            taken[-1] += 1

    mailbox = board.open_mailbox(wake=take_all)
    for _ in range(3):
        board.post(Update([UserEvent(str(number)) for number in range(BURST)], {}, None, {}, {}))
    assert taken == [BURST] * 3


async def subscribe_late(front: Front) -> None:
    with swim.blocking.open_cluster(local("n1"), leave_timeout=0) as seed:
        async with front.opened(local("n2", seed), leave_timeout=0) as two:
            while len(two.alive()) < 2:
                await front.sleep(0.01)
            assert await done(two.force_leave("n1", timeout=5)) == "refuted", "which reads events as well"
            await done(two.user_event("before"))
            events, later = two.events(kinds=swim.MemberEvent), two.events()
            joined = await first(events)
            assert (type(joined), joined.member.name) == (swim.MemberJoined, "n1")
            await done(two.user_event("after"))
            assert (await first(later)).name == "after"


@isolated_fronts
def test_the_first_subscription_misses_nothing_since_the_block_was_entered(front: Front) -> None:
    """The node runs beside the program, and may have joined before the program's next line."""
    front.run(subscribe_late, front)


async def give_up(front: Front, events: Any, happens: Callable[[], None]) -> list[Any]:
    """Waits for the next event and gives up just after something happens; the event, if there was one."""
    got: list[Any] = []

    async def wait() -> None:
        got.append(await anext(events))

    if front.module is swim:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            happens()
            nursery.cancel_scope.cancel()
    elif front.module is swim.asyncio:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        happens()
        task.cancel()
        await asyncio.wait([task])
    else:
        happens()
        with suppress(TimeoutError):
            got.append(next(events.within(0)))
    return got


async def give_waits_up(front: Front) -> None:
    async with front.opened(local("n1"), leave_timeout=0) as one:
        events, read = one.events(kinds=UserEvent), []

        def send(number: int) -> None:
            ticket = one.do(swim.SendUserEvent(str(number)))
            if number % 3:
                held(lambda: ticket.is_done)

        for number in range(30):
            for happens in (lambda: None, partial(send, number)):
                read += await give_up(front, events, happens)
        await done(one.user_event("last"))
        names = [event.name for event in read]
        async for event in Each(events):
            names.append(event.name)
            if event.name == "last":
                break
        assert names == [*map(str, range(30)), "last"]


@pytest.mark.slow
@every_front
def test_a_wait_that_is_given_up_loses_no_event(front: Front) -> None:
    front.run(give_waits_up, front)


async def change_tags_at_once(front: Front) -> None:
    async with front.opened(local("n1", tags={"old": "1"}), leave_timeout=0) as one:
        for number in range(20):

            async def change(name: str, number: int = number) -> None:
                await done(one.update_tags({name: str(number)}, remove=["old"]))

            if front.module is swim:
                async with trio.open_nursery() as nursery:
                    for name in "ab":
                        nursery.start_soon(change, name)
            else:
                threads = [threading.Thread(target=front.run, args=(change, name)) for name in "ab"]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            assert one.local.tags == {"a": str(number), "b": str(number)}


@pytest.mark.slow
@every_front
def test_changes_of_tags_at_once_are_all_kept(front: Front) -> None:
    front.run(change_tags_at_once, front)


async def change_tags_in_tasks(front: Front) -> None:
    async with front.opened(local("n1"), leave_timeout=0) as one:
        tickets = [one.do(swim.UpdateTags({str(number): "x"})) for number in range(20)]
        for ticket in tickets:
            await done(ticket.outcome())
        assert one.local.tags == {str(number): "x" for number in range(20)}


@pytest.mark.slow
@isolated_fronts
def test_commands_given_without_waiting_are_carried_out_in_order(front: Front) -> None:
    front.run(change_tags_in_tasks, front)
