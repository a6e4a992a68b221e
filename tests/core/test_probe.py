"""Probe rounds, relays, ping answers and packet sizes against memberlist's own."""

from __future__ import annotations

from typing import Any

import pytest

from swim.addresses import Endpoint
from swim.core.member import Record, State, pack_address
from swim.wire.codec import decode, encode
from swim.wire.compound import split
from swim.wire.messages import (
    Ack,
    Alive,
    IndirectPing,
    Message,
    MessageType,
    Nack,
    Ping,
    Suspect,
)
from tests.one_node import PORT, VSN, Solo
from tests.vectors.differences import differing
from tests.vectors.of_memberlist import load, select, unhex

INTERVAL, TIMEOUT = 0.2, 0.08
TARGET: Endpoint = ("127.0.0.2", PORT)
RELAYS = ("relay-0", "relay-1", "relay-2")
REQUESTER: Endpoint = ("127.0.0.7", 7000)


def named(*prefixes: str) -> list[Any]:
    return select(load("probe"), lambda vector: vector["name"].startswith(prefixes))


def endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return host, int(port)


def numbered(message: Message) -> Message:
    """The message as if it were the first of its process; only who is asked for an ack chooses the number."""
    return message._replace(seq_no=1) if isinstance(message, Ping | IndirectPing) else message


def expected_packets(vector: dict[str, Any]) -> list[tuple[Endpoint, list[Message]]]:
    """What the vector's process sent, in no particular order of relays."""
    packets = []
    for packet in vector["fields"]["packets"]:
        data = bytes.fromhex(packet["hex"])
        data = data[5:] if data[0] == MessageType.CRC else data
        parts = split(data)[0] if data[0] == MessageType.COMPOUND else [data]
        packets.append((endpoint(packet["to"]), [numbered(decode(part)) for part in parts]))
    return sorted(packets, key=lambda packet: packet[0])


def our_packets(solo: Solo) -> list[tuple[Endpoint, list[Message]]]:
    packets = [(to, [numbered(message) for message in parts]) for to, parts in solo.sent()]
    return sorted(packets, key=lambda packet: packet[0])


def probing(fields: dict[str, Any], *, is_suspect: bool = False) -> Solo:
    """An engine that is about to ping node-b, with the relays of the vector around."""
    for seed in range(100):
        solo = Solo(
            seed=seed,
            probe_interval=INTERVAL,
            probe_timeout=TIMEOUT,
            gossip_interval=0,
            push_pull_interval=0,
            disable_tcp_pings=True,
            interleaved_probes=False,
        )
        solo.meet("node-b", incarnation=3, vsn=bytes((1, fields["target_pmax"], 2, 0, 0, 0)))
        for place, pmax in enumerate(fields["peer_pmax"].strip("[]").split()):
            claim = Alive(
                1,
                f"relay-{place}",
                pack_address(f"127.0.1.{place}"),
                PORT,
                None,
                bytes((1, int(pmax), 2, 0, 0, 0)),
            )
            solo.hear(claim, source=(f"127.0.1.{place}", PORT))
        if is_suspect:
            solo.hear(Suspect(3, "node-b", "other"))
        for incarnation in range(fields["start_score"]):
            solo.hear(Suspect(incarnation + 1, "node-a", "relay-0"))
        assert solo.score == fields["start_score"]
        solo.forget_outputs()
        deadline = solo.next_deadline()
        assert deadline is not None
        solo.advance(deadline - solo.now)
        if solo.transmits[0][0] == TARGET:
            return solo
    raise AssertionError("no seed begins with node-b")


def sequence_number(solo: Solo) -> int:
    ping = decode(solo.packets.open(solo.transmits[0][1], solo.metrics)[0])
    assert isinstance(ping, Ping)
    return ping.seq_no


ACKS = {"ack-in-time": 0.01, "ack-after-probe-timeout": 0.1, "suspect-target": 0.01}
NACKS = {"no-answer-all-nacks": 3, "no-answer-two-nacks": 2}


@pytest.mark.parametrize("vector", named("ack-", "suspect-target", "no-answer", "scaled"))
def test_round(vector: dict[str, Any]) -> None:
    name, fields = vector["name"], vector["fields"]
    solo = probing(fields, is_suspect=name == "suspect-target")
    seq_no = sequence_number(solo)
    started = solo.now
    if name in ACKS:
        solo.advance(ACKS[name])
        solo.hear(Ack(seq_no), source=TARGET)
    else:
        solo.advance(TIMEOUT)
        for place in range(NACKS.get(name, 0)):
            solo.hear(Nack(seq_no), source=(f"127.0.1.{place}", PORT))
        solo.advance(fields["duration_ms_about"] / 1000 - TIMEOUT - 0.001)
        assert (solo.state("node-b"), solo.score) == ("alive", fields["start_score"])
    packets, expected = our_packets(solo), expected_packets(vector)
    if name not in ACKS:
        solo.advance(0.001 + 1e-9)
    assert solo.now - started == pytest.approx(fields["duration_ms_about"] / 1000)
    assert [parts for _, parts in packets] == [parts for _, parts in expected]
    assert [to for to, _ in packets] == [to for to, _ in expected]
    assert (solo.score, solo.state("node-b")) == (fields["score_after"], fields["target_state_after"])


