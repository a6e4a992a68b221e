"""One node without peers: a test plays all other nodes and reads what it sends."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from swim.addresses import Endpoint, join_host_port
from swim.commands import Command, Join, QueryReply
from swim.config import Config
from swim.core.engine import Engine
from swim.core.member import Record, State, pack_address
from swim.core.output import Close, Dial, Finished, Output, SaveKeys, Send, StreamEnd, Transmit
from swim.core.rng import Rng
from swim.inspection import CoreInspection
from swim.metrics import Metrics
from swim.node import Node
from swim.serf.messages import SerfMessage, encode_serf
from swim.serf.push_pull import PushPullState, decode_state, encode_state
from swim.serf.tags import encode_tags
from swim.wire.codec import decode, encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, Dead, Message, NodeRecord, PushPull, Suspect, User
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec, StreamParser
from tests.core.upstairs import Upstairs

PORT = 7946
VSN = bytes((1, 5, 2, 0, 0, 0))
SERF_VSN = bytes((1, 5, 2, 2, 5, 5))
NON_MEMBER: Endpoint = ("127.0.0.99", 9999)
QUIET = {"probe_interval": 0, "push_pull_interval": 0, "rejoin_interval": 0, "enable_compression": False}
"""Settings under which only what the test does makes the node do anything."""


class OneNode(ABC):
    """What both kinds have in common: time that the test sets, packets, streams, and what came out.

    Attributes:
        now: seconds.
        core: takes packets, streams and time.
        keys: with which the test encrypts and decrypts.
        packets: seals and opens packets as the node does, with these keys.
        transmits: packets that were sent, oldest first.
        streams: what it wanted done with streams.
        finished: outcomes of its commands.
    """

    def __init__(self, core: Engine | Node, config: Config, bits: random.Random) -> None:
        self.core = core
        self.config = config
        self.now = 100.0
        keyring = Keyring(config.keys)
        self.keys = keyring
        self.packets = PacketCodec(config, keyring, lambda: bits.randbytes(12))
        self.stream_codec = StreamCodec(config, keyring, lambda: bits.randbytes(12))
        self.transmits: list[Transmit] = []
        self.streams: list[Dial | Send | Close] = []
        self._dials: list[Dial] = []
        self.finished: list[Finished] = []

    @abstractmethod
    def next_deadline(self) -> float | None:
        """When it wants to be woken."""

    @abstractmethod
    def take(self, output: Output) -> None:
        """Keeps what only one of the two has."""

    def receive(self, data: bytes, source: Endpoint = NON_MEMBER) -> None:
        """A packet arrives."""
        self.core.receive_packet(self.now, data, source)
        self.collect()

    def hear(self, *messages: Message, source: Endpoint = NON_MEMBER) -> None:
        """One packet of these messages arrives."""
        self.receive(self.packets.seal([encode(message) for message in messages], crc=False), source)

    def accept(self, host: str) -> int | None:
        """A peer at ``host`` dials; the stream's number, or None if it is refused."""
        accepted = self.core.accept_stream(self.now, (host, 50000))
        return accepted.stream_id if isinstance(accepted, tuple) else accepted

    def dialled(self, data: bytes, *, host: str = "127.0.0.77") -> None:
        """A peer dials and writes ``data``."""
        stream_id = self.accept(host)
        assert stream_id is not None
        self.core.receive_stream(self.now, stream_id, data)
        self.collect()

    def answered(self, records: Iterable[NodeRecord], *, host: str = "127.0.0.77") -> None:
        """The node dials a peer, which answers with these records."""
        self.join(f"{host}:{PORT}")
        self.reply(records=records)

    def reply(self, state: PushPullState | bytes = b"", *, records: Iterable[NodeRecord] = ()) -> None:
        """The peer that was dialled last answers."""
        dial = self._dials.pop()
        body = state if isinstance(state, bytes) else encode_state(state)
        data = self.stream_codec.seal(encode(PushPull(True, tuple(records), body)), label_header=False)
        self.core.receive_stream(self.now, dial.stream_id, data)
        self.collect()

    def refuse(self) -> None:
        """The address that this node dialled last refuses the stream."""
        self.core.stream_ended(self.now, self._dials.pop().stream_id, StreamEnd.REFUSED, "")
        self.collect()

    @abstractmethod
    def join(self, address: str) -> None:
        """The node joins an address by command."""

    def advance(self, seconds: float) -> None:
        """Time passes; what is due fires when it is due."""
        end = self.now + seconds
        while (deadline := self.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.core.handle_timeout(self.now, overslept=0.0)
            self.collect()
        self.now = end

    def opened(self) -> list[tuple[Endpoint, list[Message]]]:
        """The packets sent since the last look, decoded."""
        transmits, self.transmits = self.transmits, []
        return [(to, [decode(part) for part in self.packets.open(data)]) for to, data in transmits]

    def collect(self) -> None:
        """Keeps what the node wants done."""
        output = self.core.poll()
        self.transmits += output.transmits
        self.streams += output.streams
        self._dials += [action for action in output.streams if isinstance(action, Dial)]
        self.finished += output.finished
        self.take(output)


class Solo(OneNode):
    """The engine ``node-a`` at port 7946 of ``host`` in a plain memberlist pool."""

    def __init__(
        self,
        *,
        incarnation: int = 1,
        seed: int = 1,
        meta: bytes | None = b"m1",
        host: str = "127.0.0.1",
        rng: Rng | None = None,
        **settings: Any,
    ) -> None:
        settings = {"delegate_version": 0, "bind": join_host_port(host, PORT)} | settings
        config = Config.lan(name="node-a", **settings)
        self.metrics = Metrics()
        bits = random.Random(seed)
        self.engine = Engine(
            config,
            advertise=(host, PORT),
            bind_port=PORT,
            rng=rng or Rng(bits),
            metrics=self.metrics,
            keyring=Keyring(config.keys),
            nonce=lambda: bits.randbytes(12),
            incarnation=incarnation,
        )
        super().__init__(self.engine, config, bits)
        self.inside = CoreInspection(self.engine)
        self.table = self.inside.table
        self.upstairs = Upstairs(meta, self.engine.context.backlog)
        self.lookups: list[str] = []
        self.engine.start(self.now, self.upstairs)

    # -- in

    def next_deadline(self) -> float | None:
        return self.engine.context.timers.next_deadline()

    def take(self, output: Output) -> None:
        self.lookups += [lookup.address for lookup in output.lookups]

    def join(self, address: str) -> None:
        self.engine.join(self.now, [address])
        self.collect()

    def pushed(self, records: Iterable[NodeRecord], *, join: bool = False, host: str = "127.0.0.77") -> None:
        """A peer dials and pushes its table."""
        self.dialled(encode(PushPull(join, tuple(records))), host=host)

    def queue(self, name: str, message: bytes) -> None:
        """Something waits to be gossiped."""
        self.engine.context.queue.queue(name, message)

    def knows(self, *endpoints: Endpoint) -> None:
        """An ack came from there."""
        for endpoint in endpoints:
            self.engine.context.contacts.learn(endpoint)

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
            claim = Alive(incarnation, name, pack_address(host), PORT, meta, vsn)
            self.hear(claim, source=(host, PORT))
            self.knows((host, PORT))
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
        return self.table.get(name)

    def name_at(self, endpoint: Endpoint) -> str:
        record = self.table.at(endpoint)
        assert record is not None
        return record.name

    def state(self, name: str) -> str:
        record = self.record(name)
        return record.state.name.lower() if record is not None else "absent"

    @property
    def queued(self) -> list[bytes]:
        """Broadcasts that wait, in sending order; they stay queued."""
        return self.engine.context.queue.take(self.now, 2**20, 2, charge=False)

    @property
    def score(self) -> int:
        return self.inside.health_score

    def sent(self) -> list[tuple[Endpoint, list[Message]]]:
        """The packets sent since the last look, decoded."""
        return self.opened()

    def sent_of(self, kind: type[Message]) -> list[tuple[Endpoint, Any]]:
        """The messages of one kind sent since the last look."""
        return [(to, part) for to, parts in self.sent() for part in parts if isinstance(part, kind)]


class Lone(OneNode):
    """The node ``me`` at 127.0.0.1:7946; ``x``, ``y``, ``z``, ``w`` live at 127.0.0.2 to .5, same port."""

    def __init__(self, *, snapshot: str = "", **settings: Any) -> None:
        config = Config.lan(name="me", **QUIET | settings)
        bits = random.Random(1)
        self.node = Node(
            config, advertise=("127.0.0.1", PORT), bind_port=PORT, rng=Rng(bits), snapshot=snapshot
        )
        super().__init__(self.node, config, random.Random(2))
        self.events: list[Any] = []
        self.replies: dict[int, list[QueryReply]] = {}
        self.stop = ""
        self.keyring: SaveKeys | None = None
        self.node.start(self.now)
        self.collect()

    # -- in

    def next_deadline(self) -> float | None:
        return self.node.next_deadline()

    def take(self, output: Output) -> None:
        self.events += output.events
        for number, reply in output.replies:
            self.replies.setdefault(number, []).append(reply)
        self.stop = self.stop or output.stop
        self.keyring = output.keyring or self.keyring

    def join(self, address: str) -> None:
        self.command(Join([address]))

    def hear(self, *messages: Message, source: Endpoint = NON_MEMBER) -> None:
        """Each of these messages arrives in a packet of its own."""
        for message in messages:
            self.receive(self.packets.seal([encode(message)], crc=False), source)

    def say(self, *messages: SerfMessage | bytes, source: Endpoint = NON_MEMBER) -> None:
        """Serf messages arrive as user messages."""
        bodies = [m if isinstance(m, bytes) else encode_serf(m) for m in messages]
        self.hear(*map(User, bodies), source=source)

    def meet(self, *names: str, incarnation: int = 1, vsn: bytes = SERF_VSN, **tags: str) -> None:
        """These members claim to be alive."""
        meta = encode_tags(tags, delegate_version=5)
        for name in names:
            host, port = home(name)
            claim = Alive(incarnation, name, pack_address(host), port, meta, vsn)
            self.hear(claim, source=(host, port))

    def fail(self, name: str, *, incarnation: int = 1) -> None:
        """First a suspect claim, then the dead claim; without the first, the node would ping the member."""
        self.hear(Suspect(incarnation, name, "somebody"), Dead(incarnation, name, "somebody"))

    def part(self, name: str, *, incarnation: int = 1) -> None:
        """memberlist's leave, from the member itself and without an intent."""
        self.hear(Dead(incarnation, name, name), source=home(name))

    def pushed(
        self,
        state: PushPullState | bytes = b"",
        records: Iterable[NodeRecord] = (),
        *,
        join: bool = False,
        host: str = "127.0.0.77",
    ) -> PushPull:
        """A peer dials and pushes its state; returns this node's answer."""
        body = state if isinstance(state, bytes) else encode_state(state)
        self.dialled(encode(PushPull(join, tuple(records), body)), host=host)
        data = next(action.data for action in reversed(self.streams) if isinstance(action, Send))
        reply = StreamParser(self.stream_codec, acceptor=False).feed(data)
        assert isinstance(reply, PushPull)
        return reply

    def command(self, command: Command) -> int:
        ticket = self.node.do(self.now, command)
        self.collect()
        return ticket

    def abandon(self, ticket: int) -> None:
        """The application waits for no more replies."""
        self.node.abandon(self.now, ticket)
        self.collect()

    # -- out

    def state(self) -> PushPullState:
        """The Serf state that this node sends in a push/pull."""
        return decode_state(self.pushed().user_state)

    def stamp(self, name: str) -> int | None:
        return self.state().status_ltimes.get(name)

    def status(self, name: str) -> str:
        member = self.node.member(name)
        return str(member.status) if member is not None else "unknown"

    def sent(self) -> list[tuple[Endpoint, Message]]:
        """Messages sent since the last look."""
        return [(to, message) for to, messages in self.opened() for message in messages]

    def bodies(self, seconds: float = 0.0) -> list[bytes]:
        """Serf messages sent since the last look and in the next ``seconds``, copies included."""
        self.advance(seconds)
        return [message.body for _, message in self.sent() if isinstance(message, User)]

    def settle(self) -> None:
        """Everything so far was preparation: sends all of it."""
        self.bodies(5)
        assert not self.bodies(5)
        self.events.clear()

    def kinds(self) -> list[str]:
        """Names of the events since the last look."""
        events, self.events = self.events, []
        return [type(event).__name__ for event in events]

    def is_done(self, ticket: int) -> bool:
        return any(done.ticket == ticket for done in self.finished)

    def result(self, ticket: int) -> Any:
        [done] = [done for done in self.finished if done.ticket == ticket]
        return done.result


def home(name: str) -> Endpoint:
    """The address of a member of the tests of ``Lone``."""
    return f"127.0.0.{2 + 'xyzw'.index(name)}", PORT


def alive_record(name: str, *, incarnation: int = 1, state: int = 0) -> NodeRecord:
    """A push/pull record of a member without tags."""
    host, port = home(name)
    return NodeRecord(name, pack_address(host), port, b"\xff\x80", incarnation, state, SERF_VSN)


def serf_state(
    *, ltime: int = 0, stamps: dict[str, int] | None = None, left: Iterable[str] = (), **more: Any
) -> PushPullState:
    """A peer's Serf state, empty but for what is given."""
    return PushPullState(
        ltime, stamps or {}, tuple(left), more.get("event_ltime", 0), more.get("events", ()), 0
    )
