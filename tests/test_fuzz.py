"""Hostile input at every layer: nothing is raised, the node stays what it is, and memory is flat.

How long each layer is tried, and from which seed: ``tests/fuzzing.py``. What breaks something is printed as a
short program that does it again.
"""

from __future__ import annotations

import gc
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from random import Random
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from sims.bench.hostile import Victim
from swim.commands import Join
from swim.config import Config
from swim.core.output import Dial, StreamEnd
from swim.errors import RemoteError
from swim.metrics import Metrics
from swim.serf.messages import decode_serf
from swim.serf.push_pull import decode_state
from swim.serf.snapshot import Snapshot
from swim.wire import codec
from swim.wire.codec import decode, encode, encode_user_stream
from swim.wire.keyring import Keyring
from swim.wire.messages import IndirectPing, Message, MessageType, PushPull
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec, StreamParser
from tests.fuzzing import KEPT, SECONDS, SEED, Fuzzed, Holdings, Input, holdings, smallest, summary
from tests.hostile_input import SOURCES, layered, recorded, requests, touched

FLOODS = 0.01
"""The share of input that costs most to make and to take."""
VARIANTS = 3
VARIED_MAX_BYTES = 4000
KEY = bytes(range(16))
SECURED: dict[str, dict[str, Any]] = {
    "plain": {},
    "label": {"label": "x"},
    "key": {"keys": (KEY,)},
    "label and key": {"keys": (KEY,), "label": "x"},
}
"""How a node keeps others out."""


class Wire:
    """Packets, streams and states, read and forgotten."""

    def __init__(self, **settings: Any) -> None:
        config = Config.lan(name="node-0", **settings)
        self._keyring, self._numbers = Keyring(config.keys), Random(1)
        self._packets = PacketCodec(config, self._keyring, self._nonce)
        self._streams = StreamCodec(config, self._keyring, self._nonce)
        self._metrics = Metrics()

    def _nonce(self) -> bytes:
        return self._numbers.randbytes(12)

    def give(self, door: str, data: bytes) -> None:
        with suppress(RemoteError):
            self._read(door, data)

    def _read(self, door: str, data: bytes) -> None:
        match door:
            case "packet":
                for message in self._packets.open(data, self._metrics):
                    found = decode(message)
                    if hasattr(found, "body"):
                        decode_serf(found.body)
            case "sealed":
                self._packets.open(self._packets.seal([data[:1000] or b"\0"], crc=True), self._metrics)
            case "stream" | "reply":
                parser = StreamParser(self._streams, acceptor=door == "stream")
                for start in range(0, len(data), 700):
                    if parser.feed(data[start : start + 700]) is not None:
                        break
            case "state":
                decode_state(b"\x03" + data)
            case "snapshot":
                Snapshot.replay(data.decode("utf-8", "surrogateescape"))

    def check(self) -> None:
        """Nothing is kept."""

    def admit(self) -> None:
        """No node joins."""


class Target(Victim):
    """A node that takes input at every door."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        config = self.node.config
        numbers = Random(1)
        self._seal = PacketCodec(config, Keyring(config.keys), lambda: numbers.randbytes(12))
        self._seal_stream = StreamCodec(config, Keyring(config.keys), lambda: numbers.randbytes(12))

    def give(self, door: str, data: bytes) -> None:
        match door:
            case "packet":
                self.packet(data)
            case "member":
                self.packet(data, source=("127.0.0.2", 7946))
            case "sealed":
                self.packet(self._seal.seal([data[:60_000] or b"\0"], crc=False), source=("127.0.0.3", 7946))
            case "stream":
                self.stream(data)
            case "sealed stream":
                self.stream(self._seal_stream.seal(data or b"\0", label_header=True))
            case "state":
                self.stream(encode_user_stream(data))
            case "reply":
                self._reply(data)

    def _reply(self, data: bytes) -> None:
        """A member answers a join with ``data``."""
        self._call(self.node.do, Join(("127.0.0.4:7946",)))
        self.pass_time(0.02)
        while self.dialled:
            dial = self.dialled.pop()
            assert isinstance(dial, Dial)
            for start in range(0, len(data), 20_000):
                self._call(self.node.receive_stream, dial.stream_id, data[start : start + 20_000])
            self._call(self.node.stream_ended, dial.stream_id, StreamEnd.EOF)
        self.pass_time(0.01)

    def check(self) -> None:
        """The node runs and is itself."""
        local = self.node.local
        assert (self.node.status, local.status, local.name) == ("running", "alive", "node-0")

    def admit(self) -> None:
        """A newcomer's push/pull is answered with a state that it can read."""
        self.replied = b""
        self.stream(self._seal_stream.seal(encode(PushPull(True, ())), label_header=True))
        reply = StreamParser(self._seal_stream, acceptor=False).feed(self.replied)
        assert isinstance(reply, PushPull)
        assert "node-0" in {record.name for record in reply.records}
        decode_state(reply.user_state) if self.node.config.delegate_version else None


