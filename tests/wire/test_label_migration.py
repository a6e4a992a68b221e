"""Nodes of neighbouring steps of taking on a label read each other, in packets and streams, sealed or not."""

from __future__ import annotations

import pytest

from swim.config import Config
from swim.errors import ConfigError, RemoteError
from swim.wire.codec import encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Ack, Ping
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec, StreamParser

STEPS = [
    {},
    {"label": "blue", "send_label": False, "accept_unlabelled": True},
    {"label": "blue", "accept_unlabelled": True},
    {"label": "blue"},
]
NEIGHBOURS = [(one, other) for one in range(4) for other in range(4) if abs(one - other) <= 1]
KEYS = [pytest.param((), id="plain"), pytest.param((bytes(range(16)),), id="encrypted")]
PING, ACK = Ping(7, "n", b"", 0, ""), Ack(7)


def config(step: int, keys: tuple[bytes, ...]) -> Config:
    return Config(name="n", keys=keys, **STEPS[step])


def packets(step: int, keys: tuple[bytes, ...]) -> PacketCodec:
    return PacketCodec(config(step, keys), Keyring(keys), lambda: bytes(12))


def streams(step: int, keys: tuple[bytes, ...]) -> StreamCodec:
    return StreamCodec(config(step, keys), Keyring(keys), lambda: bytes(12))


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(("sender", "receiver"), NEIGHBOURS)
def test_neighbours_read_each_other_s_packets(sender: int, receiver: int, keys: tuple[bytes, ...]) -> None:
    data = packets(sender, keys).seal([encode(PING)], crc=False)
    assert packets(receiver, keys).open(data) == [encode(PING)]


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(("dialler", "acceptor"), NEIGHBOURS)
def test_neighbours_read_each_other_s_streams(dialler: int, acceptor: int, keys: tuple[bytes, ...]) -> None:
    ours, theirs = streams(dialler, keys), streams(acceptor, keys)
    there, back = StreamParser(theirs, acceptor=True), StreamParser(ours, acceptor=False)
    assert there.feed(ours.seal(encode(PING), label_header=True)) == PING
    assert back.feed(theirs.seal(encode(ACK), label_header=False, label=there.label)) == ACK


@pytest.mark.parametrize("keys", KEYS)
def test_the_first_step_and_the_last_are_two_clusters(keys: tuple[bytes, ...]) -> None:
    for sender, receiver in ((0, 3), (3, 0)):
        with pytest.raises(RemoteError, match="label"):
            packets(receiver, keys).open(packets(sender, keys).seal([encode(PING)], crc=False))


def test_another_label_is_refused_in_every_step() -> None:
    red = PacketCodec(Config(name="n", label="red"), Keyring(()), lambda: bytes(12))
    data = red.seal([encode(PING)], crc=False)
    for step in range(4):
        with pytest.raises(RemoteError, match="label"):
            packets(step, ()).open(data)


def test_a_node_that_does_not_send_its_label_has_to_accept_others_that_do_not() -> None:
    with pytest.raises(ConfigError, match="send_label"):
        Config(name="n", label="blue", send_label=False)
