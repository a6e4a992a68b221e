"""What a client may do, and the answers that it gets, beyond the recorded sessions."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
import trio

import swim
import swim.ipc
from swim import expressions
from swim.ipc.records import ZERO_BODIES
from swim.ipc.requests import BODIES, COMMANDS
from tests.ipc.client import connected
from tests.ipc.conftest import Farm
from tests.net.conftest import until


async def names(client: Any, **filters: Any) -> Any:
    answer = await client.ask("members-filtered", filters, answers=True)
    return answer if isinstance(answer, str) else sorted(one["Name"] for one in answer["Members"])


FILTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all": ({}, ["a", "web-1"]),
    "whole name": ({"Name": "web"}, []),
    "regular expression": ({"Name": "web-.*"}, ["web-1"]),
    "anchors only the ends": ({"Name": "a|1"}, ["a", "web-1"]),
    "status": ({"Status": "alive"}, ["a", "web-1"]),
    "other status": ({"Status": "failed"}, []),
    "tag": ({"Tags": {"role": "web"}}, ["web-1"]),
    "a missing tag is empty": ({"Tags": {"role": ""}}, ["a"]),
    "optional": ({"Tags": {"role": "(web)?"}}, ["a", "web-1"]),
    "all must match": ({"Tags": {"role": "web"}, "Name": "a"}, []),
}


@pytest.mark.parametrize("has_re2", [True, False])
async def test_filters_of_members(
    farm: Farm, quick_clock: object, has_re2: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_re2:
        monkeypatch.setattr("swim.ipc.filters.re2_engine", lambda: None)
    elif expressions.re2_engine() is None:
        pytest.skip("google-re2 is not installed")
    first, _, endpoint = await farm.pair("a", "web-1", 17000, {}, {"role": "web"})
    await until(lambda: len(first.members()) == 2)
    async with connected(endpoint) as client:
        for what, (filters, expected) in FILTERS.items():
            if has_re2 or what != "optional":
                assert await names(client, **filters) == expected, what
        for wrong in ("(", "x" * 600, "[a"):
            assert "regular expression for the name" in await names(client, Name=wrong)
        if not has_re2:
            for costly in ("(a+)+", "(a|a)*b", "a{1000}", ".*.*.*", "(?i)a"):
                assert "swim-cluster[filters]" in await names(client, Name=costly)
        assert await names(client) == ["a", "web-1"], "it goes on after an error"


@pytest.mark.parametrize("command", sorted(COMMANDS - {"handshake", "auth"}))
async def test_a_body_follows_an_error_where_the_command_has_one(
    farm: Farm, quick_clock: object, command: str
) -> None:
    """Serf's clients wait for it. The cluster is closed, so that most commands fail."""
    async with trio.open_nursery() as nursery:
        async with swim.open_cluster(swim.Config.local(name="a", bind="127.0.0.1:0"), leave_timeout=0) as one:
            endpoint = await nursery.start(swim.ipc.serve, one, swim.ipc.IpcSettings(rpc="127.0.0.1:0"))
        async with connected(endpoint) as client:
            has_body = command in ZERO_BODIES
            body = {} if command in BODIES else None
            await client.ask(command, body, answers=has_body)
            assert await client.ask("stop", {"Stop": 99}) == ""
        nursery.cancel_scope.cancel()


async def test_before_authentication_a_request_is_read_whole_and_refused_once(
    farm: Farm, quick_clock: object
) -> None:
    endpoint = await farm.serve(await farm.start("a", 17000), rpc_auth="s3cret")
    async with connected(endpoint) as client:
        for command in sorted(COMMANDS - {"handshake", "auth"}):
            body = {} if command in BODIES else None
            assert await client.ask(command, body) == "Authentication required"
        assert await client.ask("no-such-command") == "Authentication required"
        for wrong in ("", "s3cre", "s3cret ", "\udcff"):
            await client.stream.send_all(
                msgpack.packb({"Command": "auth", "Seq": 1})
                + msgpack.packb({"AuthKey": wrong}, unicode_errors="surrogateescape")
            )
            assert (await client.next())["Error"] == "Invalid authentication token"
        assert await client.ask("auth", {"AuthKey": b"s3cret"}) == ""
        assert await client.ask("event", {"Name": "x"}) == ""
    assert farm.clusters["a"].metrics.counters["swim.dropped.ipc-auth"] == 4


