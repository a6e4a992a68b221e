"""Packets that are not bytes make the same run as packets that are."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.world.fast_wire import FastWire
from swim.commands import Leave, SetTags
from swim.config import Config
from swim.errors import RemoteError
from swim.wire.keyring import Keyring
from swim.wire.packet import PacketCodec
from tests.clusters import cluster, lose, split

KEYS = (bytes(16), bytes(range(32)))


def run_of(*, byte_mode: bool, **settings: Any) -> list[Any]:
    """Everything that can be seen of a run in which all kinds of things happen."""
    world, peers = cluster(12, 11, byte_mode=byte_mode, **settings)
    world.run_for(10)
    lose(world, 0.1)
    world.crash(peers[3])
    peers[5].do(Leave())
    peers[7].do(SetTags({"role": "db" * 20}))
    world.run_for(60)
    lose(world, 0.0)
    split(world, peers[:8], peers[8:])
    world.run_for(30)
    world.network.heal()
    world.run_for(60)
    return [(list(peer.events), peer.members(), peer.metrics.counters) for peer in peers]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"label": "blue", "keys": KEYS},
        {"protocol_version": 1, "keys": KEYS, "accept_encryption_v0": True},
    ],
    ids=["plain", "sealed", "protocol 1"],
)
def test_a_run_is_the_same_in_both_modes(settings: dict[str, Any]) -> None:
    assert run_of(byte_mode=False, **settings) == run_of(byte_mode=True, **settings)


def both(settings: dict[str, Any]) -> tuple[PacketCodec, FastWire]:
    config = Config.lan(name="n", **settings)
    bits = random.Random(1)
    keyring = Keyring(config.keys)
    return PacketCodec(config, keyring, lambda: bits.randbytes(12)), FastWire(
        config, keyring, lambda: bytes(12)
    )


@given(
    st.lists(st.binary(min_size=1, max_size=60).map(lambda raw: b"\x08" + raw), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([{}, {"label": "blue"}, {"keys": KEYS}, {"label": "blue", "keys": KEYS}]),
)
def test_lengths_and_messages_are_those_of_a_real_packet(
    messages: list[bytes], crc: bool, settings: dict[str, Any]
) -> None:
    real, fast = both(settings)
    frame = fast.seal(messages, crc=crc)
    packet = real.seal(messages, crc=crc)
    assert (len(frame), fast.overhead) == (len(packet), real.overhead)
    assert fast.open(frame) == fast.open(packet) == messages


@pytest.mark.parametrize("sender", [{}, {"label": "red"}, {"keys": KEYS}, {"keys": (KEYS[1],)}])
@pytest.mark.parametrize("receiver", [{}, {"label": "blue"}, {"keys": (KEYS[0],)}])
def test_who_cannot_read_a_real_packet_cannot_read_a_frame(
    sender: dict[str, Any], receiver: dict[str, Any]
) -> None:
    outcomes = []
    for place in (0, 1):
        data = both(sender)[place].seal([b"\x02\x80"], crc=True)
        try:
            outcomes.append(both(receiver)[place].open(data))
        except RemoteError:
            outcomes.append([])
    if "keys" in sender and not receiver:
        outcomes[0] = []  # a real one looks like some message that no decoder reads
    assert outcomes[0] == outcomes[1]
