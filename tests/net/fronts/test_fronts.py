"""One vocabulary: the same program, arguments and errors on trio, on asyncio and in plain threads."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import threading
from typing import Any

import pytest

import swim
import swim.asyncio
import swim.blocking
from swim.net.fronts.reading import Reading
from tests.members import member
from tests.net.fronts.styles import Each, Front, done, every_front, first, local
from tests.net.test_arguments import WRONG_TYPE, WRONG_VALUE

pytestmark = pytest.mark.slow


async def every_command(front: Front) -> None:
    async with front.opened(local("n1")) as one, front.opened(local("n2", tags={"a": "1"})) as two:
        events = one.events()
        result = await done(two.join(["{}:{}".format(*one.endpoint), "127.0.0.1:1"]))
        assert [outcome.ok for outcome in result.outcomes] == [True, False]
        joined = await first(events, swim.MemberJoined)
        assert (joined.member.name, one.member("n2").tags, one.is_alone) == ("n2", {"a": "1"}, False)
        await done(two.update_tags({"b": "2"}, remove=["a"]))
        assert (await first(events, swim.MemberUpdated)).member.tags == two.local.tags == {"b": "2"}
        await done(two.set_tags({}))
        assert (await first(events, swim.MemberUpdated)).member.tags == {}
        await done(two.user_event("deploy", b"42"))
        assert (await first(events, swim.UserEvent)).payload == b"42"
        assert [event.name for event in one.user_events()] == ["deploy"]
        replies = two.query("load", b"?", nodes=["n1"], ack=True, timeout=0.5)
        await done(one.respond(await first(events, swim.Query), b"0.7"))
        got = [reply async for reply in Each(replies)]
        assert sorted(map(repr, got)) == [
            "QueryAck(source='n1')",
            "QueryResponse(source='n1', payload=b'0.7')",
        ]
        assert [reply async for reply in Each(replies)] == got
        for way in ("packet", "stream"):
            assert 0 < await done(one.ping("n2", via=way)) < 10
        with pytest.raises(swim.LocalError, match=r"^no other member could relay a ping"):
            await done(one.ping("n2", via="relay"))
        assert await done(one.force_leave("n2", timeout=5)) == "refuted"
        assert await done(one.force_leave("nobody")) == "unknown"
        await done(two.leave())
        assert two.status == "left"
        assert (await first(events, swim.MemberLeft)).member.name == "n2"
        assert (await done(two.rejoin())).joined == 1
        await first(events, swim.MemberJoined)
        assert (await done(one.resolve("127.0.0.1", 7))) == (("127.0.0.1", 7),)
        ticket = one.do(swim.SendUserEvent("last"))
        assert await done(ticket.outcome()) is None
        names = sorted(member.name for member in one.alive())
        assert (names, one.stats().members, one.status) == (["n1", "n2"], 2, "running")
        assert one.started_at <= one.history("n2")[0].at <= one.now()


@every_front
def test_every_command(front: Front) -> None:
    front.run(every_command, front)


NO_SECONDS = [
    (method, "timeout", {**given, "timeout": wrong})
    for method, given in (("set_tags", {"tags": {}}), ("user_event", {"name": "e"}), ("events", {}))
    for wrong in (-1, "1", float("nan"))
]


async def name_wrong_arguments(front: Front) -> None:
    async with front.opened(local("n1", tags={"role": "web"}), leave_timeout=0) as one:
        wrong = WRONG_TYPE + WRONG_VALUE + (NO_SECONDS if front.name == "blocking" else [])
        for method, argument, given in wrong:
            with pytest.raises(swim.ConfigError, match=rf"^{argument}\b") as raised:
                await done(getattr(one, method)(**given))
            assert isinstance(raised.value, TypeError) or (method, argument, given) not in WRONG_TYPE
            assert (one.status, one.local.tags) == ("running", {"role": "web"})


@every_front
def test_wrong_arguments_are_named(front: Front) -> None:
    front.run(name_wrong_arguments, front)


TOO_LARGE: list[tuple[str, tuple[Any, ...], str]] = [
    ("send", (member("n1"), bytes(65_537)), r"^payload: is 65537 bytes, more than 65536"),
    ("broadcast", (bytes(600),), r"^payload: is 600 bytes, more than broadcast_size_limit \(512\)"),
    (
        "user_event",
        ("e", bytes(600)),
        r"^payload: the user event takes 6\d\d .* user_event_size_limit \(512\)",
    ),
    ("query", ("q", bytes(2000)), r"^payload: the query takes 2\d\d\d .* query_size_limit \(1024\)"),
    ("set_tags", ({"a": "x" * 600},), r"^tags: take 607 bytes encoded, the limit is 512; the largest is 'a'"),
    ("update_tags", ({"a": "x" * 600},), r"^tags: take 607 bytes encoded, the limit is 512"),
]


async def send_too_much(front: Front) -> None:
    async with front.opened(local("n1"), leave_timeout=0) as one:
        for method, given, match in TOO_LARGE:
            with pytest.raises(swim.ConfigError, match=match):  # noqa: PT012
                found = await done(getattr(one, method)(*given))
                _ = [reply async for reply in Each(found)]
        assert (one.status, one.local.tags, one.user_events()) == ("running", {}, ())


@every_front
def test_what_is_too_large_names_its_size_and_the_limit(front: Front) -> None:
    front.run(send_too_much, front)


@every_front
@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("config", {"config": "web-1"}),
        ("faults", {"faults": 0.5}),
        ("data_dir", {"data_dir": 7}),
        ("data_dir", {"data_dir": ""}),
        ("snapshot_file", {"snapshot_file": ""}),
        ("tags_file", {"tags_file": 7}),
        ("tags_file", {"tags_file": ""}),
        ("leave_timeout", {"leave_timeout": "5"}),
        ("leave_timeout", {"leave_timeout": -1}),
    ],
)
def test_opening_checks_its_arguments(front: Front, argument: str, given: dict[str, Any]) -> None:
    with pytest.raises(swim.ConfigError, match=rf"^{argument}\b"):
        front.open(**{"config": local("n1")} | given)


@pytest.mark.parametrize("module", [swim.asyncio, swim.blocking])
def test_isolation_is_one_of_two(module: Any) -> None:
    for wrong in ("fiber", None, ["thread"]):
        with pytest.raises(swim.ConfigError, match=r"^isolation: must be "):
            module.open_cluster(local("n1"), isolation=wrong)


async def coordinates(front: Front) -> None:
    fast = {"probe_interval": 0.05, "probe_timeout": 0.05}
    async with front.opened(local("n1", **fast)) as one, front.opened(local("n2", **fast)) as two:
        assert one.coordinate() == one.coordinate("n1") == swim.Coordinate()
        assert one.coordinate("n2") is one.coordinate("nobody") is None
        await done(two.join(["{}:{}".format(*one.endpoint)]))
        while one.coordinate("n2") is None:
            _ = [reply async for reply in Each(one.query("wait", timeout=0.1))]
        mine, others = one.coordinate(), one.coordinate("n2")
        assert 0 < mine.distance_to(others) < 10
        assert one.stats().coordinate_resets == 0
        found = one.detection("n2")
        assert found.last_ack == found.probe.at
        assert found.last_ack - one.started_at > found.rtt > 0
        assert one.started_at <= found.since <= found.last_ack
        assert one.detection("n1").probe is one.detection("nobody") is None
    async with front.opened(local("n1", disable_coordinates=True)) as one:
        assert one.coordinate() is one.stats().coordinate_resets is None


@every_front
def test_coordinates_are_read_on_every_front(front: Front) -> None:
    front.run(coordinates, front)


COMMANDS: dict[str, tuple[Any, ...]] = {
    "join": (["127.0.0.1:1"],),
    "leave": (),
    "rejoin": (),
    "force_leave": ("n1",),
    "set_tags": ({},),
    "update_tags": ({},),
    "user_event": ("e",),
    "query": ("q",),
    "ping": ("n1",),
    "respond": (swim.Query("q"),),
    "send": (member("n1"), b"bytes"),
    "broadcast": (b"bytes",),
    "resolve": ("127.0.0.1", 1),
    **dict.fromkeys(("install_key", "use_key", "remove_key"), (bytes(16),)),
    "list_keys": (),
    "do": (swim.Leave(),),
}
READS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("members", "alive", "user_events", "seeds", "stats", "events"), ()),
    "member": ("n1",),
    "history": ("n1",),
    "coordinate": (),
    "detection": ("n1",),
}
ATTRIBUTES = ("status", "advertised", "local", "is_alone")


async def every_use_raises(cluster: Any, match: str, names: dict[str, tuple[Any, ...]]) -> None:
    for name, arguments in names.items():
        with pytest.raises(swim.LocalError, match=match):
            await done(getattr(cluster, name)(*arguments))


@every_front
def test_it_is_not_used_before_it_is_open(front: Front) -> None:
    opening = front.open(local("n1"))
    for name in (*COMMANDS, *READS, *ATTRIBUTES, "config", "metrics", "endpoint", "now"):
        with pytest.raises(
            swim.LocalError, match=rf"^{name}: this cluster is not open yet, use '(async )?with "
        ):
            getattr(opening, name)
    assert not hasattr(opening, "nothing")


async def enter_wrongly(front: Front) -> None:
    async def awaited() -> None:
        await front.open(local("n1"))

    async def entered() -> None:
        if front.is_async:
            with front.open(local("n1")):
                raise AssertionError("entered")
        async with front.open(local("n1")):
            raise AssertionError("entered")

    for wrong in (awaited, entered):
        with pytest.raises(
            swim.LocalError, match=r"^this is not the way into .*, use '(async )?with "
        ) as raised:
            await wrong()
        assert ("async with" in str(raised.value)) == front.is_async


@every_front
def test_each_wrong_way_to_enter_names_the_right_one(front: Front) -> None:
    front.run(enter_wrongly, front)


async def use_after_close(front: Front) -> None:
    async with front.opened(local("n1"), leave_timeout=0) as one:
        waiting = one.events()
    await every_use_raises(one, "closed", COMMANDS)
    assert one.status == "stopped"
    assert [member.name for member in one.members()] == ["n1"]
    assert [event async for event in Each(waiting)] == []
    assert [event async for event in Each(one.events())] == []
    opening = front.open(local("n1"), leave_timeout=0)
    for _ in range(2):
        try:
            if front.is_async:
                async with opening:
                    continue
            with opening:
                continue
        except swim.LocalError as error:
            assert "entered before" in str(error)  # noqa: PT017
            return
    raise AssertionError("entered twice")


@every_front
def test_it_is_not_used_after_it_was_closed(front: Front) -> None:
    front.run(use_after_close, front)


class Mistake(Exception):
    pass


async def fail_in_a_block(front: Front) -> None:
    mistake = Mistake()
    async with front.opened(local("n1"), leave_timeout=0) as one:
        events = one.events(kinds=(swim.MemberFailed, swim.MemberLeft))
        caught: list[Exception] = []
        try:
            async with front.opened(local("n2")) as two:
                await done(two.join(["{}:{}".format(*one.endpoint)]))
                raise mistake
        except Mistake as error:
            caught.append(error)
        assert caught == [mistake]
        assert two.status == "stopped"
        assert isinstance(await first(events), swim.MemberFailed)


@every_front
def test_what_a_block_raises_comes_out_and_the_others_see_a_failure(front: Front) -> None:
    front.run(fail_in_a_block, front)


async def use_a_port_twice(front: Front) -> None:
    async with front.opened(local("n1"), leave_timeout=0) as one:
        for bind, why in (("{}:{}".format(*one.endpoint), "in use"), ("no.such.host.invalid:1", "resolve")):
            with pytest.raises(swim.ConfigError, match=rf"^bind: .*{why}"):
                async with front.opened(local("n2", bind=bind)):
                    raise AssertionError("opened")


@every_front
def test_what_cannot_be_bound_is_named(front: Front) -> None:
    front.run(use_a_port_twice, front)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("swim:n")]


async def use_a_fork(front: Front) -> None:
    async with front.opened(local("n1")) as one, front.opened(local("n2", one)) as two:
        events = two.events()
        if two.is_alone:
            await first(events)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                match = "opened in another process, before a fork: call open_cluster"
                await every_use_raises(one, match, COMMANDS | READS)
                for name in ATTRIBUTES:
                    with pytest.raises(swim.LocalError, match=match):
                        getattr(one, name)
                if front.name != "trio":
                    with pytest.raises(swim.LocalError, match=match):
                        await first(events)
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0  # noqa: ASYNC222
        assert (await done(one.join(["{}:{}".format(*two.endpoint)]))).joined == 1
        await done(one.user_event("still-here"))
        while (await first(events, swim.UserEvent)).name != "still-here":
            pass


@every_front
def test_a_fork_of_its_process_is_refused_and_the_process_goes_on(front: Front) -> None:
    front.run(use_a_fork, front)


async def copy_it(front: Front) -> None:
    async with front.opened(local("n1"), leave_timeout=0) as one:
        for copied in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(swim.LocalError, match="cannot be pickled or copied"):
                copied(one)


@every_front
def test_it_cannot_be_sent_to_another_process(front: Front) -> None:
    front.run(copy_it, front)


def signature(method: Any, extra: set[str]) -> list[tuple[str, Any, Any]]:
    parameters = inspect.signature(method).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters if each.name not in extra]


def test_the_names_and_arguments_are_the_same() -> None:
    fronts = (swim.Cluster, swim.asyncio.Cluster, swim.blocking.Cluster)
    names = [{name for name in dir(front) if not name.startswith("_")} for front in fronts]
    assert names[0] == names[1] == names[2]
    for name in names[0]:
        kind, *others = (inspect.getattr_static(front, name) for front in fronts)
        assert all(isinstance(other, property) == isinstance(kind, property) for other in others)
        if not isinstance(kind, property):
            ours = [signature(getattr(front, name), {"timeout"}) for front in fronts]
            assert ours[0] == ours[1] == ours[2], name
            waits = {
                "set_tags",
                "update_tags",
                "user_event",
                "respond",
                "resolve",
                "events",
                "send",
                "broadcast",
                "install_key",
                "use_key",
                "remove_key",
                "list_keys",
            }
            if name not in waits:
                assert signature(getattr(fronts[0], name), set()) == signature(
                    getattr(fronts[2], name), set()
                )
    assert issubclass(swim.blocking.Cluster, Reading)
    openings = [signature(module.open_cluster, {"transport", "isolation"}) for module in (swim, swim.asyncio)]
    assert openings[0] == openings[1] == signature(swim.blocking.open_cluster, {"isolation"})
