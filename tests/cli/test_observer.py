"""``swim members --gossip``: the members of any cluster, without an agent."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sims.bench.ports import free_port
from swim.addresses import join_host_port
from swim.cli.main import main
from swim.wire.codec import encode
from swim.wire.messages import NodeRecord, PushPull

VSN = bytes((1, 5, 2, 2, 5, 5))
RECORDS = tuple(
    NodeRecord(name, bytes((10, 0, 0, number)), 7946, b"\xff\x81\xa4role\xa2" + role, 1, state, VSN)
    for number, (name, role, state) in enumerate([("web", b"ui", 0), ("db", b"sq", 2)], 1)
)


@pytest.fixture
def member() -> Iterator[str]:
    """The address of a member that answers one push/pull."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            stream, _ = server.accept()
            with stream:
                stream.recv(65_536)
                stream.sendall(encode(PushPull(False, RECORDS)))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield join_host_port(*server.getsockname()[:2])


def test_members_of_a_cluster_that_has_no_agent(member: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["members", "--gossip", f"127.0.0.1:{free_port()}", "--gossip", member, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["members"]
    assert [(m["name"], m["address"], m["status"], m["tags"]) for m in found] == [
        ("db", "10.0.0.2", "failed", {"role": "sq"}),
        ("web", "10.0.0.1", "alive", {"role": "ui"}),
    ]


def test_the_filters_are_those_of_an_agents_members(member: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["members", "--gossip", member, "--plain", "--status", "alive", "--tag", "role=u."]) == 0
    assert capsys.readouterr().out.split() == ["web", "10.0.0.1:7946", "alive", "role=ui"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--gossip", "nonsense:port:x"], 2, "nonsense"),
        (["--encrypt", "AAAA"], 2, "need --gossip"),
        (["--label", "blue"], 2, "need --gossip"),
        (["--gossip", "127.0.0.1:1", "--encrypt", "AAAA"], 2, "--encrypt"),
        (["--gossip", "127.0.0.1:1", "--encrypt", "AAAA", "--key-file", "x"], 2, "excludes"),
        (["--gossip", "127.0.0.1:1", "--key-file", "/nonexistent"], 1, "/nonexistent"),
    ],
)
def test_mistakes(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["members", *arguments]) == code
    error = capsys.readouterr().err
    assert words in error
    assert "AAAA" not in error
    assert error.count("\n") == 1


def test_a_closed_port_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main(["members", "--gossip", f"127.0.0.1:{port}"]) == 4
    assert capsys.readouterr().err == f"swim: 127.0.0.1:{port}: Connection refused\n"


def test_keys_from_a_file(tmp_path: Path, member: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys"
    file.write_text("MDEyMzQ1Njc4OWFiY2RlZg==\n")
    assert main(["members", "--gossip", member, "--key-file", str(file)]) == 6
    assert "the cluster is not encrypted" in capsys.readouterr().err