TARGETS: dict[str, dict[str, Callable[[], Wire | Target]]] = {
    "wire": {
        "plain": Wire,
        "key": lambda: Wire(keys=(KEY,), label="x"),
        "version 0": lambda: Wire(keys=(KEY,), protocol_version=1, accept_encryption_v0=True),
    },
    "core": {
        "plain memberlist": lambda: Target(delegate_version=0),
        "trusting": lambda: Target(delegate_version=0, verify_second_hand=False, disable_tcp_pings=True),
    },
    "serf": {"serf": lambda: Target(enable_compression=True)},
    "node": {
        **{name: partial(Target, **settings) for name, settings in SECURED.items()},
        "moving to a key": lambda: Target(keys=(KEY,), gossip_verify_incoming=False),
        "moving to a label": lambda: Target(label="x", accept_unlabelled=True),
    },
}
"""What is attacked, by layer and name; sockets come in ``tests/net/test_fuzz.py``."""

DOORS = {
    "wire": ("packet", "packet", "sealed", "stream", "reply", "state", "snapshot"),
    "core": ("packet", "member", "member", "reply", "stream"),
    "serf": ("member", "member", "packet", "reply", "stream", "state"),
    "node": ("packet", "member", "sealed", "stream", "sealed stream", "reply"),
}


def drawn(random: Random, layer: str) -> Input:
    """A new input."""
    kind = "floods" if random.random() < FLOODS else random.choice(("bent", "made up"))
    door = random.choice(DOORS[layer])
    if door in ("stream", "reply", "sealed stream"):
        return door, requests(random, kind)
    data = SOURCES[kind](random)
    return door, layered(random, data) if random.randrange(2) else data


def inputs(layer: str, seed: str) -> Iterator[Input]:
    """Inputs without end: new ones, each followed by a few that differ from it in a byte or two."""
    random = Random(seed)
    while True:
        door, data = drawn(random, layer)
        yield door, data
        if len(data) < VARIED_MAX_BYTES:
            for _ in range(VARIANTS):
                yield door, touched(random, data)


class Broken(Exception):
    """A target broke; the text says what breaks it again."""


def attack(layer: str, name: str, *, seconds: float) -> tuple[Fuzzed, Holdings | None]:
    """Everything a target takes in this time, and what the process held halfway.

    Raises:
        Broken: the target raised an exception.
    """
    target, last, count = TARGETS[layer][name](), deque[Input](maxlen=KEPT), 0
    gc.collect()
    before, halfway, start = holdings(), None, monotonic()
    for count, one in enumerate(inputs(layer, f"{SEED} {layer} {name}"), 1):
        last.append(one)
        passed = monotonic() - start
        try:
            target.give(*one)
            target.check()
            if passed >= seconds or count % 5000 == 0:
                target.admit()
        except Exception as error:
            why = f"input {count} of seed {SEED} at {layer}, {name}: {error!r}"
            raise Broken(f"{why}\n{program(layer, name, last)}") from error
        if passed >= seconds:
            break
        if halfway is None and passed >= seconds / 2:
            gc.collect()
            halfway = holdings()
    gc.collect()
    return Fuzzed(layer, name, count, 0, monotonic() - start, before, holdings()), halfway


def error_of(layer: str, name: str, given: Sequence[Input]) -> type[Exception] | None:
    """The exception of a fresh target that is given this."""
    target = TARGETS[layer][name]()
    try:
        for door, data in given:
            target.give(door, data)
        target.check()
        target.admit()
    except Exception as error:
        return type(error)
    return None


