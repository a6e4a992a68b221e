"""Hostile input at every layer: nothing is raised, the node stays what it is, and memory is flat.

``SWIM_FUZZ_SECONDS`` says how long each layer is tried; by default a second or two. ``SWIM_FUZZ_SEED`` is the
seed, which each test prints. Input that breaks something is printed as a program that gives it again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
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
from swim.wire.codec import decode, encode, encode_user_stream
from swim.wire.keyring import Keyring
from swim.wire.messages import PushPull
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec, StreamParser
from tests.hostile_input import SOURCES, layered, recorded, requests

SECONDS = float(os.environ.get("SWIM_FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("SWIM_FUZZ_SEED", "1"))
MEMORY_MAX_BYTES = 150_000_000
"""What caches, queues and tables may grow by; each has a budget of its own."""
KEPT = 400
"""Inputs remembered, to find the one that broke something."""
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


def drawn(seed: str, layer: str, kind: str) -> tuple[str, bytes]:
    """One input and where it goes."""
    random = Random(seed)
    door = random.choice(DOORS[layer])
    if door in ("stream", "reply", "sealed stream"):
        return door, requests(random, kind)
    data = SOURCES[kind](random)
    return door, layered(random, data) if random.randrange(2) else data


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def breaks(layer: str, name: str, inputs: list[tuple[str, bytes]]) -> bool:
    """Whether they break a fresh target."""
    target = TARGETS[layer][name]()
    try:
        for door, data in inputs:
            target.give(door, data)
        target.check()
        target.admit()
    except Exception:
        return True
    return False


def program(layer: str, name: str, last: Iterable[tuple[str, bytes]]) -> str:
    """What gives the shortest tail of the last inputs that still breaks a fresh target."""
    inputs, size = [*last], 1
    while size < len(inputs) and not breaks(layer, name, inputs[-size:]):
        size *= 2
    calls = "\n".join(
        f"target.give({door!r}, bytes.fromhex({data.hex()!r}))" for door, data in inputs[-size:]
    )
    return (
        "from tests.test_fuzz import TARGETS\n"
        f"target = TARGETS[{layer!r}][{name!r}]()\n{calls}\ntarget.check()\ntarget.admit()\n"
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("layer", TARGETS)
def test_a_layer(layer: str) -> None:
    """Every kind of input at every target of the layer, for an equal share of the time."""
    combinations = [(name, kind) for name in TARGETS[layer] for kind in SOURCES]
    before, total = resident_bytes(), 0
    for name, kind in combinations:
        target, count, last = TARGETS[layer][name](), 0, deque[tuple[str, bytes]](maxlen=KEPT)
        end = time.monotonic() + SECONDS / len(combinations)
        is_over = False
        while not is_over:
            is_over = time.monotonic() >= end
            last.append(drawn(f"{SEED} {layer} {name} {kind} {count}", layer, kind))
            count += 1
            try:
                target.give(*last[-1])
                target.check()
                if is_over or count % 5000 == 0:
                    target.admit()
            except Exception as error:
                why = f"input {count} of seed {SEED} at {name}, {kind}: {error!r}"
                pytest.fail(f"{why}\n{program(layer, name, last)}")
        print(f"{layer}, {name}, {kind}: {count} inputs of seed {SEED}, +{resident_bytes() - before} bytes")
        total += count
    assert total
    assert resident_bytes() - before < MEMORY_MAX_BYTES


def test_there_is_something_to_bend() -> None:
    assert len(recorded()) > 300


@pytest.mark.parametrize("layer", TARGETS)
def test_a_seed_gives_the_same_input_again(layer: str) -> None:
    for kind in SOURCES:
        assert drawn("7", layer, kind) == drawn("7", layer, kind) != drawn("8", layer, kind)


def test_what_breaks_a_target_is_printed_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fragile(Wire):
        def give(self, door: str, data: bytes) -> None:
            if data == b"second" and door in vars(self):
                raise ZeroDivisionError
            vars(self)[door] = data

    monkeypatch.setitem(TARGETS, "fragile", {"it": Fragile})
    harmless, first, second = ("state", b"any"), ("packet", b"first"), ("packet", b"second")
    text = program("fragile", "it", [*[harmless] * 9, first, second])
    assert text.count("target.give(") == 2
    with pytest.raises(ZeroDivisionError):
        exec(text)
