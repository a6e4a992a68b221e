"""``swim rtt`` and ``swim reachability``: their output and exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import InProcess
from tests.cli.fake_agent import FakeAgent, fake_agent

COORDINATE = {"vec": [0.0] * 8, "error": 1.5, "adjustment": 0.0, "height": 1e-05}
SELF = {
    "name": "n1",
    "status": "alive",
    "is_self": True,
    "errors": {},
    "packet": None,
    "stream": None,
    "relay": None,
}
GOOD = SELF | {"name": "n2", "is_self": False, "packet": 0.0004, "stream": 0.0012, "relay": 0.002}
SUMMARY = {"total": 2, "alive": 2, "acked": ["n1", "n2"], "missing": [], "unexpected": []}


@pytest.fixture
def agent() -> Iterator[FakeAgent]:
    with fake_agent() as running:
        yield running


def lines(*documents: Any) -> tuple[int, str]:
    return 200, "".join(json.dumps(document) + "\n" for document in documents)


def test_rtt_prints_what_serf_prints(swim: InProcess, agent: FakeAgent) -> None:
    document = {
        "from": "n2",
        "to": "n1",
        "rtt": 0.000568,
        "coordinates": {"n1": COORDINATE, "n2": COORDINATE},
    }
    agent.answers["/v1/swim/rtt"] = (200, document)
    done = swim("rtt", "n2", "--address", agent.url)
    assert (done.code, done.out) == (0, "Estimated n2 <-> n1 rtt: 0.568 ms\n")
    assert json.loads(swim("rtt", "n2", "n1", "--json", "--address", agent.url).out) == document
    assert [asked[2] for asked in agent.asked] == [{"node": ["n2"]}, {"node": ["n2", "n1"]}]


def test_rtt_of_a_member_without_a_coordinate(swim: InProcess, agent: FakeAgent) -> None:
    document = {"from": "n2", "to": "n1", "rtt": None, "coordinates": {"n2": None, "n1": COORDINATE}}
    agent.answers["/v1/swim/rtt"] = (200, document)
    done = swim("rtt", "n2", "--address", agent.url)
    assert (done.code, done.out) == (1, "")
    assert 'could not find a coordinate for node "n2"' in done.err
    agent.answers["/v1/swim/rtt"] = (404, "no member named 'n2'")
    assert swim("rtt", "n2", "--address", agent.url).code == 3


def test_a_reachable_cluster(swim: InProcess, agent: FakeAgent) -> None:
    agent.answers["/v1/swim/reachability"] = lines(SELF, {}, GOOD, SUMMARY)
    done = swim("reachability", "--address", agent.url)
    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["Total", "members:", "2,", "live", "members:", "2"],
        ["NAME", "PACKET", "STREAM", "RELAY", "QUERY"],
        ["n1", "-", "-", "-", "ack"],
        ["n2", "0.4", "ms", "1.2", "ms", "2.0", "ms", "ack"],
        ["Successfully", "contacted", "all", "live", "nodes"],
    ]
    document = json.loads(swim("reachability", "--json", "--address", agent.url).out)
    assert document == {"members": [SELF, GOOD], **SUMMARY, "ok": True}


@pytest.mark.parametrize(
    ("row", "summary", "problem"),
    [
        (GOOD | {"packet": None}, SUMMARY, "no answer to a packet from n2"),
        (GOOD | {"stream": None}, SUMMARY, "no answer to a stream from n2"),
        (GOOD | {"relay": None}, SUMMARY, "no answer to a relayed ping from n2"),
        (GOOD, SUMMARY | {"acked": ["n1"], "missing": ["n2"]}, "missing acks from n2"),
        (GOOD, SUMMARY | {"unexpected": ["n9"]}, "acks from non-live members: n9"),
    ],
)
def test_what_does_not_answer_is_named(
    swim: InProcess, agent: FakeAgent, row: Any, summary: Any, problem: str
) -> None:
    agent.answers["/v1/swim/reachability"] = lines(SELF, row, summary)
    done = swim("reachability", "--address", agent.url)
    assert (done.code, done.err) == (1, f"swim: {problem}\n")
    assert "n2" in done.out
    assert "Successfully" not in done.out


def test_what_could_not_be_asked_is_no_problem(swim: InProcess, agent: FakeAgent) -> None:
    """Without a third member there is no relay, and without Serf's layer no query."""
    row = GOOD | {"relay": None, "errors": {"relay": "no other member could relay a ping"}}
    agent.answers["/v1/swim/reachability"] = lines(
        SELF, row, SUMMARY | {"acked": None, "missing": None, "unexpected": None}
    )
    done = swim("reachability", "n2", "--ping-timeout", "200ms", "--address", agent.url)
    assert done.code == 0
    assert done.out.splitlines()[3].split()[-2:] == ["-", "-"]
    assert agent.asked[-1][0] == "PUT"
    assert agent.asked[-1][2] == {"node": ["n2"], "timeout": ["0.2s"]}


def test_an_agent_that_ends_midway(swim: InProcess, agent: FakeAgent) -> None:
    agent.answers["/v1/swim/reachability"] = lines(SELF)
    assert swim("reachability", "--address", agent.url).code == 4
