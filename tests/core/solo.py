"""One engine without peers: a test plays all other nodes and reads what it sends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from swim.addresses import Endpoint, join_host_port
from swim.config import Config
from swim.core.broadcast import Backlog
from swim.core.engine import Engine
from swim.core.member import Record, State
from swim.core.output import Close, Dial, Finished, Send
from swim.core.rng import Rng
from swim.events import Reason
from swim.inspection import CoreInspection
from swim.metrics import Metrics
from swim.wire.codec import decode, encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, Dead, Message, NodeRecord, PushPull, Suspect
from swim.wire.packet import PacketCodec
from swim.wire.steps import Steps, at_once

VSN = bytes((1, 5, 2, 0, 0, 0))
PORT = 7946
STRANGER: Endpoint = ("127.0.0.99", 9999)


def key_of(host: str) -> bytes:
    """Raw bytes of an IPv4 address in text."""
    return bytes(map(int, host.split(".")))


class Upstairs:
    """A delegate that records its calls, in memberlist's terms."""

    def __init__(self, meta: bytes | None, backlog: Backlog) -> None:
        self.backlog = backlog
        self.local_meta = meta
        self.events: list[str] = []
        self.reasons: list[Reason] = []
        self.users: list[bytes] = []
        self.queued: list[bytes] = []
        self.joins_announced = 0
        self.payload: bytes | None = None
        self.round_trips: list[tuple[str, float, bytes | None]] = []
        self._metas: dict[str, bytes | None] = {}

    def meta(self) -> bytes | None:
        return self.local_meta

    def allow_alive(self, claim: Alive) -> bool:
        return True

    def refuse_merge(self, records: Sequence[NodeRecord]) -> str:
        return ""

    def member_joined(self, now: float, record: Record, reason: Reason) -> None:
        self._note("join", record, reason)

    def member_refreshed(self, now: float, record: Record, previous: Record, reason: Reason) -> None:
        if self._metas.get(record.name, record.meta) != record.meta:
            self._note("update", record, reason)

    def member_suspected(self, now: float, record: Record, reason: Reason) -> None:
        self.reasons.append(reason)

    def member_gone(self, now: float, record: Record, reason: Reason) -> None:
        self._note("leave", record, reason)

    def member_conflict(self, now: float, record: Record, claim: Alive) -> None:
        self.events.append(f"conflict:{record.name}")

    def ack_payload(self) -> bytes | None:
        return self.payload

    def ping_completed(self, record: Record, rtt: float, payload: bytes | None) -> None:
        self.round_trips.append((record.name, rtt, payload))

    def user_message(self, now: float, body: bytes, source: Endpoint | None) -> None:
        self.users.append(body)

    def broadcasts(
        self, now: float, room: int, overhead: int, *, most: int, target: Record | None
    ) -> list[bytes]:
        taken: list[bytes] = []
        while self.queued and len(taken) < most and len(self.queued[0]) + overhead <= room:
            room -= len(self.queued[0]) + overhead
            taken.append(self.queued.pop(0))
            self.backlog.waiting -= 1
        return taken

    def queue(self, bodies: Sequence[bytes]) -> None:
        self.queued += bodies
        self.backlog.waiting += len(bodies)

    def local_state(self, join: bool) -> Steps[bytes]:
        return at_once(b"")

    def merge_state(
        self, clock: Callable[[], float], state: bytes, *, peer: str, replay: bool
    ) -> Steps[None]:
        self.users.append(state)
        yield from ()

    def announce_join(self, now: float) -> None:
        self.joins_announced += 1

    def announce_leave(self, now: float) -> list[bytes]:
        return []

    def cluster_resized(self, now: float, n: int) -> None:
        pass

    def _note(self, word: str, record: Record, reason: Reason) -> None:
        self._metas[record.name] = record.meta
        self.events.append(f"{word}:{record.name}")
        self.reasons.append(reason)


