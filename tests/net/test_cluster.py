"""Whole clusters on an in-memory network in virtual time, through ``Cluster`` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import swim
from swim.events import EventsLost, ForceLeaveOutcome, MemberAccused, MemberFailed, MemberJoined, MemberReaped
from swim.net.cluster import Cluster
from tests.net.conftest import Pool, statuses, tags, until
from tests.net.memory import MemoryNetwork

ALIVE3 = {"n1": "alive", "n2": "alive", "n3": "alive"}


async def test_a_join_is_complete_when_it_returns(pool: Pool, autojump_clock: MockClock) -> None:
    one, two = await pool.start("n1"), await pool.start("n2")
    assert one.is_alone
    events = two.events()
    result = await two.join(["10.0.0.1"])
    assert [(o.address, o.endpoint, o.error) for o in result.outcomes] == [
        ("10.0.0.1", ("10.0.0.1", 7946), "")
    ]
    assert statuses(two) == {"n1": "alive", "n2": "alive"}
    event = await anext(events)
    assert isinstance(event, MemberJoined)
    assert event.member == two.member("n1")
    await until(lambda: not one.is_alone)
    assert set(map(repr, one.members())) == set(map(repr, two.members()))
    assert one.local == one.member("n1")


async def test_each_address_of_a_join_has_its_outcome_in_order(pool: Pool, autojump_clock: MockClock) -> None:
    await pool.form(2)
    three = await pool.start("n3")
    pool.network.names = {"seeds.example": ["10.0.0.1", "10.0.0.77"]}
    result = await three.join(["10.0.0.66:1", "gone.example", "seeds.example", "10.0.0.2"])
    assert [(o.address, o.ok, o.error) for o in result.outcomes] == [
        ("10.0.0.66:1", False, "failed to join 10.0.0.66:1: Connection refused"),
        ("gone.example", False, "failed to resolve gone.example: Name or service not known"),
        ("seeds.example", True, ""),
        ("seeds.example", False, "failed to join 10.0.0.77:7946: Connection refused"),
        ("10.0.0.2", True, ""),
    ]
    assert result.joined == 2


async def test_a_join_may_be_limited_in_time_or_cancelled(pool: Pool, autojump_clock: MockClock) -> None:
    one, two = await pool.start("n1", tcp_timeout=30.0), await pool.start("n2")
    pool.faults["n1"].block([("10.0.0.99", 7946)])
    began = one.now()
    result = await one.join(["10.0.0.99", "10.0.0.2"], timeout=3.0)
    assert one.now() - began == pytest.approx(3.0, abs=0.01)
    assert [outcome.error for outcome in result.outcomes] == ["failed to join 10.0.0.99: timed out", ""]
    with trio.move_on_after(1.0) as scope:
        await one.join(["10.0.0.99"])
    assert scope.cancelled_caught
    assert (await two.join(["10.0.0.1"])).joined == 1


async def test_names_are_resolved_anew_at_every_attempt(pool: Pool, autojump_clock: MockClock) -> None:
    one, two = await pool.start("n1"), await pool.start("n2")
    pool.network.names = {"seed.example": ["10.0.0.99"]}
    assert (await two.join(["seed.example"])).joined == 0
    pool.network.names = {"seed.example": ["10.0.0.1"]}
    assert (await two.join(["seed.example"])).joined == 1
    assert statuses(one) == statuses(two)


async def test_seeds_are_joined_in_the_background(pool: Pool, autojump_clock: MockClock) -> None:
    two = await pool.start("n2", seeds=["seed.example"])
    await trio.sleep(5.0)
    await pool.start("n1")
    pool.network.names = {"seed.example": ["10.0.0.1"]}
    await until(lambda: statuses(two) == {"n1": "alive", "n2": "alive"})


async def test_a_killed_member_fails_everywhere_with_a_reason(pool: Pool, autojump_clock: MockClock) -> None:
    one, two, _ = await pool.form(3)
    events = one.events()
    pool.kill("n3")
    await until(lambda: statuses(one) == statuses(two) == ALIVE3 | {"n3": "failed"})
    seen = [type(await anext(events)) for _ in range(2)]
    while seen[-1] is MemberAccused:
        seen.append(type(await anext(events)))
    assert seen[-1] is MemberFailed
    assert one.history("n3")[-1].after == "failed"
    assert one.stats().failed == 1


async def test_leaving_is_believed_and_rejoining_works_on_the_same_object(
    pool: Pool, autojump_clock: MockClock
) -> None:
    one, two, three = await pool.form(3)
    await three.leave()
    assert three.status == "left"
    await until(lambda: statuses(one) == statuses(two) == ALIVE3 | {"n3": "left"})
    with pytest.raises(swim.LocalError, match=r"^cannot join: this node has left or was closed$"):
        await three.join(["10.0.0.1"])
    await three.leave()
    result = await three.rejoin()
    assert three.status == "running"
    assert result.joined >= 1
    await until(lambda: statuses(one) == statuses(two) == statuses(three) == ALIVE3)


async def test_leaving_the_block_leaves_the_cluster(pool: Pool, autojump_clock: MockClock) -> None:
    one = await pool.start("n1")
    config = swim.Config.local(name="n2", bind="10.0.0.2:7946")
    async with swim.open_cluster(config, transport=pool.network.transport("10.0.0.2")) as two:
        events = two.events()
        await two.join(["10.0.0.1"])
    assert two.status == "stopped"
    await until(lambda: statuses(one) == {"n1": "alive", "n2": "left"})
    assert isinstance(await anext(events), MemberJoined)
    for call in (two.join(["10.0.0.1"]), two.leave(), two.set_tags({}), two.force_leave("n1")):
        with pytest.raises(swim.LocalError):
            await call


async def test_a_member_alone_leaves_at_once(network: MemoryNetwork, autojump_clock: MockClock) -> None:
    config = swim.Config.lan(name="n1")
    began = trio.current_time()
    async with swim.open_cluster(config, transport=network.transport("10.0.0.1")):
        pass
    assert trio.current_time() - began < 0.1


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
async def test_an_exception_in_the_block_comes_out_as_it_is(
    network: MemoryNetwork, autojump_clock: MockClock, kind: type[BaseException]
) -> None:
    with pytest.raises(kind, match=r"^mine$"):
        async with swim.open_cluster(
            swim.Config.lan(name="n1"), transport=network.transport("10.0.0.1")
        ) as cluster:
            raise kind("mine")
    assert cluster.status == "stopped"
    assert network.bound == {}


async def test_cancelling_closes_at_once(network: MemoryNetwork, autojump_clock: MockClock) -> None:
    began = trio.current_time()
    with trio.move_on_after(1.0) as scope:
        async with swim.open_cluster(
            swim.Config.lan(name="n1", seeds=["10.0.0.9"]), transport=network.transport("10.0.0.1")
        ) as cluster:
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() - began == pytest.approx(1.0)
    assert cluster.status == "stopped"
    assert network.bound == {}


async def test_force_leave_tells_which_case_applied(pool: Pool, autojump_clock: MockClock) -> None:
    one, two, _ = await pool.form(3)
    assert await one.force_leave("nobody") is ForceLeaveOutcome.UNKNOWN
    pool.kill("n3")
    await until(lambda: statuses(one)["n3"] == statuses(two)["n3"] == "failed")
    assert await one.force_leave("n3") is ForceLeaveOutcome.LEFT
    await until(lambda: statuses(two)["n3"] == "left")
    assert await one.force_leave("n3", prune=True) is ForceLeaveOutcome.PRUNED
    await until(lambda: "n3" not in statuses(one) and "n3" not in statuses(two))


async def test_force_leave_of_a_living_member_is_refuted_once_it_answers(
    pool: Pool, autojump_clock: MockClock
) -> None:
    one, two = await pool.form(2)
    assert await one.force_leave("n2") is ForceLeaveOutcome.REFUTED
    pool.faults["n2"].pause()
    assert await one.force_leave("n2") is ForceLeaveOutcome.LEAVING
    assert statuses(one) == {"n1": "alive", "n2": "leaving"}
    pool.faults["n2"].resume()
    await until(lambda: statuses(one) == statuses(two) == {"n1": "alive", "n2": "alive"})


async def test_tags_spread(pool: Pool, autojump_clock: MockClock) -> None:
    one, two, three = await pool.form(3, tags={"role": "old"})
    await one.set_tags({"role": "web"})
    await until(lambda: all(tags(c, "n1") == {"role": "web"} for c in (one, two, three)))
    with pytest.raises(swim.ConfigError) as raised:
        await one.set_tags({"role": "x" * 600})
    assert raised.value.field == "tags"


async def test_folding_the_events_gives_the_snapshot(pool: Pool, autojump_clock: MockClock) -> None:
    one = await pool.start("n1", reconnect_timeout=5.0, tombstone_timeout=5.0)
    events = one.events()
    table = {member.name: member for member in one.members()}
    last = 0

    async def follow() -> None:
        nonlocal last
        async for event in events:
            assert not isinstance(event, EventsLost)
            assert event.sequence > last
            last = event.sequence
            if isinstance(event, MemberReaped):
                del table[event.member.name]
            else:
                table[event.member.name] = event.member

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        for i in (2, 3, 4):
            await (await pool.start(f"n{i}")).join(["10.0.0.1"])
        await pool.clusters["n2"].set_tags({"a": "b"})
        await pool.clusters["n3"].leave()
        pool.kill("n4")
        for _ in range(60):
            await trio.sleep(1.0)
            assert tuple(sorted(table.values(), key=lambda m: m.name)) == tuple(
                sorted(one.members(), key=lambda m: m.name)
            )
        nursery.cancel_scope.cancel()
    assert last > 5
    assert set(table) == {"n1", "n2"}


async def test_a_slow_subscriber_is_told_what_it_lost(pool: Pool, autojump_clock: MockClock) -> None:
    one = await pool.start("n1", event_buffer_size=2)
    slow = one.events()
    for i in range(2, 8):
        await (await pool.start(f"n{i}")).join(["10.0.0.1"])
    await trio.sleep(5.0)
    seen = [await anext(slow) for _ in range(3)]
    assert [type(event) for event in seen] == [MemberJoined, MemberJoined, EventsLost]
    assert seen[2].count == 4  # type: ignore[union-attr]


async def test_a_node_that_stood_still_accuses_nobody(pool: Pool, autojump_clock: MockClock) -> None:
    one, two, three = await pool.form(3)
    pool.faults["n3"].pause()
    await until(lambda: statuses(one)["n3"] == "failed")
    pool.faults["n3"].resume()
    await until(lambda: statuses(one) == statuses(two) == statuses(three) == ALIVE3)
    await trio.sleep(30.0)
    assert not any(t.after == "failed" for name in ("n1", "n2") for t in three.history(name))


async def test_halves_of_a_partition_find_each_other_again(pool: Pool, autojump_clock: MockClock) -> None:
    clusters = await pool.form(4, rejoin_interval=5.0)
    left, right = ("n1", "n2"), ("n3", "n4")

    def endpoints(names: tuple[str, ...]) -> list[tuple[str, int]]:
        return [pool.clusters[name].endpoint for name in names]

    for here, there in ((left, right), (right, left)):
        for name in here:
            pool.faults[name].block(endpoints(there))
    await until(lambda: statuses(clusters[0])["n3"] == statuses(clusters[3])["n1"] == "failed")
    await trio.sleep(60.0)
    for faults in pool.faults.values():
        faults.unblock()
    await until(lambda: all(set(statuses(cluster).values()) == {"alive"} for cluster in clusters))


async def test_a_restart_remembers_from_its_snapshot(
    pool: Pool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    one = await pool.start("n1")

    async def run(body: Any) -> None:
        config = swim.Config.local(name="n2", bind="10.0.0.2:7946")
        transport = pool.network.transport("10.0.0.2")
        async with swim.open_cluster(config, transport=transport, data_dir=tmp_path, leave_timeout=0) as two:
            await body(two)

    async def join(two: Cluster) -> None:
        assert (await two.join(["10.0.0.1"])).joined == 1

    def incarnation_seen() -> int:
        member = one.member("n2")
        assert member is not None
        return member.incarnation

    async def find(two: Cluster) -> None:
        await until(lambda: statuses(two) == {"n1": "alive", "n2": "alive"})
        await until(lambda: incarnation_seen() >= two.local.incarnation > incarnation)

    await run(join)
    incarnation = incarnation_seen()
    assert (tmp_path / "members.snapshot").stat().st_mode & 0o777 == 0o600
    await run(find)


async def test_the_minority_loses_a_name_conflict_and_stops(pool: Pool, autojump_clock: MockClock) -> None:
    one, two, _ = await pool.form(3)
    config = swim.Config.local(name="n3", bind="10.0.0.9:7946")
    with pytest.raises(swim.LocalError, match="name"):  # noqa: PT012  the block ends by being cancelled
        async with swim.open_cluster(config, transport=pool.network.transport("10.0.0.9")) as impostor:
            await impostor.join(["10.0.0.1"])
            await trio.sleep_forever()
    assert impostor.status == "stopped"
    await until(lambda: statuses(one) == statuses(two) == ALIVE3)
    assert one.member("n3").address == "10.0.0.3"  # type: ignore[union-attr]
