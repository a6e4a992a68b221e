"""The commands that ask an agent: their output, their exit codes, and where they look for it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.cli.conftest import InProcess
from tests.cli.fake_agent import FakeAgent, fake_agent

WEB = {
    "name": "web-1",
    "address": "127.0.0.1",
    "port": 4648,
    "status": "alive",
    "is_suspect": False,
    "incarnation": 3,
    "tags": {"role": "web", "build": "1"},
    "protocol": [1, 5, 2],
    "delegate": [2, 5, 5],
}
SICK = WEB | {"name": "db\x1b[31m", "address": "::1", "is_suspect": True, "tags": {}}


@pytest.fixture
def agent() -> Iterator[FakeAgent]:
    with fake_agent() as running:
        running.answers["/v1/swim/members"] = (200, {"members": [WEB, SICK]})
        yield running


def test_members_is_a_table(swim: InProcess, agent: FakeAgent) -> None:
    code, out, err = swim("members", "--address", agent.url)
    assert (code, err) == (0, "")
    header, web, sick = out.splitlines()
    assert header.split() == ["NAME", "ADDRESS", "STATUS", "TAGS"]
    assert web.split() == ["web-1", "127.0.0.1:4648", "alive", "build=1,role=web"]
    assert "[::1]:4648" in sick
    assert "alive (suspect)" in sick


def test_control_characters_from_the_network_stay_out_of_the_terminal(
    swim: InProcess, agent: FakeAgent
) -> None:
    for arguments in ((), ("--plain",), ("--json",)):
        assert "\x1b" not in swim("members", *arguments, "--address", agent.url).out


def test_members_plain_is_tab_separated(swim: InProcess, agent: FakeAgent) -> None:
    out = swim("members", "--plain", "--address", agent.url).out
    assert out.splitlines()[0] == "web-1\t127.0.0.1:4648\talive\tbuild=1,role=web"


@pytest.mark.parametrize("arguments", [("--json", "members"), ("members", "--json")])
def test_global_options_stand_before_or_after(
    swim: InProcess, agent: FakeAgent, arguments: tuple[str, ...]
) -> None:
    code, out, _ = swim("--address", agent.url, *arguments)
    assert code == 0
    assert json.loads(out) == {"members": [WEB, SICK]}


def test_the_address_after_the_command_wins(swim: InProcess, agent: FakeAgent) -> None:
    assert swim("--address", "http://127.0.0.1:1", "members", "--address", agent.url).code == 0


def test_addresses_from_the_environment(
    swim: InProcess, agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOMAD_ADDR", agent.url)
    assert swim("members").code == 0
    monkeypatch.setenv("SWIM_ADDRESS", "http://127.0.0.1:1")
    assert swim("members").code == 4


def test_nobody_there_is_4(swim: InProcess) -> None:
    code, out, err = swim("members", "--address", "http://127.0.0.1:1")
    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert "http://127.0.0.1:1" in err


def test_no_answer_is_5(swim: InProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, _, err = swim("members", "--address", address, "--timeout", "50ms")
    assert code == 5
    assert "0.05 s" in err


def test_something_else_answers(swim: InProcess, agent: FakeAgent) -> None:
    agent.answers["/v1/swim/members"] = (200, "<html>")
    assert swim("members", "--address", agent.url).code == 4


COMMANDS = [
    ("members",), ("info",), ("why", "db"), ("join", "a"), ("leave",), ("force-leave", "x"), ("event", "x"),
    ("query", "x"), ("tags",), ("tags", "--set", "a=b"), ("watch",), ("watch", "--json"), ("monitor",),
]  # fmt: skip
PATHS = [
    f"/v1/swim/{name}"
    for name in (
        "members",
        "info",
        "why",
        "join",
        "leave",
        "force-leave",
        "events",
        "query",
        "tags",
        "watch",
    )
]
PATHS.append("/v1/agent/monitor")  # fmt: skip
FOREIGN: list[tuple[int, object]] = [
    (200, "[]"), (200, "{}"), (200, "7"), (200, "null"), (200, ""), (200, '"text"'), (200, "{"),
    (200, "<html>"),
    (200, '{"members": 7, "name": 7, "history": 7, "joined": "1", "left": 1, "node": null}'),
    (200, '{"members": [{}], "history": [{}], "joined": 1, "addresses": [{}], "left": null, "outcome": 1}'),
    (200, '{"members": [[]], "history": [7], "name": null}'),
    (200, "[" * 100_000),
    (200, "9" * 10_000),
    (404, "404 page not found"), (404, ""), (301, "moved"), (307, ""), (204, ""),
]  # fmt: skip


@pytest.mark.parametrize("answer", FOREIGN, ids=lambda answer: f"{answer[0]}-{str(answer[1])[:20]}")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_another_program_on_the_port_is_4_and_one_sentence(
    swim: InProcess, agent: FakeAgent, command: tuple[str, ...], answer: tuple[int, object]
) -> None:
    agent.answers = dict.fromkeys(PATHS, answer)
    code, out, err = swim(*command, "--address", agent.url)
    assert (code, out) == (4, "")
    assert "is not a swim agent" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("banner", [b"SSH-2.0-x\r\n", b"\xff\x00\x1b[31m\n", b"HTTP/1.1 abc\r\n\r\n", b"",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"])  # fmt: skip
def test_something_that_speaks_no_http_is_4(swim: InProcess, banner: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(banner)

        thread = threading.Thread(target=answer)
        thread.start()
        code, out, err = swim("members", "--address", f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert (code, out) == (4, "")
    assert err[:-1].isprintable()


@pytest.mark.parametrize(
    "address",
    ["http://web-1..example.com", "http://%ff", "http://" + "a" * 64 + ".example", "http://.", "http://a b",
     "http://a/\n", "http://a/\xe9", "http://[::1", "http://a:99999", "https://a", "http://", ""],
)  # fmt: skip
def test_an_address_that_cannot_work_is_a_usage_error(swim: InProcess, address: str) -> None:
    code, out, err = swim("members", "--address", address)
    assert (code, out) in ((2, ""), (4, ""))
    assert err.count("\n") == 1


@pytest.mark.parametrize("timeout", ["0", "99999999999", "1e9", "nan", "-1", "9" * 400])
def test_a_timeout_that_cannot_work_is_a_usage_error(swim: InProcess, timeout: str) -> None:
    code, _, err = swim("members", "--timeout", timeout)
    assert code == 2
    assert "timeout" in err


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ((), ["web-1", "web-2", "db"]),
        (("--status", "alive"), ["web-1", "db"]),
        (("--status", "fail"), []),
        (("--status", "failed|left"), ["web-2"]),
        (("--name", "web"), []),
        (("--name", "web-.*"), ["web-1", "web-2"]),
        (("--tag", "role=web"), ["web-1", "web-2"]),
        (("--tag", "role=w"), []),
        (("--tag", "role=web|db", "--status", "alive"), ["web-1", "db"]),
        (("--tag", "role=.*", "--tag", "zone=a"), ["web-2"]),
        (("--tag", "none=.*"), []),
    ],
)
def test_members_can_be_filtered(
    swim: InProcess, agent: FakeAgent, filters: tuple[str, ...], names: list[str]
) -> None:
    listed = [
        WEB | {"tags": {"role": "web"}},
        WEB | {"name": "web-2", "status": "failed", "tags": {"role": "web", "zone": "a"}},
        WEB | {"name": "db", "tags": {"role": "db", "zone": "b"}},
    ]
    agent.answers["/v1/swim/members"] = (200, {"members": listed})
    code, out, _ = swim("members", "--json", *filters, "--address", agent.url)
    assert code == 0
    assert [member["name"] for member in json.loads(out)["members"]] == names


@pytest.mark.parametrize("filters", [("--name", "("), ("--tag", "role"), ("--tag", "=x"), ("--tag", "a=[")])
def test_a_filter_that_cannot_be_read_is_named(swim: InProcess, filters: tuple[str, ...]) -> None:
    code, out, err = swim("members", *filters)
    assert (code, out) == (2, "")
    assert filters[0] in err


def test_join_counts_and_complains(swim: InProcess, agent: FakeAgent) -> None:
    outcomes = [
        {"address": "a", "ok": True, "error": ""},
        {"address": "b", "ok": False, "error": "failed to join b: connection refused"},
    ]
    agent.answers["/v1/swim/join"] = (200, {"joined": 1, "addresses": outcomes})
    code, out, err = swim("join", "a", "b", "--address", agent.url)
    assert (code, out) == (0, "joined 1 of 2 addresses\n")
    assert err == "swim: failed to join b: connection refused\n"
    assert agent.asked == [("PUT", "/v1/swim/join", {"address": ["a", "b"]})]


@pytest.mark.parametrize(("why", "code"), [("connection refused", 1), ("timed out", 5)])
def test_join_that_reaches_nobody_fails(swim: InProcess, agent: FakeAgent, why: str, code: int) -> None:
    outcomes = [{"address": "b", "ok": False, "error": f"failed to join b: {why}"}]
    agent.answers["/v1/swim/join"] = (200, {"joined": 0, "addresses": outcomes})
    result = swim("join", "b", "--json", "--address", agent.url)
    assert result.code == code
    assert json.loads(result.out)["joined"] == 0
    assert result.err == f"swim: failed to join b: {why}\n"


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        ((200, {"node": "x", "outcome": "left"}), "left", 0),
        ((200, {"node": "x", "outcome": "already-left"}), "already-left", 0),
        ((200, {"node": "x", "outcome": "pruned"}), "pruned", 0),
        ((200, {"node": "x", "outcome": "refuted"}), "refuted", 6),
        ((200, {"node": "x", "outcome": "leaving"}), "leaving", 5),
        ((404, "no member named 'x'"), "unknown", 3),
    ],
)
def test_force_leave_tells_which_case_applied(
    swim: InProcess, agent: FakeAgent, answer: tuple[int, object], outcome: str, code: int
) -> None:
    agent.answers["/v1/swim/force-leave"] = answer
    result = swim("force-leave", "x", "--json", "--address", agent.url)
    assert result.code == code
    assert json.loads(result.out) == {"node": "x", "outcome": outcome}


def test_why_lists_transitions_and_unknown_is_3(swim: InProcess, agent: FakeAgent) -> None:
    entry = {
        "at": "2026-01-01T00:00:00.000Z",
        "age": 2.5,
        "before": "suspect",
        "after": "failed",
        "incarnation": 7,
        "cause": "suspicion-expired",
        "accuser": "web-2",
        "detail": "",
    }
    agent.answers["/v1/swim/why"] = (200, {"name": "db", "member": None, "history": [entry]})
    out = swim("why", "db", "--address", agent.url).out
    for cell in ("2.5 s ago", "suspect -> failed", "7", "suspicion-expired", "web-2"):
        assert cell in out
    agent.answers["/v1/swim/why"] = (404, "no member named 'db'")
    assert swim("why", "db", "--address", agent.url).code == 3


def test_info_is_flat_for_people(swim: InProcess, agent: FakeAgent) -> None:
    seeds = [
        {"address": "a", "joined": True, "error": "", "age": 3.0},
        {"address": "b", "joined": False, "error": "10.0.0.2:7946: Connection refused", "age": 11.7},
        {"address": "c", "joined": False, "error": "", "age": None},
    ]
    document = {"name": "web-1", "encrypted": True, "seeds": seeds, "stats": {"members": 2}}
    agent.answers["/v1/swim/info"] = (200, document)
    out = swim("info", "--plain", "--address", agent.url).out
    assert out.splitlines() == [
        "name\tweb-1",
        "encrypted\ttrue",
        "seeds.a\tjoined",
        "seeds.b\tfailed 12 s ago: 10.0.0.2:7946: Connection refused",
        "seeds.c\tnot tried yet",
        "stats.members\t2",
    ]
    assert json.loads(swim("info", "--json", "--address", agent.url).out) == document


def test_leave(swim: InProcess, agent: FakeAgent) -> None:
    agent.answers["/v1/swim/leave"] = (200, {"left": True})
    assert swim("leave", "--address", agent.url).out == "left the cluster\n"
    assert agent.asked[-1][:2] == ("PUT", "/v1/swim/leave")


@pytest.mark.parametrize(("status", "code"), [(403, 6), (409, 6), (500, 1)])
def test_refusals_keep_the_agents_words(swim: InProcess, agent: FakeAgent, status: int, code: int) -> None:
    agent.answers["/v1/swim/members"] = (status, "because")
    assert swim("members", "--address", agent.url) == (code, "", "swim: because\n")