def program(layer: str, name: str, last: Iterable[Input]) -> str:
    """A program that breaks a fresh target with as little as possible of the last inputs.

    If all of them don't, since what breaks it came long before, the program is the last input only.
    """
    given = [*last]
    found = error_of(layer, name, given)
    least = smallest(lambda some: error_of(layer, name, some) is found, given) if found else given[-1:]
    calls = "\n".join(f"target.give({door!r}, bytes.fromhex({data.hex()!r}))" for door, data in least)
    return (
        "from tests.test_fuzz import TARGETS\n"
        f"target = TARGETS[{layer!r}][{name!r}]()\n{calls}\ntarget.check()\ntarget.admit()\n"
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize(("layer", "name"), [(layer, name) for layer in TARGETS for name in TARGETS[layer]])
def test_a_target(layer: str, name: str, record_property: Callable[[str, object], None]) -> None:
    """Every kind of input, for an equal share of the layer's time."""
    fuzzed, halfway = attack(layer, name, seconds=SECONDS / len(TARGETS[layer]))
    fuzzed.record(record_property)
    fuzzed.check(halfway)


def test_there_is_something_to_bend() -> None:
    assert len(recorded()) > 300


@pytest.mark.parametrize("layer", TARGETS)
def test_a_seed_gives_the_same_input_again(layer: str) -> None:
    first, again, other = ([*islice(inputs(layer, seed), 40)] for seed in ("7", "7", "8"))
    assert first == again != other


# -- what is found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "name"), [("wire", "plain"), ("core", "trusting"), ("node", "label and key")]
)
def test_a_bug_in_one_decoder_is_found_and_given_again_by_one_short_input(
    layer: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bug: a relay request for a target whose address is empty divides by zero."""
    read = codec._PACKET_READERS[MessageType.INDIRECT_PING]

    def divide(body: object) -> Message:
        request = read(body)
        assert isinstance(request, IndirectPing)
        return request._replace(port=request.port + 0 // len(request.target))

    monkeypatch.setitem(codec._PACKET_READERS, MessageType.INDIRECT_PING, divide)
    with pytest.raises(Broken, match="ZeroDivisionError") as broken:
        attack(layer, name, seconds=60.0)
    why, _, text = str(broken.value).partition("\n")
    assert f"of seed {SEED} at {layer}, {name}" in why
    [data] = re.findall(r"bytes.fromhex\('(\w+)'\)", text)
    assert len(data) < 200
    with pytest.raises(ZeroDivisionError):
        exec(text)


def test_what_breaks_a_target_is_printed_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fragile(Wire):
        def give(self, door: str, data: bytes) -> None:
            if b"second" in data and door in vars(self):
                raise ZeroDivisionError
            if b"first" in data:
                vars(self)[door] = data

    monkeypatch.setitem(TARGETS, "fragile", {"it": Fragile})
    harmless, first, second = ("state", b"any"), ("packet", b"the first one"), ("packet", b"-second-")
    text = program("fragile", "it", [*[harmless] * 9, first, *[harmless] * 5, second])
    assert [line for line in text.splitlines() if "give" in line] == [
        f"target.give('packet', bytes.fromhex({data.hex()!r}))" for data in (b"first", b"second")
    ]
    with pytest.raises(ZeroDivisionError):
        exec(text)


def test_the_summary_adds_up_what_was_fuzzed_wherever_it_ran() -> None:
    """A report may come from another process, in which only plain values arrive."""
    properties: list[list[tuple[str, object]]] = [[("other", 1)]]
    for layer, inputs, exceptions in (("wire", 1_200_000, 0), ("sockets", 34, 1)):
        properties.append([])
        before, after = Holdings(10, 8, 50_000_000), Holdings(9, 8, 51_000_000)
        fuzzed = Fuzzed(layer, "it", inputs, exceptions, 2.0, before, after)
        fuzzed.record(lambda name, value: properties[-1].append((name, json.loads(json.dumps(value)))))
    head, first, second, total = summary([SimpleNamespace(user_properties=one) for one in properties])
    assert first.split() == [
        "wire",
        "it",
        "1,200,000",
        "600000",
        "0",
        *["50.0", "->", "51.0", "10", "->", "9", "8", "->", "8"],
    ]
    assert second.split()[2:5] == ["34", "17", "1"]
    assert total == f"1,200,034 inputs of seed {SEED}, 1 exceptions"
    assert head.split()[:3] == ["layer", "target", "inputs"]
    assert summary([]) == []
