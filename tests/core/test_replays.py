"""With keys: a recorded stream sent again changes nothing, whether it is remembered or long forgotten."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from sims.bench.hostile import Victim
from swim.config import Config
from swim.core.output import Send
from swim.serf.messages import JoinIntent, LeaveIntent, encode_serf
from swim.serf.push_pull import PushPullState, encode_state
from swim.wire.codec import encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, Message, NodeRecord, PushPull, User
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec
from tests.core.test_streams import opened, quiet
from tests.one_node import Solo

KEY = b"k" * 16
VERSIONS = bytes((1, 5, 2, 2, 5, 5))


@pytest.mark.parametrize("settings", [{}, {"label": "pool"}, {"enable_compression": True}])
@pytest.mark.parametrize("join", [False, True])
def test_a_copy_of_a_stream_is_not_answered_and_counted(settings: dict[str, object], join: bool) -> None:
    solo = quiet(keys=(KEY,), **settings)
    data = solo.stream_codec.seal(encode(PushPull(join, ())), label_header=True)
    for _ in range(3):
        opened(solo, data)
    assert sum(isinstance(action, Send) for action in solo.streams) == 1
    assert solo.metrics.counters["swim.dropped.replayed"] == 2


def test_packets_do_not_push_streams_out_of_memory() -> None:
    solo = quiet(keys=(KEY,), max_remembered_packets=8)
    data = solo.stream_codec.seal(encode(PushPull(False, ())), label_header=True)
    opened(solo, data)
    for _ in range(50):
        solo.receive(solo.packets.seal([encode(User(b"x"))], crc=False), ("127.0.0.2", 7946))
    opened(solo, data)
    assert solo.metrics.counters["swim.dropped.replayed"] == 1


@pytest.mark.parametrize("settings", [{}, {"keys": (KEY,), "max_remembered_packets": 0}])
def test_equal_streams_that_are_no_copies_are_answered(settings: dict[str, object]) -> None:
    solo: Solo = quiet(**settings)
    data = solo.stream_codec.seal(encode(PushPull(False, ())), label_header=True)
    for _ in range(3):
        opened(solo, data)
    assert sum(isinstance(action, Send) for action in solo.streams) == 3


class Keyed(Victim):
    """A node with a key, whose members speak to it."""

    def __init__(self) -> None:
        self._packets = PacketCodec(config(), Keyring((KEY,)), iter_nonces("packets"))
        self._streams = StreamCodec(config(), Keyring((KEY,)), iter_nonces("streams"))
        super().__init__(
            members=1, keys=(KEY,), max_remembered_packets=2, probe_interval=0, gossip_interval=0
        )

    def hear(self, number: int, message: Message) -> None:
        """A member says something."""
        self.packet(self._packets.seal([encode(message)], crc=False), source=(f"127.0.0.{number + 1}", 7946))

    def recorded(self, message: PushPull) -> bytes:
        return self._streams.seal(encode(message), label_header=True)

    def statuses(self) -> dict[str, str]:
        return {member.name: str(member.status) for member in self.node.members()}


def config() -> Config:
    return Config.lan(name="member", keys=(KEY,))


def iter_nonces(text: str) -> Callable[[], bytes]:
    random = Random(text)
    return lambda: random.randbytes(12)


def alive(number: int, incarnation: int) -> Alive:
    return Alive(incarnation, f"node-{number}", bytes((127, 0, 0, number + 1)), 7946, None, VERSIONS)


def record(number: int, incarnation: int, state: int) -> NodeRecord:
    return NodeRecord(*alive(number, incarnation)[1:5], incarnation, state, VERSIONS)


@pytest.mark.parametrize("join", [False, True])
def test_a_push_pull_of_yesterday_brings_nobody_back_and_takes_nobody_away(join: bool) -> None:
    """What it says is older than what is known, and who is unknown has to ack."""
    victim = Keyed()
    yesterday = PushPullState(6, {"node-1": 2, "node-2": 3, "node-4": 5}, ["node-2"], 6, (), 6)
    records = (record(1, 1, 0), record(2, 1, 3), record(3, 1, 2), record(4, 1, 0), record(8, 1, 0))
    data = victim.recorded(PushPull(join, records, encode_state(yesterday)))
    for number in (1, 2, 3, 4):
        victim.hear(number, alive(number, 2))
        victim.hear(number, User(encode_serf(JoinIntent(10 + number, f"node-{number}"))))
    victim.hear(4, User(encode_serf(LeaveIntent(20, "node-4"))))
    victim.pass_time(10.0)
    before = victim.statuses()
    events: list[object] = []
    victim.on_event = events.append
    assert before["node-4"] == "leaving"
    for _ in range(3):
        for _ in range(3):  # the window is passed
            victim.stream(victim.recorded(PushPull(False, ())))
        victim.stream(data)
        victim.pass_time(5.0)
    assert victim.statuses() == before
    assert not events