@pytest.mark.parametrize("vector", named("relay-"))
def test_relay(vector: dict[str, Any]) -> None:
    """The target and the requester are known members, to whom alone we relay and answer elsewhere."""
    name = vector["name"]
    source = endpoint(vector["fields"].get("udp_source", "127.0.0.1:5555"))
    solo = Solo(gossip_interval=0, probe_interval=0, verify_second_hand=False)
    solo.hear(Alive(1, "node-t", pack_address("127.0.0.9"), PORT, None, VSN))
    solo.hear(Alive(1, "node-r", pack_address(REQUESTER[0]), REQUESTER[1], None, VSN))
    solo.forget_outputs()
    origin = (
        (b"", 0, "") if name == "relay-no-source" else (pack_address(REQUESTER[0]), REQUESTER[1], "node-r")
    )
    solo.hear(IndirectPing(900, pack_address("127.0.0.9"), PORT, "node-t", True, *origin), source=source)
    seq_no = sequence_number(solo)
    if name != "relay-nacked":
        solo.hear(Ack(seq_no), source=("127.0.0.9", PORT))
    solo.advance(solo.config.probe_timeout)
    assert our_packets(solo) == expected_packets(vector)


@pytest.mark.parametrize("vector", named("ping-answer"))
def test_answer(vector: dict[str, Any]) -> None:
    kind = vector["name"].removeprefix("ping-answer-")
    addr, port = pack_address(REQUESTER[0]), REQUESTER[1]
    ping = {
        "source-fields": Ping(5, "node-a", addr, port, "node-r"),
        "udp-source": Ping(5, "node-a"),
        "no-port": Ping(5, "node-a", addr, 0, "node-r"),
        "empty-name": Ping(5, ""),
        "wrong-name": Ping(5, "node-x"),
    }[kind]
    solo = Solo(verify_second_hand=False)
    solo.hear(Alive(1, "node-r", addr, port, None, VSN))
    solo.forget_outputs()
    solo.hear(ping, source=endpoint(vector["fields"]["udp_source"]))
    assert our_packets(solo) == expected_packets(vector)


OLD_MEMBER = Record(
    Alive(1, "x", pack_address(TARGET[0]), TARGET[1], None, b"\1\4\2\0\0\0"), State.ALIVE, 0.0, verified=True
)
"""Broadcasts are piggybacked for members only, and this one does not read a CRC."""


def crowded(fields: dict[str, Any]) -> Solo:
    """An engine that knows node-b, with 60 broadcasts queued that are as large as the vector's."""
    secret = unhex(fields["key"])
    solo = Solo(
        keys=(secret,) if secret else (), udp_buffer_size=fields["udp_buffer_size"], enable_compression=False
    )
    solo.meet("node-b")
    solo.forget_outputs()
    for number in range(60):
        claim = Alive(1, f"peer-{number}", pack_address(f"127.0.1.{number}"), PORT, None, VSN)
        solo.queue(claim.node, encode(claim))
    return solo


@pytest.mark.parametrize("vector", named("piggyback-ping"))
def test_piggyback(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    solo = crowded(fields)
    solo.engine.gossip.send(solo.now, TARGET, [encode(Ping(1, "x"))], record=OLD_MEMBER)
    [(_, data)] = solo.engine.poll().transmits
    assert len(data) == fields["datagram_len"]
    if not fields["key"]:
        assert data.hex() == vector["hex"]


@pytest.mark.parametrize("vector", named("gossip-key"))
def test_gossip_size(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    solo = crowded(fields)
    solo.advance(solo.config.eager_gossip_delay)
    largest = max(len(data) for _, data in solo.transmits)
    assert largest <= fields["udp_buffer_size"]
    differs = {"datagram_lens"} if largest != fields["datagram_lens"][0] else set()
    assert differs == differing(f"probe/{vector['name']}")


@pytest.mark.parametrize("vector", named("piggyback-count", "gossip-count"))
def test_parts(vector: dict[str, Any]) -> None:
    """Where memberlist writes the count modulo 256, or 255 parts that old peers crash on, we stop at 127."""
    fields = vector["fields"]
    solo = Solo(udp_buffer_size=60_000, enable_compression=False)
    for number in range(300):
        solo.queue(f"m{number}", b"\x08m")
    if vector["name"].startswith("piggyback"):
        solo.engine.gossip.send(solo.now, TARGET, [encode(Ping(1, "x"))], record=OLD_MEMBER)
        [(_, data)] = solo.engine.poll().transmits
        found: dict[str, Any] = {
            "count_byte": data[1],
            "datagram_len": len(data),
            "messages": len(split(data)[0]),
        }
    else:
        solo.meet("node-b")
        solo.advance(solo.config.eager_gossip_delay)
        [(_, data)] = solo.transmits
        found = {
            "count_bytes": [data[6]],
            "messages": len(solo.packets.open(data, solo.metrics)),
            "packets": 1,
        }
    assert found["messages"] == 127
    differs = {key for key, value in found.items() if value != fields[key]}
    assert differs == differing(f"probe/{vector['name']}")
