"""Subscriptions: order, bounds, losses, several readers, the end."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio
from trio.testing import MockClock

from swim.events import EventsLost, Member, MemberJoined, MemberStatus, Query, UserEvent, VersionTriple
from swim.net.event_buffer import ALL_KINDS
from swim.net.subscriptions import Subscriptions

_ANY = VersionTriple(1, 5, 2)


def joined(sequence: int) -> MemberJoined:
    member = Member("a", "10.0.0.1", 1, {}, MemberStatus.ALIVE, False, sequence, _ANY, _ANY)
    return MemberJoined(member, sequence=sequence)


async def test_a_subscription_begins_at_once_and_ends_with_the_cluster() -> None:
    subscriptions = Subscriptions(10)
    subscriptions.publish(joined(1))
    subscription = subscriptions.open()
    subscriptions.publish(joined(2))
    subscriptions.publish(joined(3))
    subscriptions.close()
    assert [event async for event in subscription] == [joined(2), joined(3)]


async def test_a_subscription_is_to_all_kinds_or_to_some() -> None:
    subscriptions = Subscriptions(10)
    published = [joined(1), UserEvent("deploy", b"v1", 5), Query("load", b"", "a", 5, 77)]
    wanted = {
        ALL_KINDS: published,
        (UserEvent, Query): published[1:],
        (UserEvent,): published[1:2],
        (MemberJoined,): published[:1],
    }
    readers = {kinds: subscriptions.open(kinds) for kinds in wanted}
    for event in published:
        subscriptions.publish(event)
    subscriptions.close()
    for kinds, reader in readers.items():
        assert [event async for event in reader] == wanted[kinds]


async def test_a_slow_reader_learns_how_many_it_missed() -> None:
    subscriptions = Subscriptions(2)
    slow = subscriptions.open()
    for sequence in range(1, 6):
        subscriptions.publish(joined(sequence))
    assert await anext(slow) == joined(1)
    subscriptions.publish(joined(6))
    subscriptions.publish(joined(7))
    assert [await anext(slow) for _ in range(3)] == [joined(2), EventsLost(3), joined(6)]
    assert await anext(slow) == EventsLost(1)
    subscriptions.publish(joined(8))
    assert await anext(slow) == joined(8)


async def test_readers_do_not_disturb_each_other(autojump_clock: MockClock) -> None:
    subscriptions = Subscriptions(100)
    seen: dict[str, list[int]] = {"fast": [], "slow": []}

    async def read(name: str, pause: float) -> None:
        async for event in subscriptions.open():
            assert isinstance(event, MemberJoined)
            seen[name].append(event.sequence)
            await trio.sleep(pause)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, "fast", 0.0)
        nursery.start_soon(read, "slow", 1.0)
        await trio.testing.wait_all_tasks_blocked()
        for sequence in range(20):
            subscriptions.publish(joined(sequence))
            await trio.sleep(0.1)
        assert len(seen["fast"]) == 20 > len(seen["slow"])
        subscriptions.close()
    assert seen["slow"] == list(range(20))


async def test_a_cancelled_wait_loses_nothing(autojump_clock: MockClock) -> None:
    subscriptions = Subscriptions(100)
    subscription = subscriptions.open()
    with trio.move_on_after(1.0) as scope:
        await anext(subscription)
    assert scope.cancelled_caught
    subscriptions.publish(joined(1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(subscription)
    assert await anext(subscription) == joined(1)


async def test_closing_one_subscription_leaves_the_buffered_rest() -> None:
    subscriptions = Subscriptions(100)
    subscription = subscriptions.open()
    subscriptions.publish(joined(1))
    subscription.close()
    subscriptions.publish(joined(2))
    assert await anext(subscription) == joined(1)
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)


async def test_a_dropped_subscription_is_forgotten() -> None:
    subscriptions = Subscriptions(100)
    gone = weakref.ref(subscriptions.open())
    gc.collect()
    assert gone() is None
    subscriptions.publish(joined(1))
