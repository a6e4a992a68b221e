"""The Serf layer: the core's delegate. Tags, intents, status, push/pull state, relayed events and queries.

With ``delegate_version`` 0 it only keeps the roster, and neither writes nor reads Serf messages: a plain
memberlist member, as in an Alertmanager cluster.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from swim.addresses import Endpoint
from swim.commands import (
    BroadcastMessage,
    ForceLeave,
    Respond,
    SendMessage,
    SendQuery,
    SendUserEvent,
    SetTags,
    UpdateTags,
)
from swim.config import Config
from swim.core.delegate import Delegate
from swim.core.engine import Engine
from swim.core.member import Record
from swim.core.output import Finished
from swim.errors import LocalError, RemoteError
from swim.events import ForceLeaveOutcome, MemberStatus, Reason
from swim.keyrings import InstallKey, KeyCommand, ListKeys, RemoveKey, UseKey
from swim.serf.coordinates import Coordinates
from swim.serf.exchange import StateExchange
from swim.serf.keys import KeyCommands, KeyQueries
from swim.serf.lamport import LamportClock
from swim.serf.member_list import Roster
from swim.serf.members import Members
from swim.serf.messages import (
    JoinIntent,
    LeaveIntent,
    Query,
    QueryResponse,
    Relayed,
    SerfMessage,
    UserEvent,
    decode_serf,
    encode_serf,
)
from swim.serf.name_conflict import Conflicts
from swim.serf.queries import QUERIES_SINCE, Queries
from swim.serf.queues import SerfQueues
from swim.serf.shared_view import BaseView
from swim.serf.snapshot import Snapshot
from swim.serf.tags import encode_tags
from swim.serf.user_events import UserEvents
from swim.serf.user_messages import UserMessages
from swim.text import shown
from swim.wire.messages import Alive
from swim.wire.steps import Steps

__all__ = ["LayerCommand", "SerfDelegate"]

logger: logging.Logger = logging.getLogger("swim.serf")

LayerCommand = (
    ForceLeave
    | SetTags
    | UpdateTags
    | SendUserEvent
    | SendQuery
    | Respond
    | SendMessage
    | BroadcastMessage
    | KeyCommand
)
"""The commands that this layer carries out."""
_NAMES: dict[type, str] = {
    SendMessage: "a message",
    BroadcastMessage: "a broadcast",
    ForceLeave: "force-leave",
    SendUserEvent: "a user event",
    SendQuery: "a query",
    Respond: "an answer to a query",
    **dict.fromkeys((InstallKey, UseKey, RemoveKey, ListKeys), "a key command"),
}
_FOR_ANY_POOL = (SendMessage, BroadcastMessage)
_JOIN_LEAP = 16
"""How far ahead of the clock this node's joins are stamped.

