"""A node in a thread, on real loopback sockets: any thread may use it, and every end is reported."""

from __future__ import annotations

import gc
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from swim.commands import Command, Join, Leave, SendQuery, SendUserEvent, SetTags
from swim.config import Config
from swim.errors import ConfigError, InternalError, LocalError
from swim.events import EventsLost, MemberEvent, MemberFailed, UserEvent
from swim.net.files import Files
from swim.net.isolated.loop import Loop
from swim.net.isolated.thread import NodeThread
from swim.net.pump import Ticket
from swim.node import Node

SECONDS = 20.0
"""For whatever happens within milliseconds on a machine that is not busy."""


class Nodes:
    """Starts nodes, and ends them with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, name: str, *, data_dir: Path | None = None, **settings: Any) -> NodeThread:
        """Starts a node and waits until it runs."""
        node = self.begin(name, data_dir=data_dir, **settings)
        until(lambda: node.is_running or node.is_ended)
        if node.failure is not None:
            raise node.failure
        return node

    def begin(self, name: str, *, data_dir: Path | None = None, **settings: Any) -> NodeThread:
        """Starts a node."""
        config = Config.local(**({"name": name, "bind": "127.0.0.1:0"} | settings))
        node = NodeThread(config, files=Files(data_dir=data_dir))
        self._stack.callback(node.join, SECONDS)
        self._stack.callback(node.stop)
        node.start()
        return node

    def pair(self, **settings: Any) -> tuple[NodeThread, NodeThread]:
        """Two that know each other."""
        one = self("one")
        two = self("two", seeds=[address(one)], **settings)
        until(lambda: len(one.view.members()) == len(two.view.members()) == 2)
        return one, two


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield Nodes(stack)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def address(node: NodeThread) -> str:
    return "{}:{}".format(*node.endpoint)


def outcome(node: NodeThread, command: Command) -> Any:
    done = threading.Event()
    ticket = Ticket(changed=done.set)
    node.submit(command, ticket)
    assert done.wait(SECONDS)
    return ticket.result


def begin(node: NodeThread, command: Command) -> Ticket:
    """Gives a node a command."""
    ticket = Ticket()
    node.submit(command, ticket)
    return ticket


@pytest.mark.slow
def test_members_commands_and_the_end(nodes: Nodes) -> None:
    one, two = nodes.pair()
    assert outcome(two, SetTags({"role": "web"})) is None
    until(lambda: one.view.member("two").tags == {"role": "web"})  # type: ignore[union-attr]
    assert outcome(two, Leave()) is None
    assert two.view.status == "left"
    until(lambda: one.view.member("two").status == "left")  # type: ignore[union-attr]
    assert [transition.after for transition in one.view.history("two")][-1] == "left"
    ended = threading.Event()
    one.when_ended(ended.set)
    one.stop()
    assert one.join(SECONDS)
    assert ended.is_set()
    assert one.failure is None
    assert one.is_ended
    assert len(one.view.members()) == 2, "still readable"
    late = begin(one, Leave())
    with pytest.raises(LocalError, match="closed"):
        _ = late.result
    one.when_ended(ended.clear)
    assert not ended.is_set(), "called at once"
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as again:
        again.bind(one.endpoint)


def test_a_refused_command_raises_from_its_ticket(nodes: Nodes) -> None:
    node = nodes("one")
    with pytest.raises(ConfigError, match="payload"):
        outcome(node, SendUserEvent("x", bytes(600)))
    outcome(node, Leave())
    with pytest.raises(LocalError, match="left"):
        outcome(node, Join(["127.0.0.1:1"]))


@pytest.mark.slow
def test_many_threads_at_once(nodes: Nodes) -> None:
    """Every command gets its outcome, every event its reader, and every read is a snapshot."""
    one, two = nodes.pair()
    mailbox = one.open_mailbox((UserEvent,))
    outcomes: list[object] = []

    def use(number: int) -> None:
        for step in range(20):
            outcomes.append(outcome(two, SendUserEvent(f"{number}-{step}", b"")))
            assert {member.name for member in two.view.members()} == {"one", "two"}
            two.view.user_events()
            two.view.stats()

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert outcomes == [None] * 160
    names: list[str] = []

    def all_there() -> bool:
        while (event := mailbox.take()) is not None:
            assert isinstance(event, UserEvent)
            names.append(event.name)
        return len(names) == 160

    until(all_there)
    assert set(names) == {f"{number}-{step}" for number in range(8) for step in range(20)}


def test_a_mailbox_wakes_once_per_burst_and_counts_what_it_lost(nodes: Nodes) -> None:
    node = nodes("one", event_buffer_size=3)
    wakes: list[int] = []
    mailbox = node.open_mailbox((UserEvent,), lambda: wakes.append(1))
    for number in range(8):
        outcome(node, SendUserEvent(f"{number}", b""))
    assert len(wakes) == 1
    taken = [mailbox.take() for _ in range(5)]
    assert [event.name for event in taken[:3] if isinstance(event, UserEvent)] == ["0", "1", "2"]
    assert taken[3:] == [EventsLost(5), None]
    outcome(node, SendUserEvent("8", b""))
    assert len(wakes) == 2
    node.stop()
    assert node.join(SECONDS)
    assert mailbox.is_closed
    assert len(wakes) == 3
    assert node.open_mailbox().is_closed


def test_a_dropped_mailbox_is_forgotten(nodes: Nodes) -> None:
    node = nodes("one")
    wakes: list[int] = []
    mailbox = node.open_mailbox((UserEvent,), lambda: wakes.append(1))
    del mailbox
    gc.collect()
    outcome(node, SendUserEvent("x", b""))
    assert not wakes


def test_folding_events_gives_the_members(nodes: Nodes) -> None:
    one = nodes("one")
    mailbox = one.open_mailbox((MemberEvent,))
    members = {member.name: member for member in one.view.members()}
    two = nodes("two", seeds=[address(one)])
    until(lambda: len(one.view.members()) == 2)
    outcome(two, SetTags({"a": "b"}))
    outcome(two, Leave())
    until(lambda: one.view.member("two").status == "left")  # type: ignore[union-attr]
    while (event := mailbox.take()) is not None:
        assert isinstance(event, MemberEvent)
        members[event.member.name] = event.member
    assert tuple(members.values()) == one.view.members()


def test_a_query_collects_replies_until_it_is_abandoned(nodes: Nodes) -> None:
    one, _ = nodes.pair()
    ticket = begin(one, SendQuery("who", b"", ack=True, timeout=600.0))
    until(lambda: len(ticket.replies) == 2)
    one.abandon(ticket)
    until(lambda: ticket.is_done)
    assert ticket.result is None


@pytest.mark.slow
def test_a_killed_node_fails_and_its_end_closes_what_waits(nodes: Nodes) -> None:
    one, two = nodes.pair()
    mailbox = two.open_mailbox()
    query = begin(two, SendQuery("who", b"", timeout=600.0))
    two.stop()
    assert two.join(SECONDS)
    assert mailbox.is_closed
    with pytest.raises(LocalError, match="closed"):
        _ = query.result
    until(lambda: one.view.member("two").status == "failed")  # type: ignore[union-attr]


def test_a_bug_ends_the_node_with_one_clear_error(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, two = nodes.pair()
    mailbox, query = two.open_mailbox((MemberFailed,)), begin(two, SendQuery("who", b"", timeout=600.0))
    ended = threading.Event()
    two.when_ended(ended.set)

    def fail(node: Node, *_: object, **__: object) -> None:
        if node.config.name == "two":
            raise ZeroDivisionError("a planted bug")

    monkeypatch.setattr(Node, "handle_timeout", fail)
    with caplog.at_level(logging.ERROR, "swim"):
        assert ended.wait(SECONDS)
    assert isinstance(two.failure, InternalError)
    assert "ZeroDivisionError: a planted bug" in str(two.failure)
    assert mailbox.is_closed
    with pytest.raises(InternalError, match="planted"):
        _ = query.result
    with pytest.raises(InternalError, match="planted"):
        _ = begin(two, Leave()).result
    assert two.join(SECONDS)
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.mark.slow
def test_a_node_that_loses_its_name_ends(nodes: Nodes) -> None:
    one, two = nodes.pair()
    third = nodes("three", seeds=[address(one)])
    until(lambda: len(third.view.members()) == 3)
    twin = nodes("one", seeds=[address(two)])
    until(lambda: twin.is_ended or one.is_ended)
    loser = twin if twin.is_ended else one
    assert isinstance(loser.failure, LocalError)
    assert "one" in str(loser.failure)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"bind": "192.0.2.7:0"}, "bind"),
        ({"bind": "name.invalid:0"}, "bind"),
        ({"advertise": "name.invalid"}, "advertise"),
        ({"seeds": ["198.51.100.7:7946"]}, "seeds"),
    ],
)
def test_a_node_that_cannot_start_says_which_setting_is_wrong(
    nodes: Nodes, settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        nodes("one", **settings)
    assert raised.value.field == field


def test_a_port_in_use_is_named(nodes: Nodes) -> None:
    one = nodes("one")
    with pytest.raises(ConfigError, match=f"bind: TCP port {one.endpoint[1]} .* is in use"):
        nodes("two", bind=address(one))


def test_a_start_that_hangs_can_be_stopped(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    asked = threading.Event()

    def hang(*_: object, **__: object) -> None:
        asked.set()
        over.wait(SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "no")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    node = nodes.begin("one", bind="slow.example:0")
    assert asked.wait(SECONDS)
    node.stop()
    assert node.join(SECONDS / 4), "not after the lookup's own timeout"
    assert isinstance(node.failure, LocalError)
    over.set()


@pytest.mark.slow
def test_a_restart_remembers_its_members_and_incarnation(nodes: Nodes, tmp_path: Path) -> None:
    one, two = nodes.pair(data_dir=tmp_path)
    incarnation = two.view.local.incarnation
    with pytest.raises(ConfigError, match=r"data_dir: .* in use"):
        nodes("three", data_dir=tmp_path)
    two.stop()
    assert two.join(SECONDS)
    until(lambda: one.view.member("two").status == "failed")  # type: ignore[union-attr]
    again = nodes("two", data_dir=tmp_path)  # no seeds: only the snapshot knows where the other is
    until(lambda: len(again.view.members()) == 2)
    assert again.view.local.incarnation > incarnation


def test_names_are_resolved(nodes: Nodes) -> None:
    node = nodes("one")
    assert node.resolve("127.0.0.1", 7).result(SECONDS) == (("127.0.0.1", 7),)
    assert ("127.0.0.1", 7) in node.resolve("localhost", 7).result(SECONDS)
    with pytest.raises(OSError, match=r".+"):
        node.resolve("name.invalid", 7).result(SECONDS)


@pytest.mark.slow
def test_a_blocked_interpreter_is_no_reason_to_blame_others(nodes: Nodes) -> None:
    """The loop learns how late it woke, whatever held it up."""
    one, two = nodes.pair()
    late: list[float] = []
    handle = Loop.fire

    def fire(loop: Loop, now: float, overslept: float) -> None:
        late.append(overslept)
        handle(loop, now, overslept)

    loop = one._loop
    assert loop is not None
    loop.fire = fire.__get__(loop)  # type: ignore[method-assign]
    loop.soon(lambda: time.sleep(1.0))
    until(lambda: any(seconds > 0.5 for seconds in late))
    outcome(two, SetTags({"still": "here"}))
    until(lambda: one.view.member("two").tags)  # type: ignore[union-attr]
    assert not [line for line in one.view.history("two") if line.after == "failed"]


@pytest.mark.slow
def test_a_process_with_a_node_in_a_thread_imports_no_trio() -> None:
    program = (
        "import sys; from swim import Config; from swim.net.isolated.thread import NodeThread;"
        "node = NodeThread(Config.local(bind='127.0.0.1:0')); node.start(); node.stop(); node.join();"
        "print(sorted({'trio', 'asyncio', 'ssl', 'ctypes'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert (found.stdout, found.stderr) == ("[]\n", "")


def test_a_log_handler_that_fails_ends_the_node_with_an_error(nodes: Nodes) -> None:
    class Failing(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise ValueError("on purpose")

    logger, handler = logging.getLogger("swim"), Failing()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        node = nodes.begin("one")
        until(lambda: node.is_ended)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert isinstance(node.failure, InternalError)
    assert "ValueError: on purpose" in str(node.failure)
