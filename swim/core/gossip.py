"""Outgoing packets: what is piggybacked on them, and the gossip rounds that spread queued broadcasts.

memberlist gossips every ``gossip_interval``, busy or not. Here a round is due only while something is queued.
The first one starts a few milliseconds after a fresh broadcast, later ones at least one interval apart.
"""

from __future__ import annotations

from swim.addresses import Endpoint
from swim.core.broadcast import BroadcastQueue, Priority
from swim.core.context import Context
from swim.core.member import Record
from swim.core.output import Transmit
from swim.core.timers import TimerKind
from swim.wire.messages import MessageType

__all__ = ["GOSSIP_ROUNDS", "Gossip"]

GOSSIP_ROUNDS = "swim.gossip-rounds"
"""The counter of gossip rounds, by which drivers find out what took them time."""
_CRC_BYTES = 5
_COMPOUND_HEADER_BYTES = 2
_PART_BYTES = 2
_PARTS_MAX = 127
_CRC_SINCE_PROTOCOL = 5
_QUICK_ROUNDS = 2
_QUICKER = 0.5
_USER = bytes([MessageType.USER])


class Gossip:
    """Seals packets and spreads the queued broadcasts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last_round = float("-inf")
        self._gauged_at = float("-inf")
        self._armed: float | None = None
        self._quick_rounds = 0
        self._next_round = context.timers.kind(TimerKind.GOSSIP, self._round, lambda at: at == self._armed)

    def poke(self, now: float) -> None:
        """Schedules a gossip round if something is queued."""
        config = self._context.config
        if self._armed is not None or not config.gossip_interval or not config.gossip_nodes:
            return
        if not self._context.has_peers or not self._context.backlog.waiting:
            return
        delay = config.eager_gossip_delay
        first = now + (delay if delay >= 0 else config.gossip_interval)
        interval = config.gossip_interval * (_QUICKER if self._quick_rounds and delay >= 0 else 1.0)
        self._armed = max(first, self._last_round + interval)
        self._context.timers.at(self._armed, self._next_round, self._armed)

    def queue(
        self,
        now: float,
        queue: BroadcastQueue,
        name: str,
        message: bytes,
        *,
        priority: Priority = Priority.OTHER,
        origin: str = "",
        ticket: int | None = None,
        overhead: int = 0,
        is_quick: bool = False,
    ) -> None:
        """Queues a broadcast in one of the node's queues and makes sure that a round is due.

        A message that fits no packet is not queued, since it would stay for ever: it is counted, and
        ``ticket`` is finished. ``overhead`` is the number of bytes that are still added to ``message``. After
        one that ``is_quick``, two rounds follow at half the interval; it is not sent more often.
        """
        context = self._context
        if not self.fits(len(message) + overhead):
            context.metrics.dropped("broadcast-size")
            queue.discard(name)
            if ticket is not None:
                context.backlog.finished.append(ticket)
            return
        dropped = queue.queue(name, message, priority=priority, origin=origin, ticket=ticket)
        if dropped:
            context.metrics.dropped("queue-full", dropped)
        if is_quick:
            self._quick_rounds = _QUICK_ROUNDS
        self.poke(now)

    def send(self, now: float, endpoint: Endpoint, parts: list[bytes], *, record: Record | None) -> int:
        """Sends messages in one packet, with as many queued broadcasts as fit beside them.

        Args:
            now: seconds.
            endpoint: where to.
            parts: whole messages, with their type bytes.
            record: the receiving member, if it is known by name; broadcasts are for members only.

        Returns:
            The packet's size, bytes.
        """
        if record is not None and self._context.backlog.waiting:
            room = self._room() - sum(len(part) + _PART_BYTES for part in parts)
            parts = parts + self._fill(now, room, _PARTS_MAX - len(parts), record)
        return self.send_exactly(endpoint, parts, record=record)

    def answer(
        self, now: float, host: str, endpoint: Endpoint, parts: list[bytes], *, record: Record | None
    ) -> None:
        """Sends messages in answer to a packet from ``host``.

        Broadcasts are piggybacked for members only, within the allowances of that host and of the receiver.
        """
        context = self._context
        if record is None or not context.backlog.waiting or not context.allowance.has(now, host, endpoint[0]):
            self.send_exactly(endpoint, parts, record=record)
            return
        size = self.send(now, endpoint, parts, record=record)
        context.allowance.spend(now, size, host, endpoint[0])

    def send_exactly(self, endpoint: Endpoint, parts: list[bytes], *, record: Record | None) -> int:
        """Sends just these messages in one packet, with a CRC if the receiver is known to read it.

        Returns:
            The packet's size, bytes.
        """
        context = self._context
        crc = record is not None and record.protocol_max >= _CRC_SINCE_PROTOCOL
        data = context.packets.seal(parts, crc=crc)
        size = len(data)
        counters = context.metrics.counters
        counters["swim.packets.sent"] += 1
        counters["memberlist.udp.sent"] += size
        context.output.transmits.append(Transmit(endpoint, data))
        return size

    def tell(self, now: float, parts: list[bytes], most: int) -> None:
        """Sends messages directly to up to ``most`` random live members, without waiting for a round."""
        for record in self._context.table.pick(most, self._is_live_peer):
            self.send_exactly(record.endpoint, parts, record=record)

    def fits(self, size: int) -> bool:
        """Whether a broadcast of ``size`` bytes, its type byte included, fits a packet."""
        return size + _PART_BYTES <= self._room()

    def _room(self) -> int:
        context = self._context
        return context.config.udp_buffer_size - context.packets.overhead - _CRC_BYTES - _COMPOUND_HEADER_BYTES

    def _fill(self, now: float, room: int, most: int, target: Record, *, exclude: bool = True) -> list[bytes]:
        """Queued broadcasts for one packet: the core's first, then the layer above's."""
        context = self._context
        charge = target.is_live
        name = target.name if exclude else ""
        parts = context.queue.take(now, room, _PART_BYTES, most=most, exclude=name, charge=charge)
        room -= sum(map(len, parts)) + _PART_BYTES * len(parts)
        if charge and len(parts) < most and context.backlog.waiting > len(context.queue):
            bodies = context.delegate.broadcasts(
                now, room, _PART_BYTES + 1, most=most - len(parts), target=target if exclude else None
            )
            parts += [_USER + body for body in bodies]
        return parts

    def _round(self, now: float, _deadline: float) -> None:
        context = self._context
        self._armed = None
        self._last_round = now
        self._quick_rounds = max(0, self._quick_rounds - 1)
        self._gauge(now)
        if not context.has_peers:
            return
        context.metrics.count(GOSSIP_ROUNDS)
        targets = context.table.pick(
            context.config.gossip_nodes, lambda record: self._is_target(now, record), dead=True
        )
        is_alone = context.table.live - context.local.is_live == 1
        for target in targets:
            # The only live peer receives even its own broadcasts again, or the queue would never empty.
            parts = self._fill(now, self._room(), _PARTS_MAX, target, exclude=not is_alone)
            if parts:
                self.send_exactly(target.endpoint, parts, record=target)
        self.poke(now)

    def _gauge(self, now: float) -> None:
        interval = self._context.config.queue_check_interval
        if interval and now - self._gauged_at >= interval:
            self._gauged_at = now
            self._context.metrics.gauge("memberlist.queue.broadcasts", len(self._context.queue))

    def _is_target(self, now: float, record: Record) -> bool:
        if record.is_live:
            return record is not self._context.local
        return record.verified and now - record.changed_at < self._context.config.gossip_to_the_dead_time

    def _is_live_peer(self, record: Record) -> bool:
        return record.is_live and record is not self._context.local
