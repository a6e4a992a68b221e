"""Nodes on a fake network in virtual time: whole clusters of sans-I/O nodes, stepped by one heap."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from swim.addresses import Endpoint
from swim.commands import Command, Join
from swim.config import Config
from swim.core.output import Close, Dial, Output, Send, StreamEnd
from swim.core.rng import Rng
from swim.events import Event, JoinResult, Member, MemberEvent, MemberReaped
from swim.node import BaseView, Node
from swim.wire.packet import PacketCodec, WireFactory


@dataclass
class Peer:
    """One node of a ``World`` and what came out of it."""

    node: Node
    endpoint: Endpoint
    listed: tuple[Member, ...] = ()
    events: list[Event] = field(default_factory=list)
    finished: dict[int, Any] = field(default_factory=dict)
    up: bool = True
    wakes: int = 0
    scheduled: float = float("inf")
    stop: str = ""

    def fold(self) -> dict[str, Member]:
        """The members by folding the events."""
        table = {member.name: member for member in self.listed}
        for event in self.events:
            assert isinstance(event, MemberEvent)
            if isinstance(event, MemberReaped):
                del table[event.member.name]
            else:
                table[event.member.name] = event.member
        return table

    def statuses(self) -> dict[str, str]:
        return {member.name: str(member.status) for member in self.node.members()}


class World:
    """A network with latency, loss and blocked links. Deterministic for a seed."""

    def __init__(self, seed: int = 1, *, latency: float = 0.001, wire: WireFactory = PacketCodec) -> None:
        self.wire = wire
        self.random = random.Random(seed)
        self.latency = latency
        self.loss = 0.0
        self.now = 0.0
        self.peers: dict[Endpoint, Peer] = {}
        self.all: list[Peer] = []
        self.blocked: Callable[[Endpoint, Endpoint], bool] = lambda a, b: False
        self.lose: Callable[[Endpoint, Endpoint], bool] = lambda a, b: self.random.random() < self.loss
        self.names: dict[str, list[Endpoint]] = {}
        self.lookups: list[str] = []
        self.packets = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._streams: dict[tuple[Endpoint, int], tuple[Endpoint, int]] = {}

    def add(
        self, name: str, port: int = 0, *, make: Callable[..., Config] = Config.lan, **settings: Any
    ) -> Peer:
        peer = self._place(name, port, make, settings)
        peer.node.start(self.now)
        self._pump(peer)
        return peer

    def converged(self, count: int, *, make: Callable[..., Config] = Config.lan, **settings: Any) -> BaseView:
        """``count`` nodes n1... that start as members of one cluster; returns the view they share."""
        peers = [self._place(f"n{i + 1}", 0, make, dict(settings)) for i in range(count)]
        view = BaseView(peer.node.claim for peer in peers)
        for peer in peers:
            peer.node.start(self.now, view=view)
            peer.listed = peer.node.members()
            self._pump(peer)
        return view

    def _place(self, name: str, port: int, make: Callable[..., Config], settings: dict[str, Any]) -> Peer:
        snapshot = settings.pop("snapshot", "")
        endpoint = ("127.0.0.1", port or 7000 + len(self.peers))
        config = make(name=name, bind=f"127.0.0.1:{endpoint[1]}", **settings)
        rng = Rng(random.Random(self.random.getrandbits(64)))
        node = Node(
            config, advertise=endpoint, bind_port=endpoint[1], rng=rng, snapshot=snapshot, wire=self.wire
        )
        peer = self.peers[endpoint] = Peer(node, endpoint)
        self.all.append(peer)
        return peer

    def cluster(self, count: int, **settings: Any) -> list[Peer]:
        """``count`` nodes n1..., joined at the first, converged."""
        peers = [self.add(f"n{i + 1}", **settings) for i in range(count)]
        for peer in peers[1:]:
            self.join(peer, peers[0])
        self.run(3)
        assert all(set(p.statuses().values()) == {"alive"} and len(p.statuses()) == count for p in peers)
        return peers

    def join(self, peer: Peer, *others: Peer) -> int:
        return self.command(peer, Join([f"{h}:{p}" for h, p in (o.endpoint for o in others)]))

    def command(self, peer: Peer, command: Command) -> int:
        ticket = peer.node.do(self.now, command)
        self._pump(peer)
        return ticket

    def joined(self, peer: Peer, ticket: int) -> JoinResult:
        result = peer.finished[ticket]
        assert isinstance(result, JoinResult)
        return result

    def inject(self, peer: Peer, data: bytes, source: Endpoint) -> None:
        """A packet arrives at ``peer`` now, from anywhere."""
        peer.node.receive_packet(self.now, data, source)
        self._pump(peer)

    def check(self) -> None:
        """What holds at every moment: the events of each node, including killed ones, fold to its table."""
        for peer in self.all:
            assert peer.fold() == {member.name: member for member in peer.node.members()}

    def kill(self, peer: Peer) -> None:
        peer.up = False
        if self.peers.get(peer.endpoint) is peer:
            del self.peers[peer.endpoint]

    def pause(self, peer: Peer, seconds: float) -> None:
        """Like SIGSTOP: packets wait, no timer fires; then input comes first, and the gap is reported."""
        peer.up = False
        backlog: list[tuple[bytes, Endpoint]] = []
        peer.node_backlog = backlog  # type: ignore[attr-defined]

        def resume() -> None:
            peer.up = True
            for data, source in backlog:
                peer.node.receive_packet(self.now, data, source)
            planned = peer.node.next_deadline()
            if planned is not None and planned <= self.now:
                peer.node.handle_timeout(self.now, overslept=self.now - planned)
            self._pump(peer)

        self.at(self.now + seconds, resume)

    def partition(self, *groups: Iterable[Peer]) -> None:
        sides = [{peer.endpoint for peer in group} for group in groups]
        side = {endpoint: index for index, group in enumerate(sides) for endpoint in group}
        self.blocked = lambda a, b: side.get(a) != side.get(b)

    def heal(self) -> None:
        self.blocked = lambda a, b: False

    def at(self, when: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when, next(self._order), call))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Runs for ``seconds``, or until the condition holds; returns whether it did."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            if until is not None and until():
                return True
            self.now, _, call = heapq.heappop(self._heap)
            call()
        self.now = end if until is None or not until() else self.now
        return until is None or until()

    # -- carrying out

    def _pump(self, peer: Peer) -> None:
        output = peer.node.poll()
        self._carry_out(peer, output)
        deadline = peer.node.next_deadline()
        if deadline is not None and deadline < peer.scheduled:
            peer.scheduled = deadline
            self.at(deadline, lambda: self._wake(peer, deadline))

    def _wake(self, peer: Peer, planned: float) -> None:
        if planned == peer.scheduled:
            peer.scheduled = float("inf")
        if not peer.up:
            return
        deadline = peer.node.next_deadline()
        if deadline is not None and deadline <= self.now:
            peer.wakes += 1
            peer.node.handle_timeout(self.now)
        self._pump(peer)

    def _carry_out(self, peer: Peer, output: Output) -> None:
        peer.events.extend(output.events)
        peer.finished.update({done.ticket: done.result for done in output.finished})
        peer.stop = peer.stop or output.stop
        for endpoint, data in output.transmits:
            self.packets += 1
            assert len(data) <= peer.node.config.udp_buffer_size
            if not self.lose(peer.endpoint, endpoint) and not self.blocked(peer.endpoint, endpoint):
                self._later(lambda e=endpoint, d=data: self._deliver(e, d, peer.endpoint))
        for action in output.streams:
            self._stream(peer, action)
        for lookup in output.lookups:
            self.lookups.append(lookup.address)
            self._later(lambda a=lookup.address: self._resolve(peer, a))

    def _deliver(self, endpoint: Endpoint, data: bytes, source: Endpoint) -> None:
        peer = self.peers.get(endpoint)
        if peer is None:
            return
        if not peer.up:
            getattr(peer, "node_backlog", []).append((data, source))
            return
        peer.node.receive_packet(self.now, data, source)
        self._pump(peer)

    def _resolve(self, peer: Peer, address: str) -> None:
        host = address.rpartition("/")[2].partition(":")[0]
        peer.node.resolved(self.now, address, self.names.get(host, []), "no such host")
        self._pump(peer)

    def _stream(self, peer: Peer, action: Dial | Send | Close) -> None:
        match action:
            case Dial(stream_id, endpoint, data, deadline):
                target = self.peers.get(endpoint)
                if self.blocked(peer.endpoint, endpoint) or (target is not None and not target.up):
                    self.at(deadline, lambda: self._end(peer, stream_id, StreamEnd.TIMEOUT))
                elif target is None:
                    self._later(lambda: self._end(peer, stream_id, StreamEnd.REFUSED))
                else:
                    self._later(lambda: self._accept(peer, stream_id, target, data))
            case Send(stream_id, data, _):
                other = self._streams.get((peer.endpoint, stream_id))
                if other is not None:
                    self._later(lambda: self._feed(other[0], other[1], data))
            case Close(stream_id):
                other = self._streams.pop((peer.endpoint, stream_id), None)
                if other is not None:
                    self._later(lambda: self._end_at(other[0], other[1]))

    def _accept(self, peer: Peer, stream_id: int, target: Peer, data: bytes) -> None:
        accepted = (
            target.node.accept_stream(self.now, ("127.0.0.1", 50000 + stream_id)) if target.up else None
        )
        if accepted is None:
            self._end(peer, stream_id, StreamEnd.EOF)
            return
        self._streams[peer.endpoint, stream_id] = (target.endpoint, accepted.stream_id)
        self._streams[target.endpoint, accepted.stream_id] = (peer.endpoint, stream_id)
        self._feed(target.endpoint, accepted.stream_id, data)

    def _feed(self, endpoint: Endpoint, stream_id: int, data: bytes) -> None:
        peer = self.peers.get(endpoint)
        if peer is not None and peer.up:
            peer.node.receive_stream(self.now, stream_id, data)
            self._pump(peer)

    def _end_at(self, endpoint: Endpoint, stream_id: int) -> None:
        peer = self.peers.get(endpoint)
        if peer is not None:
            self._end(peer, stream_id, StreamEnd.EOF)

    def _end(self, peer: Peer, stream_id: int, end: StreamEnd) -> None:
        self._streams.pop((peer.endpoint, stream_id), None)
        if peer.up:
            peer.node.stream_ended(self.now, stream_id, end)
            self._pump(peer)

    def _later(self, call: Callable[[], None]) -> None:
        self.at(self.now + self.latency * (0.5 + self.random.random()), call)
