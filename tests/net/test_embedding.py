"""A program around ``open_cluster``: what is convenient, and one clear error for each likely mistake."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import swim
import swim.lowlevel
import swim.testing
from tests.net.conftest import Pool, statuses, tags, until
from tests.net.memory import MemoryNetwork


async def test_members_by_status(pool: Pool, autojump_clock: MockClock) -> None:
    one, _, three = await pool.form(3)
    await three.leave()
    pool.kill("n2")
    await until(lambda: statuses(one) == {"n1": "alive", "n2": "failed", "n3": "left"})
    assert [member.name for member in one.alive()] == ["n1"]
    assert [member.name for member in one.members(status="failed")] == ["n2"]
    names = sorted(m.name for m in one.members(status=[swim.MemberStatus.LEFT, "failed"]))
    assert names == ["n2", "n3"]
    assert one.members(status=[]) == ()
    assert {member.endpoint for member in one.members()} == {(f"10.0.0.{i}", 7946) for i in (1, 2, 3)}


async def test_some_tags_change_and_the_rest_stays(pool: Pool, autojump_clock: MockClock) -> None:
    one, two = await pool.form(2, tags={"role": "web", "zone": "a"})
    await one.update_tags({"role": "db", "new": "1"}, remove=["zone", "never"])
    await until(lambda: tags(two, "n1") == {"role": "db", "new": "1"})
    for wrong in ({"changes": {"a": 1}}, {"changes": {}, "remove": "zone"}, {"changes": {"a": "x" * 600}}):
        given: dict[str, Any] = wrong
        with pytest.raises(swim.ConfigError):
            await one.update_tags(**given)
    assert one.local.tags == {"role": "db", "new": "1"}


async def test_a_subscription_to_some_kinds_ends_with_its_block(
    pool: Pool, autojump_clock: MockClock
) -> None:
    one, two = await pool.start("n1"), await pool.start("n2")
    kinds = (swim.MemberJoined, swim.MemberLeft)
    async with one.events(kinds=kinds) as events, one.events(kinds=swim.MemberFailed) as failures:
        await two.join(["10.0.0.1"])
        await two.set_tags({"role": "web"})
        await two.leave()
        await until(lambda: statuses(one)["n2"] == "left")
    assert [type(event) async for event in events] == list(kinds)
    assert [event async for event in failures] == []
    await two.rejoin()
    await until(lambda: statuses(one)["n2"] == "alive")
    assert [event async for event in events] == []


@pytest.mark.parametrize("kinds", ["joined", swim.EventsLost, [swim.MemberJoined, 7], None, object])
async def test_kinds_are_event_classes(pool: Pool, autojump_clock: MockClock, kinds: Any) -> None:
    one = await pool.start("n1")
    wrong = kinds[-1] if isinstance(kinds, list) else kinds
    with pytest.raises(TypeError, match=f"^kinds: .* not {wrong!r}$"):
        one.events(kinds=kinds)


@pytest.mark.parametrize("status", ["dead", "Alive", ["alive", "x"], 7, [7]])
async def test_a_status_is_one_of_four(pool: Pool, autojump_clock: MockClock, status: Any) -> None:
    one = await pool.start("n1")
    with pytest.raises(swim.ConfigError, match=r"^status: "):
        one.members(status=status)


async def test_closing_twice_and_using_it_afterwards(
    network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    opening = swim.open_cluster(swim.Config.local(name="n1"), transport=network.transport("10.0.0.1"))
    async with opening as cluster:
        await cluster.leave()
        await cluster.leave()
        with pytest.raises(swim.LocalError, match=r"^cannot join: this node has left or was closed$"):
            await cluster.join(["10.0.0.2"])
    with pytest.raises(swim.LocalError, match="call open_cluster again"):
        async with opening:
            pass
    with pytest.raises(swim.LocalError, match=r"^cannot join: this node has left or was closed$"):
        await cluster.join(["10.0.0.2"])
    with pytest.raises(swim.LocalError, match=r"^cannot leave: this cluster was closed$"):
        await cluster.leave()
    for late in (cluster.set_tags({}), cluster.update_tags({}), cluster.force_leave("n1"), cluster.rejoin()):
        with pytest.raises(swim.LocalError, match="this cluster was closed"):
            await late
    assert cluster.status == "stopped"
    assert [event async for event in cluster.events()] == []


async def test_another_thread_is_told_how(pool: Pool, autojump_clock: MockClock) -> None:
    one = await pool.start("n1")
    failures: list[str] = []

    def elsewhere() -> None:
        for read in (one.members, one.alive, one.events, lambda: one.member("n1"), lambda: one.history("n1")):
            with pytest.raises(swim.LocalError, match="trio_token") as raised:
                read()
            failures.append(str(raised.value))
        for command in (one.join, one.leave, one.rejoin, one.set_tags, one.force_leave):
            arguments: tuple[Any, ...] = {"join": ([],), "set_tags": ({},), "force_leave": ("n1",)}.get(
                command.__name__, ()
            )
            with pytest.raises(swim.LocalError, match=r"another trio\.run: .*trio_token"):
                trio.run(command, *arguments)
            failures.append(command.__name__)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(failures) == 10
    assert one.status == "running"
    token = trio.lowlevel.current_trio_token()

    def from_there() -> tuple[swim.Member, ...]:
        return trio.from_thread.run_sync(one.members, trio_token=token)

    assert await trio.to_thread.run_sync(from_there) == one.members()


async def test_two_clusters_on_one_port() -> None:
    async with swim.open_cluster(swim.Config.local(name="n1", bind="127.0.0.1:0"), leave_timeout=0) as one:
        config = swim.Config.local(name="n2", bind="{}:{}".format(*one.endpoint))
        with pytest.raises(swim.ConfigError, match=r"^bind: .*in use"):
            async with swim.open_cluster(config):
                pass


def test_outside_trio() -> None:
    opening = swim.open_cluster(swim.Config.local(name="n1"))
    with pytest.raises(swim.LocalError, match=r"inside trio\.run"):
        opening.__aenter__().send(None)  # type: ignore[attr-defined]


def test_the_sharp_tools_have_rooms_of_their_own() -> None:
    assert {"Node", "Endpoint", "Tap"} <= set(swim.lowlevel.__all__)
    assert swim.testing.__all__ == ["LinkFaults"]
    assert not {*swim.lowlevel.__all__, *swim.testing.__all__} & set(swim.__all__)
    for module in (swim, swim.lowlevel, swim.testing):
        assert all(hasattr(module, name) for name in module.__all__)


async def test_what_the_block_raises_comes_out_as_it_is_and_the_others_see_a_failure(
    pool: Pool, autojump_clock: MockClock
) -> None:
    one = await pool.start("n1")
    mistake = ZeroDivisionError("on purpose")
    config = swim.Config.local(name="n2", bind="10.0.0.2:7946", seeds=["10.0.0.1"])
    caught: list[tuple[str, Exception]] = []
    try:
        async with swim.open_cluster(config, transport=pool.network.transport("10.0.0.2")) as two:
            await until(lambda: statuses(one).get("n2") == "alive")
            raise mistake
    except Exception as error:
        caught.append((two.status, error))
    assert caught == [("stopped", mistake)]
    assert ("10.0.0.2", 7946) not in pool.network.bound
    await until(lambda: statuses(one)["n2"] == "failed")
