"""One node without peers: a test plays all other nodes and reads what it sends."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from swim.addresses import Endpoint
from swim.commands import Command, Join, QueryReply
from swim.config import Config
from swim.core.member import pack_address
from swim.core.output import Dial, Finished, Send, StreamEnd, Transmit
from swim.core.rng import Rng
from swim.node import Node
from swim.serf.messages import SerfMessage, encode_serf
from swim.serf.push_pull import PushPullState, decode_state, encode_state
from swim.serf.tags import encode_tags
from swim.wire.codec import decode, encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, Dead, Message, NodeRecord, PushPull, Suspect, User
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec, StreamParser

PORT = 7946
VSN = bytes((1, 5, 2, 2, 5, 5))
STRANGER: Endpoint = ("127.0.0.99", 9999)
QUIET = {"probe_interval": 0, "push_pull_interval": 0, "rejoin_interval": 0, "enable_compression": False}
"""Settings under which only what the test does makes the node do anything."""


def nonce() -> bytes:
    return bytes(12)


class Lone:
    """The node ``me`` at 127.0.0.1:7946; ``x``, ``y``, ``z``, ``w`` live at 127.0.0.2 to .5, same port."""

    def __init__(self, *, snapshot: str = "", **settings: Any) -> None:
        self.config = Config.lan(name="me", **QUIET | settings)
        self.node = Node(
            self.config,
            advertise=("127.0.0.1", PORT),
            bind_port=PORT,
            rng=Rng(random.Random(1)),
            snapshot=snapshot,
        )
        self.now = 100.0
        self.events: list[Any] = []
        self.finished: list[Finished] = []
        self.replies: dict[int, list[QueryReply]] = {}
        self.stop = ""
        self._transmits: list[Transmit] = []
        self._sends: list[Send] = []
        self._dials: list[Dial] = []
        self.node.start(self.now)
        self._take()

    # -- in

    def hear(self, *messages: Message, source: Endpoint = STRANGER) -> None:
        """Each of these messages arrives in a packet of its own."""
        for message in messages:
            self.node.receive_packet(self.now, encode(message), source)
            self._take()

    def say(self, *messages: SerfMessage | bytes, source: Endpoint = STRANGER) -> None:
        """Serf messages arrive as user messages."""
        bodies = [m if isinstance(m, bytes) else encode_serf(m) for m in messages]
        self.hear(*map(User, bodies), source=source)

    def meet(self, *names: str, incarnation: int = 1, vsn: bytes = VSN, **tags: str) -> None:
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
        accepted = self.node.accept_stream(self.now, (host, 50000))
        assert accepted is not None
        message = encode(PushPull(join, tuple(records), body))
        self.node.receive_stream(self.now, accepted.stream_id, message)
        self._take()
        codec = StreamCodec(self.config, Keyring(self.config.keys), nonce)
        reply = StreamParser(codec, acceptor=False).feed(self._sends.pop().data)
        assert isinstance(reply, PushPull)
        return reply

    def answered(self, records: Iterable[NodeRecord], *, host: str = "127.0.0.77") -> None:
        """This node dials a peer, which answers with these records."""
        self.command(Join([f"{host}:{PORT}"]))
        self.reply(records=records)

    def reply(self, state: PushPullState | bytes = b"", *, records: Iterable[NodeRecord] = ()) -> None:
        """The peer that was dialled last answers."""
        dial = self._dials.pop()
        body = state if isinstance(state, bytes) else encode_state(state)
        codec = StreamCodec(self.config, Keyring(self.config.keys), nonce)
        reply = codec.seal(encode(PushPull(True, tuple(records), body)), label_header=False)
        self.node.receive_stream(self.now, dial.stream_id, reply)
        self._take()

    def refuse(self) -> None:
        """The address that this node dialled last refuses the stream."""
        self.node.stream_ended(self.now, self._dials.pop().stream_id, StreamEnd.REFUSED)
        self._take()

    def command(self, command: Command) -> int:
        ticket = self.node.do(self.now, command)
        self._take()
        return ticket

    def abandon(self, ticket: int) -> None:
        """The application waits for no more replies."""
        self.node.abandon(self.now, ticket)
        self._take()

    def advance(self, seconds: float) -> None:
        """Time passes; what is due fires when it is due."""
        end = self.now + seconds
        while (deadline := self.node.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.node.handle_timeout(self.now)
            self._take()
        self.now = end

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
        codec = PacketCodec(self.config, Keyring(self.config.keys), nonce)
        transmits, self._transmits = self._transmits, []
        return [(to, decode(part)) for to, data in transmits for part in codec.open(data)]

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

    def _take(self) -> None:
        output = self.node.poll()
        self.events += output.events
        self.finished += output.finished
        for number, reply in output.replies:
            self.replies.setdefault(number, []).append(reply)
        self._transmits += output.transmits
        self._sends += [action for action in output.streams if isinstance(action, Send)]
        self._dials += [action for action in output.streams if isinstance(action, Dial)]
        self.stop = self.stop or output.stop


def home(name: str) -> Endpoint:
    """The address of a member of these tests."""
    return f"127.0.0.{2 + 'xyzw'.index(name)}", PORT


def alive_record(name: str, *, incarnation: int = 1, state: int = 0) -> NodeRecord:
    """A push/pull record of a member without tags."""
    host, port = home(name)
    return NodeRecord(name, pack_address(host), port, b"\xff\x80", incarnation, state, VSN)


def serf_state(
    *, ltime: int = 0, stamps: dict[str, int] | None = None, left: Iterable[str] = (), **more: Any
) -> PushPullState:
    """A peer's Serf state, empty but for what is given."""
    return PushPullState(
        ltime, stamps or {}, tuple(left), more.get("event_ltime", 0), more.get("events", ()), 0
    )
