"""Long streams: handled in steps that give way to everything else, on what arrived even after their end."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from swim.config import Config
from swim.core.member import pack_address
from swim.core.output import Close, Dial, Send, StreamEnd
from swim.wire.codec import encode
from swim.wire.compression import compress_message
from swim.wire.keyring import Keyring
from swim.wire.messages import Ack, Alive, NodeRecord, Ping, PushPull
from swim.wire.steps import Pause, Steps
from swim.wire.stream import StreamCodec, StreamParser
from tests.one_node import PORT, VSN, Solo

MEMBER = ("127.0.0.2", PORT)
REMOTE = ("127.0.0.77", 50000)


def quiet(**settings: object) -> Solo:
    """An engine that does only what a test makes it do, and knows one member."""
    solo = Solo(probe_interval=0, push_pull_interval=0, rejoin_interval=0, gossip_interval=0, **settings)
    solo.meet("node-b")
    solo.forget_outputs()
    solo.metrics.counters.clear()
    return solo


def table(count: int, *, prefix: str = "m") -> PushPull:
    """A state of that many members, whose addresses are none of ours to dial."""
    records = (
        NodeRecord(f"{prefix}{n}", bytes((127, 1, n // 250, n % 250 + 1)), PORT, None, 1, 0, VSN)
        for n in range(count)
    )
    return PushPull(False, tuple(records))


def opened(solo: Solo, data: bytes, host: str = REMOTE[0]) -> int:
    """A stream from elsewhere on which ``data`` arrived."""
    stream_id = solo.engine.accept_stream(solo.now, (host, 50000))
    assert stream_id is not None
    solo.engine.receive_stream(solo.now, stream_id, data)
    solo.collect()
    return stream_id


def steps(solo: Solo) -> int:
    """Runs the node until no work is left; returns how many turns that took."""
    turns = 0
    while (deadline := solo.next_deadline()) and deadline <= solo.now + 0.002:
        solo.now = max(solo.now, deadline)
        solo.engine.handle_timeout(solo.now, 0.0)
        solo.collect()
        turns += 1
    return turns


def merged(solo: Solo) -> int:
    """Records of push/pulls looked at so far."""
    return solo.metrics.counters["memberlist.msg.alive"]


def crowd(solo: Solo) -> None:
    """Hundreds of members, who speak for themselves."""
    for number in range(400):
        host = f"127.0.{3 + number // 200}.{number % 200 + 1}"
        solo.hear(Alive(1, f"member-{number}", pack_address(host), PORT, None, VSN), source=(host, PORT))
    solo.forget_outputs()


LONG = {
    "records": lambda: encode(table(1000)),
    "compressed": lambda: compress_message(encode(table(1000))),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", LONG)
def test_pings_are_answered_between_the_steps_of_a_long_stream(form: str) -> None:
    solo = quiet(enable_compression=False)
    opened(solo, LONG[form]())
    answered = 0
    while (deadline := solo.next_deadline()) and deadline <= solo.now + 0.002:
        solo.now = max(solo.now, deadline)
        solo.hear(Ping(answered, "node-a"), source=MEMBER)
        assert solo.sent_of(Ack)[-1] == (MEMBER, Ack(answered))
        answered += 1
        solo.engine.handle_timeout(solo.now, 0.0)
        solo.collect()
    assert answered > 10
    assert merged(solo) == 1000
    assert [type(action) for action in solo.streams] == [Send]


@pytest.mark.slow
def test_the_answer_to_a_push_pull_leaves_before_the_merge_ends() -> None:
    solo = quiet(enable_compression=False)
    stream_id = opened(solo, encode(table(1000)))
    turns_until_sent = 0
    while not solo.streams:
        solo.advance(0.001)
        turns_until_sent += 1
    assert isinstance(solo.streams[0], Send)
    assert merged(solo) < 300
    solo.engine.stream_ended(solo.now, stream_id, StreamEnd.EOF, "")
    steps(solo)
    assert merged(solo) == 1000, "though the peer closed meanwhile"


@pytest.mark.slow
@pytest.mark.parametrize("end", [StreamEnd.EOF, StreamEnd.RESET, StreamEnd.TIMEOUT])
def test_what_arrived_whole_is_handled_though_the_stream_has_ended(end: StreamEnd) -> None:
    solo = quiet()
    stream_id = opened(solo, encode(table(1000)))
    solo.engine.stream_ended(solo.now, stream_id, end, "")
    steps(solo)
    assert merged(solo) == 1000
    cut = opened(solo, encode(table(1000, prefix="cut"))[:-1])
    steps(solo)
    solo.engine.stream_ended(solo.now, cut, end, "")
    assert steps(solo) == 0
    assert merged(solo) == 1000


@pytest.mark.slow
def test_every_sending_host_has_its_turn() -> None:
    """One host with many long streams does not hold up another with one."""
    solo = quiet()
    for number in range(10):
        opened(solo, compress_message(encode(table(300, prefix=f"greedy{number}-"))), "127.0.0.66")
    patient = opened(solo, compress_message(encode(table(300, prefix="patient"))), "127.0.0.67")
    steps(solo)
    answered = [action.stream_id for action in solo.streams if isinstance(action, Send)]
    assert len(answered) == 11
    assert answered.index(patient) <= 2


@pytest.mark.slow
def test_a_large_state_is_compressed_once_for_all_who_ask() -> None:
    solo = quiet(enable_compression=True)
    crowd(solo)
    solo.streams.clear()
    turns = []
    for _ in range(5):
        opened(solo, encode(PushPull(False, ())))
        turns.append(steps(solo))
    assert turns[0] > 0
    assert turns[1:] == [0] * 4
    replies = [action.data for action in solo.streams if isinstance(action, Send)]
    assert len(replies) == 5
    assert len(set(replies)) == 1
    config = Config.lan(name="reader")
    reply = StreamParser(StreamCodec(config, Keyring(()), lambda: bytes(12)), acceptor=False).feed(replies[0])
    assert isinstance(reply, PushPull)
    assert len(reply.records) > 400


def pauses(work: Steps[object]) -> tuple[int, object]:
    """How often the work gave way, and what it returned."""
    count = 0
    while True:
        try:
            assert next(work) is Pause.TURN
        except StopIteration as finished:
            return count, finished.value
        count += 1


@pytest.mark.slow
def test_the_own_state_is_made_in_steps_and_once_until_the_view_changes() -> None:
    solo = quiet(enable_compression=False, verify_second_hand=False)
    solo.pushed(table(5000).records)
    solo.advance(1.0)
    push_pulls = solo.engine.push_pulls
    assert pauses(push_pulls.state(solo.now, join=False))[0] == 2
    count, state = pauses(push_pulls.state(solo.now, join=False))
    assert count == 0
    _, answer = pauses(push_pulls.reply(PushPull(False, ()), REMOTE))
    assert answer == state
    work = push_pulls.state(solo.now, join=False)
    solo.hear(Alive(2, "m7", bytes((127, 1, 0, 8)), PORT, b"new", VSN), source=("127.1.0.8", PORT))
    count, newer = pauses(work)
    assert (count, newer != state) == (2, True)
    config = Config.lan(name="reader")
    read = StreamParser(StreamCodec(config, Keyring(()), lambda: bytes(12)), acceptor=False).feed(newer)
    assert len(read.records) == 5002  # type: ignore[union-attr]


VERSIONS = {
    "out of reach": lambda n: {"addr": bytes(4)},
    "each with versions of its own": lambda n: {"vsn": bytes((9, 9, 9, 9, n % 256, n // 256))},
}


@pytest.mark.parametrize("wrong", VERSIONS)
def test_a_state_is_checked_in_steps(wrong: str) -> None:
    solo = quiet()
    records = tuple(one._replace(**VERSIONS[wrong](n)) for n, one in enumerate(table(10_000).records))
    count, objection = pauses(
        solo.engine.push_pulls.objection(PushPull(False, records), ("10.0.0.9", 7946), dialled=False)
    )
    assert objection
    assert count >= 4


@pytest.mark.slow
def test_states_that_change_all_the_time_are_compressed_within_a_budget() -> None:
    """Beyond it they go uncompressed: a request of some bytes cannot cost a tenth of a second each time."""
    solo = quiet(enable_compression=True)
    crowd(solo)
    size, number = 0, 0
    while not any(isinstance(action, Send) and action.data[0] == 6 for action in solo.streams):
        solo.hear(
            Alive(2 + number, "node-b", pack_address(MEMBER[0]), PORT, b"%d" % number, VSN),
            source=MEMBER,
        )
        opened(solo, encode(PushPull(False, ())))
        size += len(pauses(solo.engine.push_pulls.state(solo.now, join=False))[1])  # type: ignore[arg-type]
        steps(solo)
        number += 1
    assert size < 10 * 2**20
    solo.streams.clear()
    solo.advance(2.0)
    opened(solo, encode(PushPull(False, ())))
    steps(solo)
    assert [action.data[0] for action in solo.streams if isinstance(action, Send)] == [9]


@pytest.mark.slow
def test_a_dialled_stream_goes_out_when_its_state_is_compressed_and_takes_a_long_reply() -> None:
    solo = quiet(enable_compression=True)
    crowd(solo)
    solo.forget_outputs()
    before = merged(solo)
    ticket = solo.engine.join(solo.now, ["127.0.0.9:7946"])
    solo.collect()
    assert not solo.streams
    steps(solo)
    [dial] = solo.streams
    assert isinstance(dial, Dial)
    solo.engine.receive_stream(solo.now, dial.stream_id, encode(table(1000, prefix="theirs")))
    solo.engine.stream_ended(solo.now, dial.stream_id, StreamEnd.EOF, "")
    steps(solo)
    assert merged(solo) - before == 1000
    [done] = [done for done in solo.finished if done.ticket == ticket]
    assert done.result.joined == 1  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("keys", [(), (bytes(16),)])
@pytest.mark.parametrize("compressed", [False, True])
def test_abandoned_streams_leave_nothing_behind(keys: tuple[bytes, ...], compressed: bool) -> None:
    """With the collector off: a cycle anywhere would show."""
    solo = quiet(keys=keys, enable_compression=compressed)
    request = solo.stream_codec.seal(encode(table(1000, prefix="gone")), label_header=True)
    part = request[: len(request) * 9 // 10]

    def abandon(end: StreamEnd | None) -> None:
        stream_id = opened(solo, part[:1000])
        for start in range(1000, len(part), 20_000):
            solo.engine.receive_stream(solo.now, stream_id, part[start : start + 20_000])
            steps(solo)
        if end is None:
            solo.engine.receive_stream(solo.now, stream_id, b"\xc1" * len(request))
            steps(solo)
            solo.engine.stream_ended(solo.now, stream_id, StreamEnd.EOF, "")
        else:
            solo.engine.stream_ended(solo.now, stream_id, end, "")
        solo.collect()
        solo.forget_outputs()

    ends = [StreamEnd.EOF, StreamEnd.RESET, StreamEnd.TIMEOUT, None]
    for end in ends:
        abandon(end)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(12):
            abandon(ends[number % 4])
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert left < 20_000


@pytest.mark.slow
def test_all_streams_together_keep_what_is_allowed_in_whatever_form() -> None:
    """The limit is on memory: records count for what they become, several times their bytes."""
    solo = quiet(max_inbound_bytes=3_000_000)
    part = encode(table(4000))[:-1]
    for number in range(6):
        opened(solo, part, f"127.0.0.{20 + number}")
        steps(solo)
    closed = [action for action in solo.streams if isinstance(action, Close)]
    assert 6 * len(part) < 3_000_000
    assert solo.metrics.counters["swim.dropped.inbound-bytes"] == len(closed) >= 3


def test_a_user_message_on_a_stream_that_closes_at_once_is_delivered() -> None:
    solo = quiet()
    stream_id = opened(solo, b"\x08\x81\xaaUserMsgLen\x05hello")
    solo.engine.stream_ended(solo.now, stream_id, StreamEnd.EOF, "")
    assert solo.upstairs.users == [b"hello"]
