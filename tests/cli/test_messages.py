"""``swim event``, ``query`` and ``tags``: what is asked of the agent, what is shown, and the exit codes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import InProcess
from tests.cli.fake_agent import FakeAgent, fake_agent

ACK, RESPONSE = (
    '{"event":"QueryAck","source":"a"}',
    '{"event":"QueryResponse","source":"b","payload":"dXAbIQ=="}',
)


@pytest.fixture
def agent() -> Iterator[FakeAgent]:
    with fake_agent() as running:
        running.answers["/v1/swim/events"] = (200, {"name": "deploy", "bytes": 2, "coalesce": False})
        running.answers["/v1/swim/tags"] = (200, {"tags": {"role": "web", "a": ""}})
        running.answers["/v1/swim/query"] = (200, answer(ACK, "{}", RESPONSE, done()))
        yield running


def done(*, lost: int = 0, error: str = "") -> str:
    counts = {"acks": 1, "responses": 1, "lost": lost, "seconds": 0.25, "error": error}
    return json.dumps({"event": "QueryDone", **counts})


def answer(*lines: str) -> str:
    return "".join(f"{line}\n" for line in ("{}", *lines))


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_event(swim: InProcess, agent: FakeAgent) -> None:
    result = swim("event", "deploy", "v1", "--coalesce", "--address", agent.url)
    assert result == (0, "sent user event deploy (2 bytes)\n", "")
    assert agent.asked == [("PUT", "/v1/swim/events", {"name": ["deploy"], "coalesce": ["true"]})]
    assert agent.bodies == [b"v1"]
    assert json.loads(swim("event", "deploy", "--json", "--address", agent.url).out)["bytes"] == 2
    assert agent.bodies[-1] == b""


def test_payloads_of_any_bytes_come_from_stdin(
    swim: InProcess, agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(range(256))
    stdin(monkeypatch, data)
    assert swim("event", "deploy", "-", "--address", agent.url).code == 0
    stdin(monkeypatch, data)
    assert swim("query", "load", "-", "--address", agent.url).code == 0
    assert agent.bodies == [data, data]
    stdin(monkeypatch, bytes(65_537))
    assert swim("event", "a", "-", "--address", agent.url) == (
        1, "", "swim: payload: more than 65536 bytes on stdin\n",
    )  # fmt: skip


def test_query_shows_replies_and_then_their_number(swim: InProcess, agent: FakeAgent) -> None:
    result = swim("query", "load", "?", "--address", agent.url)
    assert result == (0, "ack from a\nb: up\\x1b!\n1 acks, 1 responses in 0.2 s\n", "")
    plain = swim("query", "load", "--plain", "--address", agent.url)
    assert plain.out == "ack\ta\nresponse\tb\tup\\x1b!\n"
    assert json.loads(swim("query", "load", "--json", "--address", agent.url).out) == {
        "name": "load", "acks": ["a"], "lost": 0, "seconds": 0.25,
        "responses": [{"source": "b", "payload": "dXAbIQ==", "text": "up\x1b!"}],
    }  # fmt: skip


def test_query_passes_its_options_on(swim: InProcess, agent: FakeAgent) -> None:
    swim("query", "load", "--address", agent.url)
    assert agent.asked[-1][2] == {
        "name": ["load"], "ack": ["true"], "relay_factor": ["0"], "finish_early": ["false"],
    }  # fmt: skip
    swim(
        "query", "load", "--node", "a", "--node", "b", "--tag", "role=web|db", "--timeout", "250ms",
        "--no-ack", "--relay-factor", "2", "--finish-early", "--address", agent.url,
    )  # fmt: skip
    assert agent.asked[-1][2] == {
        "name": ["load"], "ack": ["false"], "relay_factor": ["2"], "finish_early": ["true"],
        "node": ["a", "b"], "tag": ["role=web|db"], "timeout": ["0.250"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "code", "text"),
    [
        ((404, "no member named 'x'"), 3, "no member named 'x'"),
        ((409, "cannot send"), 6, "cannot send"),
        ((400, "payload: too large"), 1, "payload: too large"),
        ((200, answer(ACK)), 4, "the agent stopped before the query was over"),
        ((200, answer(ACK, done(error="it closed"))), 1, "it closed"),
        ((200, answer(ACK, done(lost=3))), 1, "3 replies were lost: this command did not keep up"),
    ],
)
def test_a_query_that_fails_says_why(
    swim: InProcess, agent: FakeAgent, reply: tuple[int, object], code: int, text: str
) -> None:
    agent.answers["/v1/swim/query"] = reply
    result = swim("query", "load", "--address", agent.url)
    assert (result.code, result.err) == (code, f"swim: {text}\n")


def test_tags(swim: InProcess, agent: FakeAgent) -> None:
    assert swim("tags", "--address", agent.url) == (0, "a=\nrole=web\n", "")
    assert agent.asked[-1] == ("GET", "/v1/swim/tags", {})
    assert swim("tags", "--set", "a=b=c", "--delete", "x", "--plain", "--address", agent.url).code == 0
    assert agent.asked[-1] == ("PUT", "/v1/swim/tags", {"set": ["a=b=c"], "delete": ["x"]})


@pytest.mark.parametrize(
    "arguments",
    [
        ("event",), ("query",), ("query", "a", "--tag", "role"),
        ("query", "a", "--tag", "r=1", "--tag", "r=2"), ("query", "a", "--relay-factor", "256"),
        ("query", "a", "--timeout", "soon"), ("tags", "--set", "=x"),
        ("tags", "--set", "a=1", "--delete", "a"), ("tags", "x"),
    ],
)  # fmt: skip
def test_usage(swim: InProcess, agent: FakeAgent, arguments: tuple[str, ...]) -> None:
    code, out, err = swim(*arguments, "--address", agent.url)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not agent.asked
