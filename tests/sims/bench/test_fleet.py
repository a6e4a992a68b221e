"""Agents as child processes: transitions are read from their logs, and none outlives the fleet."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from sims.bench.engines import ENGINES, Embedding, Place
from sims.bench.fleet import Fleet

_AGENT = """
import socket, sys
name, port = sys.argv[1], int(sys.argv[2])
server = socket.create_server(("127.0.0.1", port))
while True:
    connection, _ = server.accept()
    request = connection.recv(100)
    if request:
        print("saw", *request.decode().split(), flush=True)
"""


class EchoEngine:
    """Agents that log as transition whatever they are asked to do."""

    name = "echo"

    def argv(self, place: Place, profile: str) -> list[str]:
        return [sys.executable, "-S", "-c", _AGENT, place.name, str(place.control_port)]

    def read(self, line: str) -> tuple[str, str] | None:
        words = line.split()
        return (words[1], words[2]) if words[0] == "saw" else None

    def connect(self, place: Place) -> socket.socket:
        return socket.create_connection(("127.0.0.1", place.control_port))

    def join_request(self, address: str) -> bytes:
        return b"joined n1"

    def leave_request(self) -> bytes:
        return b"left n2"


class OtherEngine(EchoEngine):
    """The same, in other words."""

    name = "other"

    def join_request(self, address: str) -> bytes:
        return b"joined n9"


@pytest.mark.slow
def test_every_other_agent_is_of_the_second_kind_and_stays_so() -> None:
    with Fleet(EchoEngine(), "lan", second=OtherEngine()) as fleet:
        fleet.start(3)
        fleet.restart(fleet.agents[1])
        fleet.join_storm()
        assert fleet.pump(lambda: all(len(agent.known) > 1 for agent in fleet.agents[1:]), 10.0)
        assert [(agent.engine.name, agent.known - {agent.place.name}) for agent in fleet.agents] == [
            ("echo", set()),
            ("echo", {"n1"}),
            ("other", {"n9"}),
        ]


@pytest.mark.parametrize(
    ("engine", "line", "read"),
    [
        ("serf", "2026/11/24 12:30:26 [INFO] serf: EventMemberJoin: n2 127.0.0.1", ("joined", "n2")),
        ("serf", "    2026/11/24 12:30:37 [INFO] serf: EventMemberFailed: n2 127.0.0.1", ("failed", "n2")),
        ("serf", "[INFO] serf: EventMemberLeave (forced): n2 127.0.0.1", ("left", "n2")),
        ("serf", "[INFO] memberlist: Suspect n2 has failed, no acks received", ("suspected", "n2")),
        ("serf", "[INFO] agent: Received event: member-join", None),
        (
            "swim",
            '{"@level": "info", "node": "n1", "event": "MemberRestarted", "member": "n2"}',
            ("joined", "n2"),
        ),
        (
            "swim",
            '{"@level": "info", "node": "n1", "event": "MemberFailed", "member": "n2"}',
            ("failed", "n2"),
        ),
        ("swim", '{"@level": "info", "node": "n1", "event": "MemberUpdated", "member": "n2"}', None),
    ],
)
def test_transitions_are_read_from_log_lines(engine: str, line: str, read: tuple[str, str] | None) -> None:
    assert ENGINES[engine].read(line) == read


@pytest.mark.slow
def test_an_agent_remembers_who_is_alive_and_for_how_long_it_called_others_failed() -> None:
    with Fleet(EchoEngine(), "local", prefix="a") as fleet:
        fleet.start(1)
        agent = fleet.agents[0]
        assert agent.place.name == "a1"
        for at, what in enumerate(["joined b", "joined c", "failed b", "failed c", "joined b", "left d"]):
            agent.take(f"saw {what}\n".encode(), float(at))
        assert agent.alive({"a1", "b", "c", "d", "e"}) == {"a1", "b"}
        assert list(agent.failures(9.0)) == [("b", 2.0, 4.0), ("c", 3.0, 9.0)]


@pytest.mark.slow
def test_a_fleet_stamps_what_its_agents_log_and_ends_them() -> None:
    with Fleet(EchoEngine(), "local") as fleet:
        fleet.start(2)
        pids = [agent.pid for agent in fleet.agents]
        assert not fleet.is_complete()
        started = fleet.join_storm()
        second = fleet.agents[1]
        assert fleet.pump(lambda: "n1" in second.known, 10)
        assert second.seen("joined")["n1"] >= started

        left_at = fleet.leave(second)
        assert fleet.pump(lambda: "n2" in second.seen("left", left_at), 10)
        fresh = fleet.restart(second)
        assert not second.is_running
        assert fresh.place == second.place
    for pid in (*pids, fresh.pid):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.slow
def test_an_agent_that_ends_at_once_is_an_error_with_its_last_words() -> None:
    class Failing(EchoEngine):
        def argv(self, place: Place, profile: str) -> list[str]:
            return [sys.executable, "-S", "-c", "raise SystemExit('cannot bind')"]

    with Fleet(Failing(), "local") as fleet, pytest.raises(SystemExit, match="cannot bind"):
        fleet.start(1)


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_programs_with_a_node_of_their_own_join_and_leave(isolation: str) -> None:
    with Fleet(Embedding(isolation), "local") as fleet:
        fleet.start(2)
        one, two = fleet.agents
        fleet.join_one(two)
        assert fleet.pump(fleet.is_complete, 20)
        with socket.create_connection(("127.0.0.1", one.place.control_port)) as noise:
            noise.sendall(b"\xff\0 leave\n")
        fleet.leave(two)
        assert fleet.pump(lambda: not two.is_running and one.alive({"n1", "n2"}) == {"n1"}, 20)
        assert one.is_running
        assert "n2" in one.seen("left")
