"""Traces: what a line says, equal runs give equal bytes everywhere, and watching changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from sims.checkers import Checker
from sims.errors import ViolationError
from sims.traces.text import line_of
from sims.traces.writer import EventTrace, TraceWriter
from sims.world import World
from sims.world.network import Link, Network
from swim.config import Config
from swim.events import Query, UserEvent, UserMessage
from swim.keyrings import InstallKey, RemoveKey, UseKey
from swim.trace import FORMAT, Reader, encode, event_record, header, plain
from swim.wire.codec import encode as encode_message
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, Ping, Suspect
from swim.wire.packet import PacketCodec

Lines = list[dict[str, Any]]


def traced(play: Callable[[World], None], seed: int = 1, **kwargs: Any) -> Lines:
    lines: list[str] = []
    writer = TraceWriter(lines.append)
    world = World(seed, nodes=kwargs.pop("nodes", 3), observers=[writer], **kwargs)
    play(world)
    assert writer.lines == len(lines)
    for line in lines:
        assert line == encode(json.loads(line)), "one spelling only"
        assert list(json.loads(line)) == sorted(json.loads(line))
    return [json.loads(line) for line in lines]


def crash_one(world: World) -> None:
    world.settle()
    world.crash("n2")
    world.run_for(15)


def of_kind(lines: Lines, kind: str, **fields: Any) -> Lines:
    return [line for line in lines if line["kind"] == kind and fields.items() <= line.items()]


class NothingCrashes(Checker):
    """A property that a crash violates."""

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        if kind == "crash":
            self.violated(world, world.nodes[str(detail["node"])], "its process is gone")


@pytest.mark.parametrize("kind", [TraceWriter, EventTrace])
@pytest.mark.parametrize("collect", [True, False])
def test_a_violation_is_a_line_at_its_moment(kind: type[EventTrace], collect: bool) -> None:
    lines: list[str] = []
    world = World(1, nodes=2, observers=[NothingCrashes(collect=collect), kind(lines.append)])
    world.run_for(1.5)
    with nullcontext() if collect else pytest.raises(ViolationError):
        world.crash("n2")
    (found,) = of_kind([json.loads(line) for line in lines], "violation")
    assert found == {
        "at": 1.5,
        "checker": "NothingCrashes",
        "kind": "violation",
        "node": "n2",
        "problem": "its process is gone",
    }
    assert line_of(found) == "NothingCrashes: its process is gone"


def test_header_comes_first_and_says_how_the_run_was_made() -> None:
    lines: list[str] = []
    World(7, nodes=1, observers=[TraceWriter(lines.append, made={"by": "scenario", "name": "join"})])
    first = json.loads(lines[0])
    assert first["kind"] == "trace"
    assert (first["format"], first["seed"], first["level"]) == (FORMAT, 7, "all")
    assert first["made"] == {"by": "scenario", "name": "join"}


def test_every_packet_is_decoded_and_its_arrival_follows() -> None:
    lines = traced(crash_one)
    sent = of_kind(lines, "send")
    assert {"ping", "ack", "indirect-ping", "nack", "suspect", "dead", "alive", "join-intent"} <= {
        message["type"] for packet in sent for message in packet["messages"]
    }
    at = {packet["packet"]: packet["at"] for packet in sent}
    arrivals = of_kind(lines, "recv")
    assert all(arrival["at"] >= at[arrival["packet"]] for arrival in arrivals)
    to_the_dead = {p["packet"] for p in sent if p["to"] == "n2" and p["at"] > 1}
    assert to_the_dead
    assert not to_the_dead & {arrival["packet"] for arrival in arrivals}


def test_streams_show_the_request_and_the_answer() -> None:
    lines = traced(crash_one)
    steps = of_kind(lines, "stream", stream=1)
    assert [step["step"] for step in steps] == ["dial", "accept", "data", "data", "end", "end"]
    dial, _, request, answer, end, eof = steps
    assert [record["name"] for record in dial["messages"][0]["records"]] == ["n2"]
    assert "messages" not in request
    assert answer["messages"][0]["records"][0]["name"] == "n1"
    assert "status_ltimes" in answer["messages"][0]["state"]
    assert (end["from"], end["end"], eof["from"], eof["end"]) == ("n2", "closed", "n1", "closed by the peer")


def test_transitions_carry_their_reason() -> None:
    lines = traced(crash_one)
    suspected = of_kind(lines, "event", event="suspected", cause="probe")[0]
    assert suspected["detail"].startswith("no ack: direct")
    assert (suspected["before"], suspected["after"], suspected["member"]) == ("alive", "suspect", "n2")
    failed = of_kind(lines, "event", event="failed", member="n2")
    assert {line["node"] for line in failed} == {"n1", "n3"}
    assert of_kind(lines, "fault", fault="crash", node="n2")


def test_user_events_and_queries_are_records_of_the_node_that_received_them() -> None:
    event = UserEvent("deploy", b"v1", 9, coalesce=True, sequence=4)
    assert event_record(1.5, "n1", event) == {
        "at": 1.5, "kind": "user-event", "node": "n1", "name": "deploy", "payload": "7631", "ltime": 9,
        "coalesce": True, "sequence": 4,
    }  # fmt: skip
    query = Query("load", b"", "n2", 9, 77, 12.0, 5)
    assert event_record(1.5, "n1", query) == {
        "at": 1.5, "kind": "query", "node": "n1", "name": "load", "payload": "", "source": "n2", "ltime": 9,
        "id": 77, "sequence": 5,
    }  # fmt: skip
    assert event_record(1.5, "n1", UserMessage("n2", b"v1", True, 6)) == {
        "at": 1.5, "kind": "user-message", "node": "n1", "source": "n2", "payload": "7631",
        "is_broadcast": True, "sequence": 6,
    }  # fmt: skip


def test_lost_and_cut_packets_say_so() -> None:
    network = Network()
    network.set_link("n1", "n2", Link(loss=1.0))
    network.cut(["n1"], ["n3"])
    lines = traced(lambda world: world.run_for(3), network=network)
    assert {p["fate"] for p in of_kind(lines, "send", **{"from": "n1", "to": "n2"})} == {"lost"}
    assert {p["fate"] for p in of_kind(lines, "send", **{"from": "n1", "to": "n3"})} <= {"cut"}


def test_a_refused_packet_says_why_where_it_arrives() -> None:
    def play(world: World) -> None:
        world.add("stranger", config=Config.lan(name="x", label="other"), seeds=["10.0.0.1:7946"])
        world.network.set_default(Link(corrupt=0.5))
        world.run_for(3)
        endpoint = world.nodes["stranger"].endpoint
        codec = PacketCodec(world.nodes["n1"].config, Keyring(), lambda: b"")
        packet = codec.seal([encode_message(Ping(1, "n1"))], crc=False)
        world.nodes["stranger"].node.receive_packet(world.now, packet, endpoint)

    lines = traced(play, config=Config.lan(name="n", label="ours"))
    assert any("dropped" in line for line in of_kind(lines, "recv"))


@pytest.mark.parametrize("keys", [(), (bytes(16),)])
def test_labels_and_keys_do_not_hide_the_messages(keys: tuple[bytes, ...]) -> None:
    config = Config.lan(name="n", label="ours", keys=keys, enable_compression=True)
    lines = traced(crash_one, config=config)
    types = {m["type"] for p in of_kind(lines, "send") for m in p["messages"]}
    assert "unreadable" not in types
    assert "ping" in types


def test_packets_are_read_with_their_senders_keys() -> None:
    def play(world: World) -> None:
        world.settle()
        keyring = world.nodes["n2"].node.keyring
        keyring.add(bytes(range(16)))
        keyring.use(bytes(range(16)))
        world.run_for(3)

    lines = traced(play, config=Config.lan(name="n", keys=(bytes(16),)))
    assert "unreadable" not in {m["type"] for p in of_kind(lines, "send") for m in p["messages"]}
    assert of_kind(lines, "recv", **{"from": "n2", "dropped": ["decrypt"]})


def test_packets_are_read_across_a_rotation_of_keys() -> None:
    old, new = bytes(16), bytes(range(16))

    def play(world: World) -> None:
        world.settle()
        for command in (InstallKey(new), UseKey(new), RemoveKey(old)):
            world.command("n1", command)
            world.run_for(5)
        world.run_for(40)

    lines = traced(play, config=Config.lan(name="n", keys=(old,)))
    shown = [message for line in lines for message in line.get("messages", ())]
    assert not [message for message in shown if message["type"] == "unreadable"]
    assert {message["type"] for message in shown if "keys" in message} >= {"query"}


def test_what_was_sent_before_its_key_was_removed_is_read_after_that() -> None:
    keyring = Keyring([bytes(16), bytes(range(16))])
    config = Config.lan(name="a")
    reader = Reader(config, keyring)
    message = encode_message(Suspect(3, "b", "c"))
    sent = []
    for key in range(1, 300):
        sent.append(PacketCodec(config, keyring, lambda: bytes(12)).seal([message], crc=False))
        old = keyring.keys[0]
        keyring.add(new := key.to_bytes(16, "little"))
        keyring.use(new)
        keyring.remove(old)
        assert [each["type"] for each in reader.packet(sent[-1])] == ["suspect"]
    assert [reader.packet(data)[0]["type"] for data in sent[-200:]] == ["suspect"] * 200


def test_the_next_world_of_a_run_has_its_own_labels_keys_and_drops() -> None:
    def play(world: World) -> None:
        world.settle()
        world.network.set_default(Link(corrupt=0.5))
        world.run_for(3)

    def config(label: str) -> Config:
        return Config.lan(name="n", label=label, keys=(label.encode() * 8,))

    lines: list[str] = []
    writer = TraceWriter(lines.append)
    play(World(1, nodes=3, config=config("us"), observers=[writer]))
    begins = len(lines)
    play(World(2, nodes=3, config=config("we"), observers=[writer]))
    assert json.loads(lines[begins]) == {"kind": "world", "seed": 2}
    alone = traced(play, seed=2, config=config("we"))
    assert [json.loads(line) for line in lines[begins + 1 :]] == alone[1:]


def test_what_cannot_be_read_is_hex() -> None:
    reader = Reader(Config.lan(name="a"), Keyring())
    assert reader.packet(b"\xff\x01") == [{"hex": "ff01", "type": "unreadable", "why": "unknown-type"}]
    assert reader.stream(b"\x06", dialler=True)["why"] == "truncated"
    good = encode_message(Suspect(3, "b", "c"))
    compound = b"\x07\x02" + len(good).to_bytes(2, "big") + b"\x00\x02" + good + b"\xfe\x00"
    first, second = reader.packet(compound)
    assert first == {"accuser": "c", "incarnation": 3, "node": "b", "type": "suspect"}
    assert second["type"] == "unreadable"


def test_addresses_tags_and_versions_are_readable() -> None:
    reader = Reader(Config.lan(name="a"), Keyring())
    meta = b"\xff\x81\xa4role\xa3web"
    alive = encode_message(Alive(1, "b", bytes((10, 0, 0, 9)), 7946, meta, bytes((1, 5, 2, 2, 5, 5))))
    assert reader.packet(alive) == [
        {
            "addr": "10.0.0.9",
            "incarnation": 1,
            "node": "b",
            "port": 7946,
            "tags": {"role": "web"},
            "type": "alive",
            "vsn": [1, 5, 2, 2, 5, 5],
        }
    ]


def test_any_value_has_one_plain_form() -> None:
    given = {"b": frozenset({"z", "a"}), "a": (1, 0.1234567, float("inf"), b"\x01"), "link": Link(loss=0.5)}
    shown = plain(given)
    assert shown["b"] == ["a", "z"]
    assert shown["a"] == [1, 0.123457, "inf", "01"]
    assert shown["link"]["loss"] == 0.5


def test_how_a_run_was_made_is_kept_to_the_last_digit() -> None:
    made = {"at": 0.1234567891}
    assert json.loads(encode(header(1, made, "all")))["made"] == made


def test_watching_does_not_change_the_run() -> None:
    few: list[str] = []
    world = World(1, nodes=3, observers=[EventTrace(few.append)])
    crash_one(world)
    lines = traced(crash_one)
    wanted = [line for line in lines if line["kind"] in ("event", "fault")]
    assert [json.loads(line) for line in few[1:]] == wanted


def test_the_hash_alone_costs_no_memory_and_is_the_same() -> None:
    kept: list[str] = []
    first, second = TraceWriter(), TraceWriter(kept.append)
    for writer in (first, second):
        crash_one(World(3, nodes=4, observers=[writer]))
    assert first.sha256 == second.sha256
    other = TraceWriter()
    crash_one(World(4, nodes=4, observers=[other]))
    assert other.sha256 != first.sha256


PROGRAM = """
from sims.world.network import Link, Network
from sims.traces.writer import TraceWriter
from sims.world import World
writer = TraceWriter()
world = World(11, nodes=6, network=Network(Link(loss=0.2, duplicate=0.1, reorder=0.1)), observers=[writer])
world.run_for(5)
world.crash("n2")
world.pause("n3", 2.0)
world.run_for(10)
print(writer.lines, writer.sha256)
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes() -> None:
    results = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "random")
    }
    assert len(results) == 1
