"""Virtual datagrams: how the network carries them, and how a host reads them."""

from __future__ import annotations

from collections.abc import Callable

from sims.world.context import Context
from sims.world.host import SimNode
from sims.world.hosts import Hosts
from sims.world.network import Passage
from sims.world.observer import Packet
from swim.addresses import Endpoint

__all__ = ["Packets"]

_SOCKET_BUFFER_BYTES = 208 * 1024


class Packets:
    """Carries the packets of all nodes of a context.

    Attributes:
        sent: datagrams put on the wire so far.
    """

    def __init__(self, context: Context, hosts: Hosts, pump: Callable[[SimNode], None]) -> None:
        self._context = context
        self._at = hosts.at
        self._pump = pump
        self.sent = 0

    def send(self, node: SimNode, endpoint: Endpoint, data: bytes) -> None:
        """Puts one packet on the wire, or holds it while the node is blocked."""
        if node.processor is not None:
            self._context.clock.at(node.processor.sent(), self._put, node, node.life, endpoint, data)
        else:
            self._put(node, node.life, endpoint, data)

    def _put(self, node: SimNode, life: int, endpoint: Endpoint, data: bytes) -> None:
        context = self._context
        if node.life != life or (node.state != "running" and not node.is_up):
            return
        if node.blocked_until > context.clock.now:  # blocked again while it waited
            context.clock.at(node.blocked_until, self._put, node, life, endpoint, data)
            return
        self.sent += 1
        target = self._at.get(endpoint)
        network = context.network
        if network.is_plain and not network.nats and not context.watches_packets:
            if target is not None:
                when = context.clock.now + network.default.latency.draw(context.rng)
                context.clock.at(when, self._deliver, target, data, node.endpoint, None)
            return
        self._carry(node, target, endpoint, data)

    def _carry(self, node: SimNode, target: SimNode | None, endpoint: Endpoint, data: bytes) -> None:
        """The slow path: links with faults, address translation, observers."""
        context, now, network = self._context, self._context.clock.now, self._context.network
        source = network.seen_as(now, node.id, node.endpoint, endpoint)
        if target is None or not network.lets_in(now, target.id, endpoint, source):
            passage = Passage("no-host", ())
        else:
            passage = network.carry(now, node.id, target.id, len(data), context.rng)
        packet = Packet(self.sent, now, node.id, target.id if target else "", endpoint, data, passage.fate)
        context.tell("sent", packet)
        if target is None:
            return
        if passage.fate == "corrupted":
            if not isinstance(data, bytes):
                return  # unframed messages have no bits to flip; a real packet could not be decoded
            data = _flip(data, context.rng.below(8 * len(data)))
        for delay in passage.delays:
            context.clock.at(now + delay, self._deliver, target, data, source, packet)

    def _deliver(self, node: SimNode, data: bytes, source: Endpoint, packet: Packet | None) -> None:
        """A packet reaches a host's socket."""
        clock = self._context.clock
        if node.state != "running":
            self._keep(node, data, source, packet)
        elif node.reader is not None or node.read_at > clock.now:
            # Late but in order, also for packets that arrived once the reader was fast again.
            late = node.reader.draw(self._context.rng) if node.reader is not None else 0.0
            node.read_at = max(node.read_at, clock.now + late)
            clock.at(node.read_at, self._read, node, node.life, data, source, packet)
        elif node.processor is not None:
            node.processor.serve(node.processor.packet, self._read, node, node.life, data, source, packet)
        else:
            self._read(node, node.life, data, source, packet)

    def _keep(self, node: SimNode, data: bytes, source: Endpoint, packet: Packet | None) -> None:
        """Keeps packets for a paused process, as many as fit in its socket's buffer; if it is gone, none."""
        if node.state == "paused" and node.backlog_bytes + len(data) <= _SOCKET_BUFFER_BYTES:
            node.backlog_bytes += len(data)
            node.backlog.append((self._read, (node, node.life, data, source, packet)))

    def _read(self, node: SimNode, life: int, data: bytes, source: Endpoint, packet: Packet | None) -> None:
        context = self._context
        if node.life != life:
            return
        if node.state != "running":
            self._keep(node, data, source, packet)
            return
        if node.blocked_until > context.clock.now:
            context.clock.at(node.blocked_until, self._read, node, life, data, source, packet)
            return
        context.current = node.id
        node.node.receive_packet(context.clock.now, data, source)
        if packet is not None:
            context.tell("received", node, packet)
        self._pump(node)


def _flip(data: bytes, bit: int) -> bytes:
    broken = bytearray(data)
    broken[bit >> 3] ^= 1 << (bit & 7)
    return bytes(broken)
