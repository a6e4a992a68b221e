"""Commands from the page: the prompt's own parser, from this machine and this origin only."""

from __future__ import annotations

import json

import pytest
import trio

from sims.errors import UsageError
from swim.cli.cluster.commands import COMMANDS_MAX
from swim.cli.cluster.page.app import COMMAND_BYTES_MAX, LoopbackWrites
from swim.cli.cluster.script import HELP, Word, parse_command, parse_script
from swim.cli.cluster.session import page_lines
from swim.listening import listening_socket
from tests.cli.page.conftest import Served

NAMES = ["node-1", "node-2", "node-3"]


async def test_a_command_is_done_when_it_is_answered(served: Served) -> None:
    answer = await served.command("pause 2")
    assert [step["verb"] for step in answer["steps"]] == ["pause 2"]
    assert served.cluster.nodes[1].state == "paused"
    await served.command("resume 2")
    await served.command("split 1 2,3")
    await served.command("loss 5%")
    await served.command("delay 20ms")
    state = await served.state()
    assert state["links"]["loss"] == pytest.approx(0.05)
    assert state["links"]["delay"] == pytest.approx(0.02)
    assert ["node-1", "node-2"] in state["links"]["cuts"]
    await served.command("heal")
    state = await served.state()
    assert state["links"] == {"cuts": [], "loss": 0.0, "delay": 0.0}
    assert [command["by"] for command in state["commands"]] == ["page"] * 6
    script = "; ".join(f"{command['at']}s {command['verb']}" for command in state["commands"])
    assert len(parse_script(script, NAMES)) == 6


@pytest.mark.slow
async def test_what_comes_later_is_planned_and_then_done(served: Served) -> None:
    answer = await served.command("pause 2; 2s resume 2")
    assert [step["verb"] for step in answer["steps"]] == ["pause 2", "resume 2"]
    state = await served.state()
    assert [step["verb"] for step in state["planned"]] == ["resume 2"]
    await served.until(lambda: served.cluster.nodes[1].state == "running")
    state = await served.state()
    assert state["planned"] == []
    assert [command["verb"] for command in state["commands"]] == ["pause 2", "resume 2"]


@pytest.mark.parametrize(
    "verb", ["", "explode 1", "kill", "kill 9", "split", "loss 200%", "3x kill 1", "quit now", "cut 1"]
)
async def test_a_wrong_verb_gets_the_parsers_sentence(served: Served, verb: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_script(verb, NAMES) or parse_command(verb, NAMES)
    answer = await served.post(json.dumps({"verb": verb}).encode())
    assert (answer.status, answer.text) == (400, str(refused.value))
    assert (await served.state())["commands"] == []


async def test_a_body_without_a_verb_is_refused(served: Served) -> None:
    for body in (b"", b"kill 3", b"[]", b"{}", b'{"verb": 3}', b'{"verb": null}', b"\xff", b"[" * 50_000):
        answer = await served.post(body)
        assert answer.status == 400, body[:20]
        assert '{"verb": "kill 3"}' in answer.text


@pytest.mark.slow
async def test_limits(served: Served) -> None:
    answer = await served.post(json.dumps({"verb": "x" * COMMAND_BYTES_MAX}).encode())
    assert answer.status == 400
    assert "at most" in answer.text
    many = "; ".join(["9s heal"] * COMMANDS_MAX)
    await served.command(many)
    answer = await served.post(json.dumps({"verb": "9s heal"}).encode())
    assert answer.status == 400
    assert "wait for their time" in answer.text
    for _ in range(2):
        await served.commands.obey("; ".join(["heal"] * COMMANDS_MAX), "page")
    assert len((await served.state())["commands"]) == COMMANDS_MAX


async def test_only_this_origin_may_write(served: Served) -> None:
    body = b'{"verb": "kill 3"}'
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"host": "evil.example"},
    ):
        assert (await served.post(body, **headers)).status == 403
    assert (await served.get("/v1/cluster/state", X="1")).status == 200
    assert (await served._http.call("GET", "/v1/cluster/state", host="evil.example")).status == 403
    inner = "/v1/cluster/nodes/node-1/v1/swim/leave"
    refused = await served._http.call("PUT", inner, host="localhost", Origin="http://evil.example")
    assert refused.status == 403
    assert (await served.get("/v1/cluster/command")).status == 405
    assert [node.state for node in served.cluster.nodes] == ["running"] * 3
    assert (await served.post(body, Origin="http://localhost")).status == 200


async def test_other_machines_may_only_read() -> None:
    passed: list[str] = []

    async def app(scope: object, receive: object, send: object) -> None:
        passed.append("passed")

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    guard = LoopbackWrites(app)
    for method, client in [("GET", "10.0.0.1"), ("POST", "127.0.0.1"), ("POST", "::1"), ("POST", "10.0.0.1")]:
        scope = {"type": "http", "method": method, "client": (client, 1), "headers": []}
        await guard(scope, receive, send)  # type: ignore[arg-type]
    assert passed == ["passed"] * 3
    assert sent[0]["status"] == 403


async def test_words_of_the_session(served: Served) -> None:
    assert (await served.command("help"))["help"] == HELP
    await served.command("quit")
    assert served.words == [Word("help"), Word("quit")]


@pytest.mark.slow
async def test_commands_at_the_same_time_do_not_trip_over_each_other(served: Served) -> None:
    async with trio.open_nursery() as nursery:
        for verb in (
            "restart 3",
            "restart 3",
            "kill 3",
            "restart 3",
            "leave 2",
            "leave 2",
            "kill 2",
            "add",
            "add",
        ):
            nursery.start_soon(served.command, verb)
    await served.command("restart 2,3")
    state = await served.state()
    assert [node["state"] for node in state["nodes"]] == ["running"] * 5
    assert len({node["bind"] for node in state["nodes"]}) == 5
    await served.until(lambda: all(node.alive() == 5 for node in served.cluster.nodes))


async def test_a_new_node_whose_port_is_taken_is_an_error_and_no_end(served: Served) -> None:
    plan = served.cluster.plan
    taken = int(served.cluster.nodes[0].bind.rpartition(":")[2])
    object.__setattr__(plan, "bind_base", taken - 3)  # node-4 gets the port of node-1
    answer = await served.post(b'{"verb": "add"}')
    assert answer.status == 409
    assert "--bind-base" in answer.text
    assert len((await served.state())["nodes"]) == 3
    object.__setattr__(plan, "bind_base", 0)
    await served.command("add")
    assert len((await served.state())["nodes"]) == 4


@pytest.mark.parametrize(
    ("bind", "url", "lines"),
    [
        ("127.0.0.1:0", "http://127.0.0.1:", 1),
        ("[::1]:0", "http://[::1]:", 1),
        ("0.0.0.0:0", "http://127.0.0.1:", 2),
        ("[::]:0", "http://[::1]:", 2),
    ],
)
def test_the_url_is_for_this_machine_and_others_are_warned_of(bind: str, url: str, lines: int) -> None:
    with listening_socket("ui", bind, advice="") as listener:
        found = page_lines(listener)
    assert found[0].startswith(f"page: {url}")
    assert found[0].endswith("/ui/")
    assert len(found) == lines