Serf adds 1 to the stamp of a member listed as left with every push/pull, even to a stamp from a newer join.
If the result equals the stamp of a join that a peer has not received yet, the peer shows the member as
leaving, drops the join as stale, and spreads a stamp that looks right to all. The distance keeps the two
apart.
"""


class SerfDelegate(Delegate):
    """Implements ``Delegate``: everything Serf adds to one node's memberlist."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self._engine = engine
        self._config = config
        self.speaks_serf: bool = config.delegate_version > 0
        self._tags = config.tags
        self._meta = self._encode(config.tags)
        self.roster: Roster = Roster(
            history_size=config.history_size, speaks_serf=self.speaks_serf, metrics=engine.context.metrics
        )
        self._members = Members(engine, self.roster, config)
        self._members.refute = self._refute
        self._members.send_prune = self._send_prune
        self.clock: LamportClock = LamportClock()
        self.queues: SerfQueues = SerfQueues(engine)
        self.events: UserEvents = UserEvents(engine, self.roster, self.queues)
        self.queries: Queries = Queries(engine, self.roster, self.queues)
        self.coordinates: Coordinates | None = None
        if self.speaks_serf and not config.disable_coordinates:
            self.coordinates = Coordinates(config.name, engine.context.metrics)
            self.roster.erased.append(self.coordinates.forget)
        self.keys: KeyQueries = KeyQueries(engine, self.queries)
        self._key_commands = KeyCommands(engine, self.roster, self.queries)
        self._messages = UserMessages(engine, self.roster, self.queues, self.queries)
        resolves = config.enable_name_conflict_resolution and config.delegate_version >= QUERIES_SINCE
        self._conflicts = Conflicts(engine, self.queries, resolves=resolves)
        self._exchange = StateExchange(
            engine.context,
            clocks=(self.clock, self.events.clock, self.queries.clock),
            roster=self.roster,
            members=self._members,
            events=self.events,
        )

    @property
    def kept_intents(self) -> int:
        """Intents kept about members that are not listed."""
        return len(self._members.intents)

    # -- commands

    def do(self, now: float, command: LayerCommand) -> int:
        """Begins a command of this layer; returns its ticket. Raises as ``Node.do`` does."""
        if isinstance(command, (SetTags, UpdateTags)):
            tags = command.tags if isinstance(command, SetTags) else command.applied_to(self._tags)
            meta = self._encode(tags)
            ticket = self._engine.update(now, meta)
            self._tags, self._meta = tags, meta
            return ticket
        self._require(type(command))
        match command:
            case SendMessage():
                return self._messages.send(now, command)
            case BroadcastMessage():
                self._messages.broadcast(now, command)
            case ForceLeave():
                return self._force_leave(now, command)
            case InstallKey() | UseKey() | RemoveKey() | ListKeys():
                return self._key_commands.do(now, command)
            case SendQuery():
                return self.queries.send(now, command)
            case SendUserEvent():
                self.events.send(now, command)
            case Respond(query, payload):
                return self.queries.respond(now, query, payload)
        ticket = self._engine.ticket()
        self._engine.context.output.finished.append(Finished(ticket, None))
        return ticket

    def restore(self, snapshot: Snapshot) -> None:
        """Restores the clocks of the last run; its events are not delivered again (Serf's eventMinTime)."""
        self.clock.witness(snapshot.clock)
        for part, last in ((self.events, snapshot.event_clock), (self.queries, snapshot.query_clock)):
            part.clock.witness(last)
            if last:
                part.ignore_before(last + 1)

    def start_from(self, view: BaseView) -> None:
        """Lists the members of a cluster that the node already belongs to, with their stamps."""
        self.roster.start_from(view.roster)
        self.clock.witness(view.ltime)

    def restarted(self, now: float) -> None:
        """The node came back after a leave, as the same object."""
        local = self._engine.context.local
        self._members.joined(now, local, Reason("local", detail="rejoin"))

    # -- the core's delegate: members

    def meta(self) -> bytes | None:
        """The local metadata."""
        return self._meta

    def allow_alive(self, claim: Alive) -> bool:
        """Refuses names that Serf refuses when configured to validate them."""
        return not self._config.validate_node_names or all(
            char.isascii() and (char.isalnum() or char in "-.") for char in claim.node
        )

    def objection(self, name: str, meta: bytes | None, vsn: bytes) -> str:
        """What ``Config.merge_policy`` says."""
        policy = self._config.merge_policy
        if policy is None:
            return ""
        vsn = vsn.ljust(6, b"\0")  # a peer's record may have fewer
        return policy.objection(name, self.roster.tags(meta), vsn[2], vsn[5])

    def member_joined(self, now: float, record: Record, reason: Reason) -> None:
        """See ``Delegate``."""
        self._members.joined(now, record, reason)

    def member_refreshed(self, now: float, record: Record, previous: Record, reason: Reason) -> None:
        """See ``Delegate``."""
        is_changed = (record.meta or b"") != (previous.meta or b"")
        self._members.refreshed(now, record, reason, is_changed=is_changed)

    def member_suspected(self, now: float, record: Record, reason: Reason) -> None:
        """See ``Delegate``."""
        self._members.suspected(now, record, reason)

    def member_accused(self, now: float, record: Record, reason: Reason) -> None:
        """See ``Delegate``."""
        self._members.accused(now, record, reason)

    def member_gone(self, now: float, record: Record, reason: Reason) -> None:
        """See ``Delegate``."""
        self._members.gone(now, record, reason)

    def member_conflict(self, now: float, record: Record, claim: Alive) -> None:
        """See ``Delegate``."""
        self._conflicts.noticed(now, record, claim)

    def ack_payload(self) -> bytes | None:
        """This node's coordinate."""
        return None if self.coordinates is None else self.coordinates.payload()

    def ping_completed(self, record: Record, rtt: float, payload: bytes | None) -> None:
        """Takes the coordinate of a member that is listed."""
        if payload and self.coordinates is not None and self.roster.get(record.name) is not None:
            self.coordinates.acked(record.name, rtt, payload)

    # -- the core's delegate: messages

    def user_message(self, now: float, body: bytes, source: Endpoint | None) -> None:
        """Handles a Serf message; a new one is passed on unchanged, including unknown fields.

        In a plain memberlist pool it is another program's message, for the application.
        """
        if not self.speaks_serf:
            self._take_plain(now, body, source)
            return
        self._engine.context.metrics.sample(now, "serf.msgs.received", len(body))
        try:
            message = decode_serf(body, self._engine.context.elements)
            if self._handle(now, message, source):
                self.queues.pass_on(now, message, body, source)
        except RemoteError as error:
            self._engine.context.metrics.dropped(error.reason)

    def message(self, source: str, payload: bytes, *, is_broadcast: bool) -> None:
        """See ``Delegate``."""
        self._messages.hand_out(source, payload, is_broadcast=is_broadcast)

    def broadcasts(
        self, now: float, room: int, overhead: int, *, most: int, target: Record | None
    ) -> list[bytes]:
        """See ``Delegate``."""
        return self.queues.take(now, room, overhead, most=most, target=target)

    def cluster_resized(self, now: float, n: int) -> None:
        """Adapts the transmit limits. Serf counts all its members, including failed and left ones."""
        self.queues.resize(now, max(n, len(self.roster)))

    # -- the core's delegate: push/pull, join and leave

    def local_state(self, join: bool) -> Steps[bytes]:
        """See ``Delegate``."""
        return (yield from self._exchange.local_state()) if self.speaks_serf else b""

    def merge_state(
        self, clock: Callable[[], float], state: bytes, *, peer: str, replay: bool
    ) -> Steps[None]:
        """See ``Delegate``."""
        if self.speaks_serf:
            yield from self._exchange.merge(clock, state, peer=peer, replay=replay)

    def announce_join(self, now: float) -> None:
        """Broadcasts that this node joined, with the clock that the push/pull brought up to date."""
        if self.speaks_serf and self._engine.context.status == "running":
            self._send_join(now)

    def announce_leave(self, now: float) -> list[bytes]:
        """Marks the local member as leaving and queues the intent."""
        intent = LeaveIntent(self.clock.stamp(), self._config.name)
        self._members.leave_intent(now, intent, Reason("local", self._config.name, "leave"))
        if not self.speaks_serf:
            return []
        self.queues.intent(now, intent)
        return [encode_serf(intent)]

    # -- details

    def _require(self, kind: type) -> None:
        what = _NAMES[kind]
        if self._engine.context.status != "running":
            raise LocalError(f"{what} is not possible after leaving")
        if not self.speaks_serf and kind not in _FOR_ANY_POOL:
            raise LocalError(f"{what} needs the Serf layer; this pool is plain memberlist")

    def _force_leave(self, now: float, command: ForceLeave) -> int:
        ticket = self._engine.ticket()
        outcome = self._declare_left(now, command.name, ticket, prune=command.prune)
        self._engine.wait(now, ticket, outcome)
        if outcome is ForceLeaveOutcome.UNKNOWN:
            self._engine.finish(ticket)  # nothing was sent
        return ticket

    def _declare_left(self, now: float, name: str, ticket: int, *, prune: bool) -> ForceLeaveOutcome:
        """Declares on a member's behalf that it leaves; returns which case applied.

        The prune of a member that is alive waits until the member is gone from this view: Serf peers would
        hide it although it answers. For a name that is not listed, nothing is sent: peers would keep the
        intent for a later member of that name.
        """
        entry = self.roster.get(name)
        if entry is None:
            logger.warning("force-leave of %s, which is not a member", shown(name))
            return ForceLeaveOutcome.UNKNOWN
        outcome = {
            MemberStatus.FAILED: ForceLeaveOutcome.LEFT,
            MemberStatus.LEFT: ForceLeaveOutcome.ALREADY_LEFT,
        }.get(entry.status, ForceLeaveOutcome.REFUTED)
        if name == self._config.name:
            self._send_join(now, ticket=ticket)  # refuted before it was sent
            return outcome
        is_gone = outcome is not ForceLeaveOutcome.REFUTED
        intent = LeaveIntent(self.clock.stamp(), name, prune and is_gone)
        self._members.leave_intent(now, intent, Reason("operator", self._config.name, "force-leave"))
        self.queues.intent(now, intent, ticket=ticket)
        if not prune:
            return outcome
        if is_gone:
            return ForceLeaveOutcome.PRUNED
        self._members.prune_later(name)
        return outcome

    def _handle(self, now: float, message: SerfMessage, source: Endpoint | None) -> bool:
        match message:
            case JoinIntent():
                return self._witness(message.ltime) and self._members.join_intent(
                    now, message, Reason("intent", message.node)
                )
            case LeaveIntent():
                return self._witness(message.ltime) and self._members.leave_intent(
                    now, message, Reason("intent", detail="leave intent")
                )
            case UserEvent():
                is_new = self.events.receive(*message)
                if is_new and self.events.wants_push_pull():
                    self._engine.push_pull(now)
                return is_new
            case Query():
                return self.queries.receive(now, message, source)
            case QueryResponse():
                self.queries.channels.receive(now, message, source)
            case Relayed():
                self.queries.answers.pass_on(message)
        return False

    def _witness(self, ltime: int) -> bool:
        if self.clock.is_absurd(ltime):
            self._engine.context.metrics.dropped("absurd-ltime")
            return False
        self.clock.witness(ltime)
        return True

    def _take_plain(self, now: float, body: bytes, source: Endpoint | None) -> None:
        name = self._engine.context.endpoint_name(source) if source is not None else ""
        if self._engine.messages.admits(now, source[0] if source is not None else "", len(body)):
            self._messages.hand_out(name, body, is_broadcast=False)

    def _refute(self, now: float, ltime: int) -> None:
        """A peer holds a stamp about this node above its own: a leave by mistake, or from an earlier run."""
        if not self.clock.is_absurd(ltime):
            self.clock.witness(ltime)
            self._engine.context.metrics.count("swim.refutations")
            self._send_join(now)

    def _send_prune(self, now: float, name: str) -> None:
        """Sends the prune of a member that was alive when it was pruned and is gone now."""
        intent = LeaveIntent(self.clock.stamp(), name, True)
        self._members.leave_intent(now, intent, Reason("operator", self._config.name, "force-leave"))
        self.queues.intent(now, intent)

    def _send_join(self, now: float, *, ticket: int | None = None) -> None:
        intent = JoinIntent(self.clock.stamp(ahead=_JOIN_LEAP), self._config.name)
        self._members.join_intent(now, intent, Reason("local", self._config.name))
        self.queues.intent(now, intent, ticket=ticket)

    def _encode(self, tags: Mapping[str, str]) -> bytes | None:
        if not self.speaks_serf:
            return None
        return encode_tags(tags, delegate_version=self._config.delegate_version)
