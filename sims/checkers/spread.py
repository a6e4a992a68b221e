"""Dissemination: every change is broadcast, within the transmit limit, in packets within their limit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker, PerLife
from sims.checkers.inside import is_held, is_queued, opened
from swim.addresses import Endpoint
from swim.config import Config
from swim.events import (
    Cause,
    Event,
    MemberAccused,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeaving,
    MemberLeft,
    MemberReaped,
    MemberRefuted,
)
from swim.serf.messages import KEY_QUERIES, JoinIntent, LeaveIntent, Query, UserEvent, decode_serf
from swim.wire.messages import Alive, Dead, Message, Suspect, User

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode
    from sims.world.observer import Packet

__all__ = ["NewsIsPassedOn", "PacketsFit", "TransmitsAreLimited", "transmit_limit"]

_KEPT_PER_MEMBER = 64
_ACCUSED_KEPT = 32
"""Names in a host's latest packets that may still be answered."""


class PacketsFit(Checker):
    """No packet is larger than the sender's ``udp_buffer_size``, label, encryption and CRC included."""

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        node = world.host(packet.source)
        budget = node.config.udp_buffer_size
        if len(packet.data) > budget:
            self.violated(world, node, f"a packet of {len(packet.data)} bytes, over {budget}")


def transmit_limit(config: Config, n: int) -> int:
    """How often a node sends one broadcast among ``n`` (SWIM, section 4.1; memberlist's constants)."""
    return config.retransmit_mult * math.ceil(math.log10(n + 1))


class _Words(NamedTuple):
    """What was sent, to recognise it when it is sent again."""

    kind: str
    said: object


class _Told:
    """What one node has sent, by subject."""

    __slots__ = ("about", "accused", "accusers", "found_out", "fresh", "largest", "returns")

    def __init__(self) -> None:
        self.about: dict[str, Counter[_Words]] = {}
        self.accused: dict[str, list[str]] = {}
        self.accusers: dict[str, str] = {}
        self.found_out: set[str] = set()
        self.fresh: list[tuple[str, _Words]] = []
        self.largest = 1
        self.returns: Counter[str] = Counter()

    def may_accuse_again(self, name: str) -> None:
        """A suspicion is over: a claim that confirmed it under a newer incarnation may begin the next one."""
        counts = self.about.get(name, Counter())
        self.about[name] = Counter({words: n for words, n in counts.items() if words.kind != "suspect"})

    def accused_by(self, host: str) -> list[str]:
        """The members that this host accused recently; "" means a host that has moved, any of all."""
        if host:
            return self.accused.get(host, [])
        return [name for names in self.accused.values() for name in names]


