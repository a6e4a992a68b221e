"""The effects of an ack: a relay passes it on to the requester, and it disproves an accusation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers import inside
from sims.checkers.base import Checker, PerLife
from swim.core.member import pack_address
from swim.events import Event, MemberEvent, MemberFailed
from swim.wire.messages import Ack, Dead, IndirectPing, Nack, Ping

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode
    from sims.world.observer import Packet

__all__ = ["DisprovedClaimsDoNothing", "RelayedAcksReturn"]


class _Request(NamedTuple):
    asker: str
    seq_no: int
    until: float
    sent_at: float


class _Relay:
    """One node's pings for others: requested in this step, outstanding by sequence number, acks due now."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, _Request]] = []
        self.under_way: dict[int, _Request] = {}
        self.due: list[_Request] = []


class RelayedAcksReturn(Checker):
    """An ack that a relay gets in time goes to the requester of the ping, in the same step."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._relays = PerLife(_Relay)
        self._translated_at: dict[object, float] = {}

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        if kind == "nat":
            self._translated_at[detail["node"]] = world.now

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        relay = self._relays.of(node)
        for message in inside.read(node, packet):
            if isinstance(message, IndirectPing):
                until = world.now + node.config.probe_timeout
                request = _Request(packet.source, message.seq_no, until, packet.sent_at)
                relay.asked.append((message.node, message.target, request))
            elif isinstance(message, Ack) and relay.under_way:
                found = relay.under_way.pop(message.seq_no, None)
                if found is not None and world.now < found.until:
                    relay.due.append(found)

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        relay = self._relays.of(world.host(packet.source))
        if not relay.asked and not relay.due:
            return
        messages = inside.opened(world.host(packet.source), packet.data)
        accused = {message.node for message in messages if isinstance(message, Dead)}
        for message in messages:
            if isinstance(message, Nack):  # it refuses
                relay.asked = [asked for asked in relay.asked if asked[2].seq_no != message.seq_no]
            elif isinstance(message, Ping) and message.node not in accused:  # else it verifies
                for asked in relay.asked:
                    if asked[:2] == (message.node, pack_address(packet.endpoint[0])):
                        relay.under_way[message.seq_no] = asked[2]
                        relay.asked.remove(asked)
                        break
            elif isinstance(message, Ack):
                relay.due = [r for r in relay.due if (r.asker, r.seq_no) != (packet.target, message.seq_no)]

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        relay = self._relays.of(node)
        if relay.due and node.is_up and node.blocked_until <= world.now and node.processor is None:
            request = relay.due[0]
            asker, translated_at = world.host(request.asker), self._translated_at.get(request.asker, -1.0)
            # Otherwise it may have another address now.
            stayed = asker.is_up and max(asker.since, translated_at) <= request.sent_at
            if stayed and request.asker not in world.network.nats:
                self.violated(world, node, f"the ack of a ping for {request.asker} did not go there")
        relay.due.clear()
        relay.asked.clear()


class _Doubt:
    """One node's check of a death claim: the ping that decides it, and whether it was acked."""

    __slots__ = ("is_disproved", "seq_no", "until")

    def __init__(self, until: float) -> None:
        self.seq_no = 0
        self.until = until
        self.is_disproved = False


def _no_doubts() -> dict[str, _Doubt]:
    return {}


class DisprovedClaimsDoNothing(Checker):
    """A death claim is not believed once the accused has acked the ping that was sent to check it."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._doubts = PerLife(_no_doubts)

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        doubts = self._doubts.of(node)
        if packet.fate == "corrupted":
            doubts.clear()  # it may have contained anything
        for message in inside.read(node, packet):
            if isinstance(message, Dead) and message.node != node.name:
                running = doubts.get(message.node)
                if running is None or running.is_disproved or world.now > running.until:
                    doubts[message.node] = _Doubt(world.now + node.config.probe_timeout)
            elif isinstance(message, Ack) and doubts:
                for doubt in doubts.values():
                    doubt.is_disproved |= doubt.seq_no == message.seq_no

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        doubts = self._doubts.of(world.host(packet.source))
        if not doubts:
            return
        for message in inside.opened(world.host(packet.source), packet.data):
            if isinstance(message, Ping) and message.node in doubts and not doubts[message.node].seq_no:
                doubts[message.node].seq_no = message.seq_no

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        doubt = self._doubts.of(node).pop(event.member.name, None)
        if doubt is None or not isinstance(event, MemberFailed):
            return
        if doubt.is_disproved and event.reason.cause != "suspicion-expired":
            problem = f"{event.member.name} acked the ping that checked a death claim, which is believed"
            self.violated(world, node, problem)