class Solo:
    """The engine ``node-a`` at port 7946 of ``host`` in a plain memberlist pool, at a time the test sets."""

    def __init__(
        self,
        *,
        incarnation: int = 1,
        seed: int = 1,
        meta: bytes | None = b"m1",
        host: str = "127.0.0.1",
        **settings: Any,
    ) -> None:
        settings = {"delegate_version": 0, "bind": join_host_port(host, PORT)} | settings
        self.config = Config.lan(name="node-a", **settings)
        self.metrics = Metrics()
        self.now = 100.0
        bits = random.Random(seed)
        self.engine = Engine(
            self.config,
            advertise=(host, PORT),
            bind_port=PORT,
            rng=Rng(bits),
            metrics=self.metrics,
            keyring=Keyring(self.config.keys),
            nonce=lambda: bits.randbytes(12),
            incarnation=incarnation,
        )
        self.packets = PacketCodec(self.config, Keyring(self.config.keys), lambda: bits.randbytes(12))
        self.upstairs = Upstairs(meta, self.engine.context.backlog)
        self.engine.start(self.now, self.upstairs)
        self.inside = CoreInspection(self.engine)
        self.table = self.inside.table
        self.transmits: list[tuple[Endpoint, bytes]] = []
        self.streams: list[Dial | Send | Close] = []
        self.finished: list[Finished] = []
        self.lookups: list[str] = []

    # -- in

    def hear(self, *messages: Message, source: Endpoint = STRANGER) -> None:
        """One packet of these messages arrives."""
        self.receive(self.packets.seal([encode(message) for message in messages], crc=False), source)

    def receive(self, data: bytes, source: Endpoint = STRANGER) -> None:
        self.engine.receive_packet(self.now, data, source)
        self.collect()

    def pushed(self, records: Iterable[NodeRecord], *, join: bool = False, host: str = "127.0.0.77") -> None:
        """A peer dials and pushes its table."""
        self.dialled(encode(PushPull(join, tuple(records))), host=host)

    def answered(self, records: Iterable[NodeRecord], *, host: str = "127.0.0.77") -> None:
        """The node dials a peer, which answers with its table."""
        self.engine.join(self.now, [f"{host}:{PORT}"])
        self.collect()
        dial = next(action for action in reversed(self.streams) if isinstance(action, Dial))
        reply = self.engine.context.streams.seal(encode(PushPull(True, tuple(records))), label_header=False)
        self.engine.receive_stream(self.now, dial.stream_id, reply)
        self.collect()

    def dialled(self, data: bytes, *, host: str = "127.0.0.77") -> None:
        """A peer dials and writes ``data``."""
        stream_id = self.engine.accept_stream(self.now, (host, 50000))
        assert stream_id is not None
        self.engine.receive_stream(self.now, stream_id, data)
        self.collect()

    def advance(self, seconds: float) -> None:
        """Time passes; what is due fires when it is due."""
        end = self.now + seconds
        while (deadline := self.engine.context.timers.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.engine.handle_timeout(self.now, 0.0)
            self.collect()
        self.now = end

    def meet(
        self,
        *names: str,
        vsn: bytes = VSN,
        meta: bytes | None = b"m1",
        incarnation: int = 1,
        state: State = State.ALIVE,
    ) -> None:
        """Members become known, first-hand; the nth of a call is at 127.0.1.n, ``node-b`` at 127.0.0.2."""
        for place, name in enumerate(names):
            host = "127.0.0.2" if name == "node-b" else f"127.0.1.{place}"
            claim = Alive(incarnation, name, key_of(host), PORT, meta, vsn)
            self.hear(claim, source=(host, PORT))
            self.engine.context.contacts.learn((host, PORT))
            if state in (State.SUSPECT, State.DEAD):
                self.hear(Suspect(incarnation, name, "other-0"))
            if state in (State.DEAD, State.LEFT):
                self.hear(Dead(incarnation, name, name if state is State.LEFT else "other-0"))

    def forget_outputs(self) -> None:
        """What happened so far was preparation."""
        self.engine.context.queue.prune(0)
        self.upstairs.events.clear()
        self.upstairs.reasons.clear()
        self.transmits.clear()
        self.streams.clear()
        self.finished.clear()

    # -- out

    def record(self, name: str) -> Record | None:
        return self.engine.context.table.get(name)

    def state(self, name: str) -> str:
        record = self.record(name)
        return record.state.name.lower() if record is not None else "absent"

    @property
    def queued(self) -> list[bytes]:
        """Broadcasts that wait, in sending order; they stay queued."""
        return self.engine.context.queue.take(self.now, 2**20, 2, charge=False)

    @property
    def score(self) -> int:
        return self.engine.context.awareness.score

    def sent(self) -> list[tuple[Endpoint, list[Message]]]:
        """The packets sent since the last look, decoded."""
        packets, self.transmits = self.transmits, []
        return [
            (endpoint, [decode(part) for part in self.packets.open(data, self.metrics)])
            for endpoint, data in packets
        ]

    def sent_of(self, kind: type[Message]) -> list[tuple[Endpoint, Any]]:
        """The messages of one kind sent since the last look."""
        return [(to, part) for to, parts in self.sent() for part in parts if isinstance(part, kind)]

    def collect(self) -> None:
        """Keeps what the engine wants done."""
        output = self.engine.poll()
        self.transmits += output.transmits
        self.streams += output.streams
        self.finished += output.finished
        self.lookups += [lookup.address for lookup in output.lookups]