class TransmitsAreLimited(Checker):
    """A node sends each claim and intent at most as often as the transmit limit for its largest table.

    Answers do not count as gossip: the accusation sent to the accused itself, the answer to a stale
    accusation or a stale alive claim, the node's own leave, key queries and deaths that it found out by
    refused streams (sent directly to many), and packets to members held dead. All claims about a member that
    came back, or was forgotten, may be sent once more.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._lives = PerLife(_Told)
        self._names_at: dict[Endpoint, set[str]] = {}

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        if kind in ("add", "restart"):
            node = world.nodes[str(detail["node"])]
            self._names_at.setdefault(node.endpoint, set()).add(node.name)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberEvent) and event.reason.cause is Cause.REFUSED:
            self._lives.of(node).found_out.add(event.member.name)
        elif isinstance(event, MemberEvent) and not isinstance(event, MemberReaped):
            self._lives.of(node).found_out.discard(event.member.name)
        if isinstance(event, MemberReaped) or (
            isinstance(event, MemberJoined) and event.previous is not None
        ):
            self._lives.of(node).returns[event.member.name] += 1
        elif isinstance(event, MemberRefuted):
            self._lives.of(node).may_accuse_again(event.member.name)

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        accused = [m.node for m in opened(node, packet.data) if isinstance(m, Suspect | Dead | Alive)]
        received = self._lives.of(node).accused
        received[packet.source] = [*received.get(packet.source, ()), *accused][-_ACCUSED_KEPT:]

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        node = world.host(packet.source)
        target = node.inspect().table.at(packet.endpoint)
        if node.blocked_until >= world.now or target is None or not target.is_live:
            return  # it waited on this host, or goes to a member held dead, or to an unknown address
        if target.changed_at == world.now:
            return  # the member may have been held dead when this was made
        if len(self._names_at.get(packet.endpoint, ())) > 1:
            return  # it may be for an earlier, dead member of that address
        life = self._lives.of(node)
        for message in opened(node, packet.data):
            key = self._gossip(node, message)
            if key is None:
                continue
            if isinstance(message, Suspect | Dead) and target.name == key[0]:
                continue
            if isinstance(message, Alive) and (
                key[0] in life.accused_by(packet.target) or life.accusers.get(key[0]) == target.name
            ):
                continue
            life.fresh.append(key)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        life = self._lives.of(node)
        inside = node.inspect()
        # A push/pull accuses, too, and is answered later.
        life.accusers = {name: held.origin for name, held in inside.accused.items()}
        life.largest = max(life.largest, len(inside.table), len(inside.roster))
        if life.fresh:
            limit = transmit_limit(node.config, life.largest)
            for name, claim in life.fresh:
                if claim.kind == "dead" and name in life.found_out:
                    continue
                counts = life.about.setdefault(name, Counter())
                self._count(world, node, counts, claim, limit * (1 + life.returns[name]))
            life.fresh.clear()

    def _count(self, world: World, node: SimNode, counts: Counter[_Words], claim: _Words, limit: int) -> None:
        counts[claim] += 1
        if counts[claim] > limit:
            self.violated(world, node, f"{claim.said} was sent more than {limit} times")
        if len(counts) > _KEPT_PER_MEMBER:
            counts.clear()

    @staticmethod
    def _gossip(node: SimNode, message: Message) -> tuple[str, _Words] | None:
        """The subject, and what distinguishes the message from others about the same subject."""
        match message:
            case Alive():
                return message.node, _Words("alive", (message.node, message.incarnation))
            case Suspect():
                return message.node, _Words("suspect", message)
            case Dead() if message.node != node.name:
                return message.node, _Words("dead", message)
            case User(body):
                return _intent(node, body)
        return None


def _intent(node: SimNode, body: bytes) -> tuple[str, _Words] | None:
    inside = node.inspect()
    if not inside.speaks_serf:
        return None
    match decode_serf(body):
        case (JoinIntent() | LeaveIntent()) as intent:
            own_leave = isinstance(intent, LeaveIntent) and intent.node == node.name
            # An intent about an unknown member is kept only for a while, and is new again after that.
            if own_leave or inside.roster.get(intent.node) is None:
                return None
            return intent.node, _Words("intent", intent)
        case Query() as query if query.name in KEY_QUERIES and query.source_node == node.name:
            return None
        case UserEvent() | Query():
            return "", _Words("other", body)
    return None


def _no_news() -> dict[str, MemberEvent]:
    return {}


class NewsIsPassedOn(Checker):
    """A claim that a node applies is queued at the end of the step, or has been sent often enough.

    A claim about an unknown member may be held until the member acks a ping. Claims that a newcomer takes
    over from the peer that it joined are exempt: the other members know them.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._news = PerLife(_no_news)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberEvent) and not isinstance(event, MemberAccused):
            self._news.of(node)[event.member.name] = event

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        news = self._news.of(node)
        if news:
            for name, event in news.items():
                self._look(world, node, name, event)
            news.clear()

    def _look(self, world: World, node: SimNode, name: str, event: MemberEvent) -> None:
        record, own = node.inspect().table.get(name), name == node.name
        if record is None or (own and isinstance(event, MemberJoined)):
            return
        if isinstance(event, MemberLeaving):
            lone = not node.inspect().has_peers
            is_learnt = event.reason.cause == "push-pull" or lone or not node.inspect().speaks_serf
            is_passed_on = is_learnt or is_queued(node, name, intent=True)
        elif isinstance(event, MemberJoined) and event.reason.cause == "push-pull" and not record.verified:
            is_passed_on = is_held(node, name) or node.inspect().is_newcomer(world.now)
        elif self._is_news(world, event, record.changed_at):
            is_passed_on = is_queued(node, name) or is_held(node, name)
        else:
            return
        if not is_passed_on:
            self.violated(world, node, f"{type(event).__name__} about {name} is not passed on")

    @staticmethod
    def _is_news(world: World, event: MemberEvent, changed_at: float) -> bool:
        if isinstance(event, MemberJoined | MemberFailed | MemberLeft):
            return changed_at == world.now  # else the core knew it before, or does not know it
        before = event.previous
        raised = before is not None and event.member.incarnation > before.incarnation
        turned = before is not None and event.member.is_suspect and not before.is_suspect
        return raised or turned
