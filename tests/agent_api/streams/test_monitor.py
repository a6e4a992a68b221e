"""``/v1/agent/monitor``: Nomad's frames and texts, levels, slow readers, and nothing left behind."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from agent_api.streams.lines import STREAM_LINES_MAX, Feed
from agent_api.streams.monitor import MonitorSource
from swim import verbosity
from tests.agent_api.http import Agent

_log = logging.getLogger("swim.test")


class Kept(logging.Handler):
    """A handler of the program's own."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def own() -> Iterator[Kept]:
    """The program logs at INFO to the root logger."""
    handler, top = Kept(), logging.getLogger("swim")
    before = top.level
    logging.getLogger().addHandler(handler)
    top.setLevel(logging.INFO)
    yield handler
    logging.getLogger().removeHandler(handler)
    top.setLevel(before)


@asynccontextmanager
async def running(source: MonitorSource) -> AsyncIterator[Feed]:
    feed = Feed()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source, feed)
        await trio.testing.wait_all_tasks_blocked()
        yield feed
        nursery.cancel_scope.cancel()


def text_of(frame: bytes) -> str:
    document = json.loads(frame)
    assert document["FileEvent"] == "log"
    assert frame.endswith(b"}\n")
    return base64.b64decode(document["Data"]).decode()


async def test_lines_come_in_frames_at_the_level_asked_for_and_nowhere_else(
    own: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    _log.error("before")
    async with running(MonitorSource("debug", is_json=False, is_plain=False)) as feed:
        _log.debug("small %d", 1)
        _log.info("normal")
        logging.getLogger("other").error("another package")
        frames = [await feed.next() for _ in range(2)]
    lines = [text_of(frame) for frame in frames if frame]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[DEBUG\] swim\.test: small 1\n", lines[0])
    assert lines[1].endswith(" [INFO]  swim.test: normal\n")
    assert own.texts == ["before", "normal", "another package"]
    _log.debug("after")
    assert own.texts == ["before", "normal", "another package"]


async def test_each_reader_has_a_level_of_its_own(own: Kept, autojump_clock: trio.testing.MockClock) -> None:
    async with (
        running(MonitorSource("error", is_json=False, is_plain=True)) as errors,
        running(MonitorSource("trace", is_json=True, is_plain=True)) as everything,
    ):
        for level in (logging.DEBUG, logging.WARNING, logging.ERROR):
            _log.log(level, "at %d", level)
        seen = [json.loads(await everything.next() or b"") for _ in range(3)]
        assert [line["@message"] for line in seen] == ["at 10", "at 30", "at 40"]
        assert [line["@level"] for line in seen] == ["debug", "warn", "error"]
        line = await errors.next()
        assert line is not None
        assert line.endswith(b"[ERROR] swim.test: at 40\n")
        assert errors.is_empty
    assert own.texts == ["at 30", "at 40"]
    assert verbosity.level() == logging.INFO


async def test_the_programs_level_can_change_meanwhile(
    own: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(MonitorSource("debug", is_json=False, is_plain=True)):
        verbosity.set_level(logging.ERROR)
        _log.warning("hidden")
        assert verbosity.level() == logging.ERROR
    _log.warning("still hidden")
    _log.error("shown")
    assert own.texts == ["shown"]


async def test_off_shows_nothing(own: Kept, autojump_clock: trio.testing.MockClock) -> None:
    async with running(MonitorSource("off", is_json=False, is_plain=True)) as feed:
        _log.critical("loud")
        await trio.sleep(1)
        assert feed.is_empty
    assert own.texts == ["loud"]


async def test_a_slow_reader_loses_lines_and_gets_their_number(
    own: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(MonitorSource("info", is_json=False, is_plain=True)) as feed:
        for number in range(STREAM_LINES_MAX + 7):
            _log.info("line %d", number)
        await trio.sleep(1)
        _log.info("too late")
        await trio.sleep(1)
        for number in range(STREAM_LINES_MAX):
            line = await feed.next()
            assert line is not None
            assert line.endswith(b"line %d\n" % number)
        notice = await feed.next()
        assert notice is not None
        assert notice.endswith(b"[WARN]  swim.http: Monitor dropped 8 logs during monitor request\n")
        _log.info("again")
        line = await feed.next()
        assert line is not None
        assert line.endswith(b"again\n")


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("log_level=loud", 400, "Unknown log level: loud"),
        ("log_json=no", 400, 'Unknown option for log json: strconv.ParseBool: parsing "no": invalid syntax'),
        ("plain=2", 400, 'Unknown option for plain: strconv.ParseBool: parsing "2": invalid syntax'),
        ("log_include_location=x", 400,
         'Unknown option for log_include_location: strconv.ParseBool: parsing "x": invalid syntax'),
        ("node_id=a&server_id=b", 400, "Cannot target node and server simultaneously"),
        ("node_id=nope", 404, 'Unknown node "nope"'),
        ("server_id=nope", 400, "unknown Nomad server nope"),
    ],
)  # fmt: skip
async def test_nomads_refusals(agent: Agent, query: str, status: int, text: str) -> None:
    answer = await agent.get(f"/v1/agent/monitor?{query}")
    assert (answer.status, answer.text) == (status, text)


@pytest.mark.parametrize(
    "query", ["", "log_level=", "log_level=DEBUG", "log_level=+warn%20", "node_id=&server_id=",
              "node_id=n1", "server_id=n1.global", "server_id=leader", "plain=true&log_json=true"],
)  # fmt: skip
async def test_nomads_targets(agent: Agent, query: str) -> None:
    assert await agent.head("GET", f"/v1/agent/monitor?{query}") == 200


@pytest.mark.parametrize("plain", [True, False])
async def test_over_a_socket_the_head_comes_at_once_and_nothing_stays(agent: Agent, plain: bool) -> None:
    top = logging.getLogger("swim")
    before = (list(top.handlers), top.level, trio.lowlevel.current_statistics().tasks_living)
    request = f"GET /v1/agent/monitor?log_level=debug&plain={plain} HTTP/1.1\r\nHost: agent\r\n"
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        await stream.send_all(request.encode() + b"Accept-Encoding: gzip\r\n\r\n")
        received = b""
        with trio.fail_after(5):
            while b"\r\n\r\n" not in received:
                received += await stream.receive_some()
            kind = b"text/plain; charset=utf-8" if plain else b"application/json"
            assert b"content-type: " + kind in received.lower()
            assert b"content-encoding" not in received.lower()
            await agent.get("/v1/agent/health")
            while (b"/v1/agent/health" if plain else b'"Data"') not in received:
                received += await stream.receive_some()
    with trio.fail_after(5):
        while trio.lowlevel.current_statistics().tasks_living > before[2]:
            await trio.lowlevel.checkpoint()
    assert (list(top.handlers), top.level) == before[:2]