def test_the_key_is_never_shown() -> None:
    assert "s3cret" not in repr(swim.ipc.IpcSettings(rpc_auth="s3cret"))


async def test_a_tag_both_deleted_and_set_is_set(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000, tags={"role": "web", "dc": "east"})
    async with connected(await farm.serve(cluster)) as client:
        request = {"Tags": {"role": "db"}, "DeleteTags": ["role", "dc", "none"]}
        assert await client.ask("tags", request) == ""
    assert dict(cluster.local.tags) == {"role": "db"}


async def test_joins_in_part_and_not_at_all(farm: Farm, quick_clock: object) -> None:
    await farm.start("b", 17001)
    async with connected(await farm.serve(await farm.start("a", 17000))) as client:
        addresses = ["127.0.0.1:17001", "127.0.0.1:1"]
        assert await client.ask("join", {"Existing": addresses}, answers=True) == {"Num": 1}
        error = await client.ask("join", {"Existing": ["127.0.0.1:1", "127.0.0.1:2"]}, answers=True)
        assert error.startswith("2 errors occurred:\n\t* failed to join 127.0.0.1:1")
        assert "\n\t* failed to join 127.0.0.1:2" in error
        assert error.endswith("\n\n")
        assert await client.ask("join", {"Existing": []}, answers=True) == {"Num": 0}
        assert "bracket" in await client.ask("join", {"Existing": ["[::1"]}, answers=True)


async def test_force_leave_and_prune(farm: Farm, quick_clock: object) -> None:
    first, _, endpoint = await farm.pair("a", "b", 17000)
    await until(lambda: len(first.members()) == 2)
    farm.kill("b")
    await until(lambda: first.members(status="failed"))
    async with connected(endpoint) as client:
        assert await client.ask("force-leave", {"Node": "b"}) == ""
        assert await client.ask("members-filtered", {"Status": "left"}, answers=True) != {"Members": []}
        assert await client.ask("force-leave", {"Node": "b", "Prune": True}) == ""
        assert await names(client) == ["a"]


async def test_an_event_that_fits_only_before_encoding(farm: Farm, quick_clock: object) -> None:
    async with connected(await farm.serve(await farm.start("a", 17000))) as client:
        error = await client.ask("event", {"Name": "x", "Payload": b"y" * 511})
        assert error == "encoded user event exceeds configured limit of 512 bytes after encoding"
        error = await client.ask("event", {"Name": "x", "Payload": b"y" * 512})
        assert error == "user event exceeds configured limit of 512 bytes before encoding"


async def test_what_info_shows(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000, tags={"role": "web"})
    endpoint = await farm.serve(cluster, handlers=lambda: {"query:load": "uptime"})
    async with connected(endpoint) as client:
        stats = await client.ask("stats", answers=True)
    assert stats["agent"] == {"name": "a"}
    assert stats["tags"] == {"role": "web"}
    assert stats["event_handlers"] == {"query:load": "uptime"}
    assert stats["serf"]["members"] == "1"
    assert stats["serf"]["encrypted"] == "false"


@pytest.mark.parametrize("name", ["_serf_list-keys", "_serf_", "_serf_ping "])
async def test_internal_queries_are_refused(farm: Farm, quick_clock: object, name: str) -> None:
    async with connected(await farm.serve(await farm.start("a", 17000))) as client:
        assert await client.ask("query", {"Name": name}) == "Queries cannot contain the '_serf_' prefix"
        error = await client.ask("query", {"Name": "_serf_ping", "Payload": b"x"})
        assert error == "Queries cannot contain the '_serf_' prefix"


async def test_wrong_queries(farm: Farm, quick_clock: object) -> None:
    async with connected(await farm.serve(await farm.start("a", 17000))) as client:
        assert "timeout" in await client.ask("query", {"Name": "x", "Timeout": -1})
        assert "timeout" in await client.ask("query", {"Name": "x", "Timeout": 2**62})
        if expressions.re2_engine() is not None:
            assert "tags" in await client.ask("query", {"Name": "x", "FilterTags": {"role": "("}})
