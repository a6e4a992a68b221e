"""Input of non-members, forged claims and noise are counted and have no other effect."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.addresses import Endpoint as Source
from swim.core.member import pack_address
from swim.core.output import Close, Dial, Send, StreamEnd
from swim.wire.codec import encode
from swim.wire.messages import Ack, Alive, IndirectPing, NodeRecord, Ping, PushPull, Suspect
from tests.one_node import NON_MEMBER, PORT, VSN, Solo
from tests.wire.strategies import messages

MEMBER: Source = ("127.0.0.2", PORT)


def acquainted(**settings: Any) -> Solo:
    solo = Solo(**settings)
    solo.meet("node-b", "node-c", "node-d")
    solo.forget_outputs()
    return solo


def table_of(solo: Solo) -> list[Any]:
    return sorted(record.as_wire() for record in solo.table)


def probing(**settings: Any) -> tuple[Solo, Source, int]:
    """An engine that has just pinged a member: which, and under which number."""
    solo = acquainted(probe_interval=1.0, gossip_interval=0, push_pull_interval=0, **settings)
    deadline = solo.next_deadline()
    assert deadline is not None
    solo.advance(deadline - solo.now)
    [(target, ping)] = solo.sent_of(Ping)
    return solo, target, ping.seq_no


# -- noise


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_noise_in_packets_changes_nothing(packets: list[bytes]) -> None:
    solo = acquainted()
    before = table_of(solo)
    for data in packets:
        solo.receive(data)
    assert [record[0] for record in table_of(solo)] == [record[0] for record in before]


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_noise_in_streams_changes_nothing(chunks: list[bytes]) -> None:
    solo = acquainted()
    before = table_of(solo)
    stream_id = solo.engine.accept_stream(solo.now, ("127.0.0.77", 50000))
    assert stream_id is not None
    for data in chunks:
        solo.engine.receive_stream(solo.now, stream_id, data)
    solo.engine.stream_ended(solo.now, stream_id, StreamEnd.RESET, "")
    assert table_of(solo) == before


@given(
    st.lists(st.lists(messages, min_size=1, max_size=4), max_size=4), st.sampled_from([NON_MEMBER, MEMBER])
)
def test_any_message_is_survived(packets: list[list[Any]], source: Source) -> None:
    """Well-formed lies may change the table, never break it."""
    solo = acquainted()
    for parts in packets:
        solo.hear(*parts, source=source)
        solo.advance(3.0)
    assert solo.table.local.state.name == "ALIVE"
    assert solo.table.live == sum(record.is_live for record in solo.table)
    assert all(record.incarnation < 2**32 for record in solo.table)


@pytest.mark.parametrize("settings", [{"label": "other"}, {"keys": (bytes(16),)}])
def test_packets_under_another_label_or_key_are_dropped(settings: dict[str, Any]) -> None:
    solo, other = acquainted(label="pool", keys=(b"k" * 16,)), Solo(**settings)
    before = table_of(solo)
    claim = encode(Alive(9, "node-x", pack_address("127.0.0.50"), PORT, None, VSN))
    solo.receive(other.packets.seal([claim], crc=False), MEMBER)
    solo.receive(claim, MEMBER)
    assert table_of(solo) == before
    assert (
        sum(count for name, count in solo.metrics.counters.items() if name.startswith("swim.dropped.")) == 2
    )


# -- addresses


def test_packets_streams_and_claims_from_outside_the_networks_are_dropped() -> None:
    solo = Solo(cidrs_allowed=("127.0.0.0/16",))
    inside, outside = (
        Alive(1, "in", pack_address("127.0.0.2"), PORT, None, VSN),
        pack_address("127.9.0.2"),
    )
    solo.hear(inside, source=("127.9.0.2", PORT))
    assert solo.state("in") == "absent"
    solo.hear(inside, source=MEMBER)
    assert solo.state("in") == "alive"
    solo.hear(Alive(1, "out", outside, PORT, None, VSN), source=MEMBER)
    solo.pushed([NodeRecord("out", outside, PORT, None, 1, 0, VSN)])
    assert solo.state("out") == "absent"
    assert solo.engine.accept_stream(solo.now, ("127.9.0.2", 50000)) is None
    assert solo.metrics.counters["swim.dropped.cidr"] == 4


def test_a_stranger_is_not_pinged_on_anybodys_behalf() -> None:
    solo = acquainted()
    solo.hear(IndirectPing(7, pack_address("127.0.0.200"), PORT, "victim", True), source=MEMBER)
    solo.advance(0.0)
    assert not solo.sent_of(Ping)
    assert solo.metrics.counters["swim.dropped.relay-refused"] == 1


def test_acks_are_not_sent_where_a_stranger_points() -> None:
    solo = acquainted()
    solo.hear(Ping(7, "node-a", pack_address("127.0.0.200"), 4000, "victim"), source=NON_MEMBER)
    assert [to for to, _ in solo.sent_of(Ack)] == [NON_MEMBER]


# -- floods


def test_one_packet_adds_a_bounded_number_of_members() -> None:
    solo = Solo(max_new_members_per_packet=5, verify_second_hand=False)
    claims = [
        Alive(1, f"x{number}", pack_address(f"127.0.3.{number}"), PORT, None, VSN) for number in range(20)
    ]
    solo.hear(*claims)
    assert len(solo.table) == 6
    assert solo.metrics.counters["swim.dropped.member-limit"] == 15
    solo.hear(*claims)
    assert len(solo.table) == 11


def test_the_table_is_bounded_for_streams_too() -> None:
    solo = Solo(max_members=10, max_new_members_per_packet=5, verify_second_hand=False)
    records = [NodeRecord(f"x{n}", pack_address(f"127.0.3.{n}"), PORT, None, 1, 0, VSN) for n in range(50)]
    solo.pushed(records)
    assert len(solo.table) == 10
    assert solo.metrics.counters["swim.dropped.member-limit"] == 41


def test_one_packet_of_outdated_accusations_has_one_answer() -> None:
    solo = acquainted(incarnation=9)
    solo.hear(*[Suspect(1, "node-a", f"m{number}") for number in range(50)], source=MEMBER)
    assert solo.sent() == [(MEMBER, [solo.table.local.alive_claim()])]
    solo.hear(Suspect(1, "node-a", "m"), source=NON_MEMBER)
    assert not solo.sent()


def test_open_streams_are_bounded() -> None:
    solo = Solo(max_streams=3)
    accepted = [solo.engine.accept_stream(solo.now, ("127.0.0.77", 50000 + number)) for number in range(5)]
    assert [stream is None for stream in accepted] == [False] * 3 + [True] * 2
    assert solo.metrics.counters["swim.dropped.inbound-streams"] == 2
    solo.engine.stream_ended(solo.now, accepted[0] or 0, StreamEnd.EOF, "")
    assert solo.engine.accept_stream(solo.now, ("127.0.0.77", 50009)) is not None


def test_a_network_that_takes_all_slots_loses_its_oldest_to_others() -> None:
    solo = Solo(max_streams=4)
    streams = [solo.engine.accept_stream(solo.now, ("127.0.0.77", 50000 + n)) for n in range(4)]
    assert solo.engine.accept_stream(solo.now, ("127.0.0.77", 50009)) is None
    refused = [solo.engine.accept_stream(solo.now, (f"127.0.0.{n}", 50000)) is None for n in (2, 3, 4, 5)]
    assert refused == [False, False, False, True]
    solo.collect()
    assert solo.streams == [Close(stream or 0) for stream in streams[:3]]
    solo.advance(1.0)
    newcomer = solo.engine.accept_stream(solo.now, ("127.0.0.5", 50000))
    assert newcomer is not None, "a second is enough for any request"
    solo.collect()
    assert solo.streams[-1] == Close(streams[3] or 0)


def test_a_trickling_stream_counts_as_old() -> None:
    solo = Solo(max_streams=2)
    streams = [solo.engine.accept_stream(solo.now, ("127.0.0.77", 50000 + n)) or 0 for n in range(2)]
    for _ in range(10):
        solo.advance(0.2)
        for stream in streams:
            solo.engine.receive_stream(solo.now, stream, encode(PushPull(False, (), bytes(1000)))[:1])
    assert solo.engine.accept_stream(solo.now, ("127.0.0.77", 50009)) is not None


def test_the_hosts_of_one_ipv6_network_share_their_slots() -> None:
    solo = Solo(max_streams=4)
    for number in range(4):
        assert solo.engine.accept_stream(solo.now, (f"fd00::{number}", 50000)) is not None
    assert solo.engine.accept_stream(solo.now, ("fd00::9", 50000)) is None
    assert solo.engine.accept_stream(solo.now, ("fd00:1::9", 50000)) is not None


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({"label": "a"}, {"label": "b"}, "it has another label"),
        ({}, {"label": "b"}, "it has another label"),
        ({"keys": (bytes(16),)}, {"keys": (bytes(32),)}, "a key that is not installed on this node"),
        ({}, {"keys": (bytes(32),)}, "a key that is not installed on this node"),
        ({"keys": (bytes(16),)}, {}, "it is not encrypted"),
    ],
)
def test_a_stream_that_is_kept_out_is_reported_with_its_address_and_rarely(
    ours: dict[str, Any], theirs: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    solo, other = Solo(**ours), Solo(**theirs)
    request = other.stream_codec.seal(encode(PushPull(True, ())), label_header=True)
    with caplog.at_level(logging.WARNING, "swim.core"):
        for port in range(50):
            stream = solo.engine.accept_stream(solo.now, ("127.0.0.77", port)) or 0
            solo.engine.receive_stream(solo.now, stream, request)
            solo.advance(0.3)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert messages[0].startswith("stream from 127.0.0.77:0 refused: ")
    assert said in messages[0]
    assert messages[1].endswith("more since the last report)")


@pytest.mark.parametrize(
    ("settings", "said"), [({"label": "a"}, "its label may not be a"), ({}, "it may have a label")]
)
def test_a_joiner_that_is_kept_out_hears_what_may_be_the_reason(settings: dict[str, Any], said: str) -> None:
    solo = Solo(**settings)
    ticket = solo.engine.join(solo.now, ["127.0.0.9:7946"])
    solo.collect()
    [dial] = [action for action in solo.streams if isinstance(action, Dial)]
    solo.engine.stream_ended(solo.now, dial.stream_id, StreamEnd.EOF, "")
    solo.collect()
    [done] = [done for done in solo.finished if done.ticket == ticket]
    [outcome] = done.result.outcomes  # type: ignore[union-attr]
    assert outcome.error.startswith("failed to join 127.0.0.9:7946: closed by the peer without an answer")
    assert said in outcome.error


def test_unfinished_streams_are_bounded_together_and_the_largest_goes_first() -> None:
    solo = Solo(max_inbound_bytes=1_300_000)
    endless = encode(PushPull(False, (), bytes(10_000_000)))
    streams = [
        solo.engine.accept_stream(solo.now, ("127.0.0.77", 50000 + number)) or 0 for number in range(4)
    ]
    for stream, size in zip(streams, (270_000, 330_000, 150_000, 320_000), strict=True):
        solo.engine.receive_stream(solo.now, stream, endless[:size])
    solo.collect()
    assert solo.streams == [Close(streams[1])]
    assert solo.metrics.counters["swim.dropped.inbound-bytes"] == 1
    solo.engine.receive_stream(solo.now, streams[3], bytes(200_000))
    solo.collect()
    assert len(solo.streams) == 1, "what the closed stream held counts no more"


def test_a_stream_that_cannot_be_read_is_told_so_or_closed() -> None:
    solo = acquainted(enable_compression=False)
    solo.dialled(encode(Ping(5, "somebody-else")))
    assert isinstance(solo.streams[-1], Close)
    solo.dialled(encode(Ping(5, "node-a")))
    assert isinstance(solo.streams[-1], Send)
    assert solo.streams[-1].data == encode(Ack(5))
