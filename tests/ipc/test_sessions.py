"""Sessions recorded between Serf's own commands and agents, of two releases, against our server."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import trio

import swim
from swim.addresses import Endpoint
from tests.ipc.client import Client, connected, decoded
from tests.ipc.conftest import Farm
from tests.net.conftest import tags, until

VECTORS = Path(__file__).parents[1] / "vectors" / "serf"
SESSIONS = {
    release: json.loads((VECTORS / f"ipc_cli_{release}.json").read_text()) for release in ("094", "0102")
}
RAW = json.loads((VECTORS / "ipc_raw.json").read_text())
PORTS = {"094": 17210, "0102": 17220}
KEY = b"0123456789abcdef"
MONITOR_SEQ = 3

KINDER = {
    "members_bad_regex": "an error and no members; Serf's agent closes the connection",
    "auth_missing": "one answer; Serf's agent reads the body as one more request",
    "auth_missing_with_body": "one answer; Serf's agent reads the body as one more request",
    "auth_required_request_with_body": "one answer; Serf's agent reads the body as one more request",
}
"""The sessions in which our server deliberately does otherwise."""


def normal(objects: Sequence[Any]) -> list[Any]:
    """Without what is different from one run to the next, or from one release to the other."""
    found = [_normal(one) for one in objects]
    replies = sorted(filter(_is_reply, found), key=lambda one: (one["Type"], one["From"]))
    return [replies.pop(0) if _is_reply(one) else one for one in found]


def _is_reply(one: Any) -> bool:
    """Those of several members come in any order."""
    return one.get("Type", "done") != "done"


def _normal(value: Any) -> Any:
    if "Members" in value:
        return value | {"Members": sorted(value["Members"], key=lambda member: member["Name"])}
    if "runtime" in value:
        assert all(isinstance(text, str) for section in value.values() for text in section.values())
        return value | {"runtime": sorted(value["runtime"]), "serf": sorted(value["serf"])}
    if value.get("Ok"):
        assert len(value["Coord"]["Vec"]) == 8
        return {"Ok": True, "Coord": {name: type(number) for name, number in value["Coord"].items()}}
    if error := value.get("Error"):
        error = re.sub(
            r"ailed to join (\S+?)(:17999)?: (dial tcp \S+ connect: )?", r"ailed to join \1: ", error
        )
        return value | {"Error": error.casefold()}
    if messages := value.get("Messages"):
        return value | {"Messages": {name: text.casefold() for name, text in messages.items()}}
    return value


def exchanges(session: Any) -> Iterator[tuple[bytes, list[Any]]]:
    """What the client of a command sends at once, and the objects that it gets before it goes on."""
    sent = b""
    for side, chunks in groupby(session["chunks"], lambda chunk: chunk[0]):
        data = b"".join(bytes.fromhex(chunk) for _, chunk in chunks)
        if side == "c2s":
            sent = data
        else:
            yield sent, decoded(data)
            sent = b""
    if sent:
        yield sent, []


async def replay(endpoint: Endpoint, session: Any, meanwhile: Callable[[], Awaitable[None]]) -> list[Any]:
    """What our server sends in a session, without lines of the log; while a monitor runs, more happens."""
    received: list[Any] = []
    async with connected(endpoint, shake=False) as client:
        for data, answers in exchanges(session):
            await client.stream.send_all(data)
            wanted = len(received) + len(without_logs(answers))
            if any("Log" in one for one in answers):
                await _receive(client, received, len(received) + 1, session)
                await meanwhile()
            await _receive(client, received, wanted, session)
        if "closes the socket" in session["notes"]:
            assert await client.is_closed()
    return received


async def _receive(client: Client, received: list[Any], count: int, session: Any) -> None:
    """Adds objects until there are so many, but no lines of the log."""
    while len(received) < count:
        one = await client.next()
        if "monitor" in session["name"] and one == {"Seq": MONITOR_SEQ, "Error": ""} and one in received:
            line = (await client.next())["Log"]
            assert re.match(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(DEBUG|INFO|WARN|ERR)\] \S+: ", line), line
        else:
            received.append(one)


def without_logs(objects: Sequence[Any]) -> list[Any]:
    """Without lines of the log, and the header before each."""
    logs = {number for number, one in enumerate(objects) if "Log" in one}
    return [one for number, one in enumerate(objects) if number not in logs and number + 1 not in logs]


async def answer_load(cluster: swim.Cluster) -> None:
    """The event handler of the recorded agents."""
    async for event in cluster.events(kinds=swim.Query):
        assert isinstance(event, swim.Query)
        if event.name == "load":
            await cluster.respond(event, b"0.42\n")


@pytest.mark.slow
@pytest.mark.parametrize("release", SESSIONS)
async def test_serf_s_commands(release: str, farm: Farm, quick_clock: object, nursery: trio.Nursery) -> None:
    """All of them, in the order in which they were recorded: most find what the ones before them did."""
    port = PORTS[release]
    tags_of_a, tags_of_b = {"role": "web", "dc": "east"}, {"role": "db"}
    first, second, plain = await farm.pair("node-a", "node-b", port, tags_of_a, tags_of_b)
    nursery.start_soon(answer_load, second)
    _, _, encrypted = await farm.pair("enc-1", "enc-2", port + 2, keys=(KEY,))
    locked = await farm.serve(await farm.start("auth-1", port + 4), rpc_auth="s3cret")
    await until(lambda: all(len(one.members()) == 2 for one in list(farm.clusters.values())[:4]))

    async def meanwhile() -> None:
        await first.user_event("hello", b"w\x01orld")
        first.query("ask", b"q")

    assert len(SESSIONS[release]) == 46
    for session in SESSIONS[release]:
        name = session["name"]
        if name == "members_failed":
            farm.kill("node-b")
            await until(lambda: first.members(status="failed"))
        endpoint = plain
        if name.startswith("keys") and name not in ("keys_list_unencrypted", "keys_install_bad_base64"):
            endpoint = encrypted
        elif name.startswith("auth"):
            endpoint = locked
        expected = without_logs(decoded(bytes.fromhex(session["server_to_client_hex"])))
        if name in ("auth_missing", "auth_missing_with_body"):
            session = session | {"chunks": session["chunks"][:-1]}
            assert expected.pop() == expected[-1]
        assert normal(await replay(endpoint, session, meanwhile)) == normal(expected), name
    assert farm.left == ["node-a"]
    assert first.status == "left"


@pytest.mark.slow
async def test_raw_sessions(farm: Farm, quick_clock: object, nursery: trio.Nursery) -> None:
    """Step by step, with another agent that sends what the recorded one did."""
    first, second, plain = await farm.pair("r1", "r2", 17490, {"role": "web"}, {})
    locked = await farm.serve(await farm.start("r3", 17492), rpc_auth="s3cret")
    await until(lambda: len(first.members()) == len(second.members()) == 2)
    fire: dict[str, Callable[[], object]] = {
        "user event ev1": lambda: second.do(swim.SendUserEvent("ev1", b"\x00\xffhi")),
        "query ask": lambda: second.do(swim.SendQuery("ask", b"hello", timeout=2.0)),
    }
    assert len(RAW) == 18
    for session in RAW:
        name = session["name"]
        await trio.sleep(1)  # what the session before sent has arrived
        endpoint = locked if name.startswith("auth_required") else plain
        async with connected(endpoint, shake=False) as client:
            received: list[Any] = []
            for step in session["steps"]:
                expected = decoded(bytes.fromhex(step["recv_hex"]))
                if name == "auth_required_request_with_body" and step is session["steps"][-1]:
                    assert expected.pop() == expected[-1]
                if note := step.get("note"):
                    fire[note]()
                elif name == "stream_member_update" and not step["send"]:
                    await second.set_tags({"n": "1"})
                elif not step["send"]:
                    await trio.sleep(5)
                await client.stream.send_all(bytes.fromhex(step["send_hex"]))
                wanted = without_logs(expected)
                before = len(received)
                await _receive(client, received, before + len(wanted), session)
                assert normal(received[before:]) == normal(wanted), (name, step)
                if step["closed"]:
                    assert await client.is_closed()
    assert tags(first, "r2") == {"n": "1"}
