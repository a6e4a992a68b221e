"""Messages of applications: to one member, which the core carries, and to all.

In a Serf pool, a broadcast is a query that is addressed to no node (``query_filters.TO_NO_NODE``). Serf
agents pass such a query on, once each, without a warning and without showing it to their applications.
"""

from __future__ import annotations

from swim import events
from swim.commands import BroadcastMessage, SendMessage
from swim.core.engine import Engine
from swim.core.output import Finished
from swim.core.user_messages import WAITING_MAX
from swim.errors import ConfigError, DeliveryError, LocalError
from swim.events import MemberStatus
from swim.serf.member_list import Roster
from swim.serf.messages import encode_serf
from swim.serf.queries import BROADCAST_NAME, Queries
from swim.serf.query_filters import TO_NO_NODE
from swim.serf.queues import SerfQueues
from swim.text import shown

__all__ = ["UserMessages"]


class UserMessages:
    """Begins the commands about messages, and hands out what arrives."""

    def __init__(self, engine: Engine, roster: Roster, queues: SerfQueues, queries: Queries) -> None:
        self._engine = engine
        self._context = engine.context
        self._roster = roster
        self._queues = queues
        self._queries = queries
        queries.hand_out_message = self.hand_out
        self._speaks_serf = engine.context.config.delegate_version > 0

    def send(self, now: float, command: SendMessage) -> int:
        """Begins to send a message to one member.

        Raises:
            DeliveryError: the member is not listed, or its life is over.
            LocalError: too many are under way.
        """
        member, name = command.member, shown(command.member.name)
        entry = self._roster.get(member.name)
        if entry is None:
            raise DeliveryError(name, "unknown", "no member has this name")
        if entry.status in (MemberStatus.FAILED, MemberStatus.LEFT):
            raise DeliveryError(name, entry.status.value, f"the member has {entry.status}")
        ticket = self._engine.ticket()
        if member.name != self._context.local.name:
            self._engine.messages.send(now, ticket, member, command.payload)
            return ticket
        if not self._engine.messages.is_own_life(member.incarnation):
            raise DeliveryError(name, "restarted", "that is an earlier run of this node")
        self.hand_out(member.name, command.payload, is_broadcast=False)
        self._context.output.finished.append(Finished(ticket, None))
        return ticket

    def broadcast(self, now: float, command: BroadcastMessage) -> None:
        """Sends a message to all members, this node included.

        Raises:
            ConfigError: naming ``payload``: it is larger than ``broadcast_size_limit``, or fits no packet.
            LocalError: too many wait to be sent.
        """
        payload, limit = command.payload, self._context.config.broadcast_size_limit
        if len(payload) > limit:
            reason = f"is {len(payload)} bytes, more than broadcast_size_limit ({limit}) allows"
            raise ConfigError("payload", reason)
        if not self._speaks_serf:
            if not self._engine.messages.fits(payload):
                raise ConfigError("payload", f"is {len(payload)} bytes and fits no packet (udp_buffer_size)")
            self._engine.messages.broadcast(now, payload)
            return
        if len(self._queues.queries) >= WAITING_MAX:
            raise LocalError(f"{len(self._queues.queries)} broadcasts and queries wait to be sent already")
        query = self._queries.made(BROADCAST_NAME, payload, filters=(TO_NO_NODE,))
        body = encode_serf(query)
        self._queues.check_size("broadcast", body, len(body), "broadcast_size_limit")
        self._queries.receive(now, query, None)
        self._queues.query(now, body)

    def hand_out(self, source: str, payload: bytes, *, is_broadcast: bool = True) -> None:
        """Gives the application a message."""
        self._context.metrics.count("swim.messages.received")
        self._roster.hand_out(events.UserMessage(source, payload, is_broadcast))
