"""Who sends what this node cannot decrypt: counted by address, within a limit, and logged seldom."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.decrypt_failures import SOURCES_MAX, DecryptFailures
from swim.wire.keyring import Keyring
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec
from tests.one_node import Lone

K1, K2 = bytes(range(32)), bytes(range(16))


def test_packets_and_streams_with_another_key_count_for_their_source(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lone = Lone(keys=(K1,))
    bits = random.Random(1)
    foreign = lone.config.with_changes(keys=(K2,))
    packets = PacketCodec(foreign, Keyring((K2,)), lambda: bits.randbytes(12))
    streams = StreamCodec(foreign, Keyring((K2,)), lambda: bits.randbytes(12))
    for _ in range(11):
        lone.receive(packets.seal([b"\x00whatever"], crc=False), ("127.0.0.9", 7946))
    lone.dialled(streams.seal(b"\x06whatever", label_header=True), host="127.0.0.8")
    status = lone.node.key_status()
    assert dict(status.decrypt_failures) == {"127.0.0.9": 11, "127.0.0.8": 1}
    assert list(status.decrypt_failures) == ["127.0.0.9", "127.0.0.8"]
    assert lone.node.metrics.counters["swim.dropped.decrypt"] == 12
    logged = [
        record.getMessage() for record in caplog.records if "cannot be decrypted" in record.getMessage()
    ]
    assert [text.rpartition("(")[2] for text in logged] == ["1 so far)", "10 so far)"]


def test_other_malformed_input_is_no_failure_to_decrypt() -> None:
    lone = Lone()
    lone.receive(b"\xff garbage", ("127.0.0.9", 7946))
    assert not lone.node.key_status().decrypt_failures


@given(st.lists(st.integers(0, 200), max_size=400))
def test_the_latest_sources_are_counted(hosts: list[int]) -> None:
    failures = DecryptFailures(lambda *_: None)
    for host in hosts:
        failures.dropped(0.0, "decrypt", str(host))
    latest = list(dict.fromkeys(map(str, reversed(hosts))))[:SOURCES_MAX]
    counts = failures.counts
    assert set(counts) == set(latest)
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    if len(set(hosts)) <= SOURCES_MAX:
        assert sum(counts.values()) == len(hosts)
