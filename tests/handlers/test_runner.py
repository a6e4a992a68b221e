"""Handlers beside a running cluster: order, concurrency, bounded queues, answers, reload, the end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import swim
from swim.handlers import EventHandlers

pytestmark = pytest.mark.slow


@asynccontextmanager
async def handling(*handlers: str, **settings: Any) -> AsyncIterator[tuple[swim.Cluster, EventHandlers]]:
    """One member, with the handlers given."""
    settings.setdefault("coalesce", False)
    config = swim.Config.local(name="a", bind="127.0.0.1:0", tags={"role": "web"})
    async with (
        swim.open_cluster(config, leave_timeout=0) as cluster,
        EventHandlers(cluster, handlers, **settings).running() as running,
    ):
        yield cluster, running


async def until(condition: Any) -> None:
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110  files have no event to wait for
            await trio.sleep(0.01)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def test_each_handler_sees_its_events_in_order_and_the_own_join_first(tmp_path: Path) -> None:
    every, some = tmp_path / "every", tmp_path / "some"
    async with handling(
        f'echo "$SERF_EVENT $SERF_USER_EVENT$SERF_QUERY_NAME" >> {every}; cat >> {every}',
        f"user:b,member-join=echo $SERF_EVENT >> {some}",
    ) as (cluster, _):
        for name in "abc":
            await cluster.user_event(name, name.encode())
        assert [reply async for reply in cluster.query("q", b"?", timeout=0.2)] == []
        await until(lambda: len(lines(every)) >= 10 and len(lines(some)) >= 2)
    assert lines(every) == [
        "member-join ", "a\t127.0.0.1\tweb\trole=web",
        "user a", "a", "user b", "b", "user c", "c", "query q", "?",
    ]  # fmt: skip
    assert lines(some) == ["member-join", "user"]


async def test_a_query_is_answered_by_output_of_a_command_that_succeeds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with handling(
        "query:load=echo 0.7",
        "query:fails=echo no; exit 1",
        "query:silent=true",
        "query:long=seq 9999",
        "query:late=sleep 0.5; echo x",
    ) as (cluster, _):
        answers = {
            name: [reply async for reply in cluster.query(name, timeout=1.0)]
            for name in ("load", "fails", "silent")
        }
        with caplog.at_level(logging.WARNING, "swim.handlers"):
            [long] = [reply async for reply in cluster.query("long", timeout=1.0)]
            assert [reply async for reply in cluster.query("late", timeout=0.1)] == []
            await until(lambda: cluster.metrics.counters["swim.handlers.unanswered"] == 1)
    everything = "".join(f"{number}\n" for number in range(1, 10_000)).encode()
    assert long == swim.QueryResponse("a", everything[-8192:])
    assert answers == {"load": [swim.QueryResponse("a", b"0.7\n")], "fails": [], "silent": []}
    assert cluster.metrics.counters["swim.handlers.failed"] == 1
    said = [record.getMessage() for record in caplog.records]
    assert any("only the last 8192 are kept" in line for line in said)
    assert any(line.startswith("failed to respond to query late: ") for line in said)


async def test_a_slow_handler_delays_no_other_and_loses_counted_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fast, gate = tmp_path / "fast", tmp_path / "gate"
    async with handling(
        f"user=until test -e {gate}; do sleep 0.01; done; cat >> {tmp_path / 'slow'}",
        f"user=cat >> {fast}",
        queue_events=2,
    ) as (cluster, _):
        for number in range(6):
            await cluster.user_event("x", str(number).encode())
            await until(lambda number=number: len(lines(fast)) == number + 1)
        assert cluster.metrics.counters["swim.dropped.handler_queue"] == 3
        gate.touch()
        await until(lambda: len(lines(tmp_path / "slow")) == 3)
    assert lines(fast) == list("012345")
    assert lines(tmp_path / "slow") == list("012")
    assert sum("lost 1 events" in record.getMessage() for record in caplog.records) == 3


async def test_only_so_many_commands_run_at_once(tmp_path: Path) -> None:
    """Each notes how many run with it; the handlers are many, the limit is two."""
    command = f"cd {tmp_path}; touch run.$$; ls run.* | wc -l >> n; sleep 0.1; rm run.$$"
    async with handling(*(f"user={command} # {n}" for n in range(6)), concurrent=2) as (cluster, _):
        await cluster.user_event("x")
        await until(lambda: len(lines(tmp_path / "n")) == 6)
    assert {int(line) for line in lines(tmp_path / "n")} <= {1, 2}


async def test_a_command_over_its_time_limit_is_killed_and_the_next_event_is_handled(tmp_path: Path) -> None:
    file = tmp_path / "out"
    async with handling(f'user=read x; echo $x >> {file}; test "$x" != hang || sleep 600', timeout=0.3) as (
        cluster, _,
    ):  # fmt: skip
        await cluster.user_event("x", b"hang")
        await cluster.user_event("x", b"next")
        await until(lambda: lines(file) == ["hang", "next"])
    assert cluster.metrics.counters["swim.handlers.failed"] == 1


async def test_remote_execution_can_be_forbidden(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "swim.handlers")
    file = tmp_path / "out"
    async with handling(f"echo $SERF_EVENT >> {file}; echo yes", forbid_remote=True) as (cluster, running):
        await cluster.user_event("x")
        assert [reply async for reply in cluster.query("q", timeout=0.3)] == []
        await until(lambda: lines(file) == ["member-join"])
        running.replace(["member-join=true"])
    assert lines(file) == ["member-join"]
    assert cluster.metrics.counters["swim.dropped.handler_forbidden"] == 2
    said = [record.getMessage() for record in caplog.records]
    assert sum("remote execution is disabled: no handler runs for user events" in line for line in said) == 1
    assert "no handler runs for user x: remote execution is disabled" in said


async def test_handlers_are_replaced_while_they_run(tmp_path: Path) -> None:
    gate, file = tmp_path / "gate", tmp_path / "out"
    old = f"user=until test -e {gate}; do sleep 0.01; done; echo old >> {file}"
    stays = f"user=cat >> {tmp_path / 'stays'}"
    async with handling(old, stays) as (cluster, running):
        await cluster.user_event("x", b"1")
        await cluster.user_event("x", b"2")
        with pytest.raises(swim.ConfigError):
            running.replace(["nonsense-event=x"])
        await until(lambda: len(lines(tmp_path / "stays")) == 2)
        running.replace([stays, f"user=echo new >> {file}"])
        await cluster.user_event("x", b"3")
        await until(lambda: lines(file) == ["new"])
        gate.touch()
        await until(lambda: lines(file) == ["new", "old", "old"])
    assert lines(tmp_path / "stays") == list("123")


async def test_the_end_waits_for_commands_and_then_kills_them(tmp_path: Path) -> None:
    file = tmp_path / "out"
    async with handling(f"user=sleep 0.2; echo $SERF_USER_EVENT >> {file}") as (cluster, _):
        await cluster.user_event("x")
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert lines(file) == ["x"]
    async with handling(f"user=echo $$ >> {file}; sleep 600") as (cluster, running):
        await cluster.user_event("x")
        await until(lambda: len(lines(file)) == 2)
        running.grace = 0.0
    pid = lines(file)[1]
    await until(lambda: not Path(f"/proc/{pid}").exists())


async def test_a_burst_is_one_run_of_each_type(tmp_path: Path) -> None:
    file = tmp_path / "out"
    async with handling(f'echo "$SERF_EVENT" >> {file}; cat >> {file}', coalesce=True) as (cluster, _):
        others = [swim.Config.local(name=name, bind="127.0.0.1:0", seeds=[]) for name in "bc"]
        async with swim.open_cluster(others[0]) as b, swim.open_cluster(others[1]) as c:
            for other in (b, c):
                await other.join([swim.addresses.join_host_port(*cluster.endpoint)])
            await until(lambda: len(lines(file)) == 4)
    assert lines(file)[0] == "member-join"
    assert sorted(line.split("\t")[0] for line in lines(file)[1:4]) == ["a", "b", "c"]
