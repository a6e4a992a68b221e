"""Push/pull: the own state out, a peer's state merged (memberlist's pushPullNode and mergeState)."""

from __future__ import annotations

from swim.core.claims import Claims, Source
from swim.core.member import State, endpoint_of
from swim.core.output import Endpoint
from swim.core.shared import Shared, logger
from swim.core.streams import Departing, Periodic, Purpose, Streams
from swim.core.versions import Versions, version_conflict
from swim.wire.codec import encode
from swim.wire.messages import Alive, Dead, NodeRecord, PushPull, Suspect

__all__ = ["Sync"]


class Sync:
    """Builds and merges full states."""

    def __init__(self, shared: Shared, claims: Claims, streams: Streams) -> None:
        self._shared = shared
        self._claims = claims
        self._streams = streams

    def state(self, *, join: bool) -> bytes:
        """The push/pull message: every record, self and dead ones included, and the layer above's state."""
        shared = self._shared
        records = tuple(record.as_wire() for record in shared.table)
        return encode(PushPull(join, records, shared.delegate.local_state(join)))

    def dial(self, now: float, endpoint: Endpoint, purpose: Purpose, *, join: bool) -> bool:
        """Starts a push/pull; False if too many streams are open."""
        deadline = now + self._shared.config.tcp_timeout
        return self._streams.dial(endpoint, self.state(join=join), purpose, deadline)

    def with_random_member(self, now: float, purpose: Periodic | Departing) -> bool:
        """Starts a push/pull with a random live member; False if there is none."""
        shared = self._shared
        picked = shared.table.pick(
            1, lambda record: record.state is State.ALIVE and record is not shared.local
        )
        return bool(picked) and self.dial(now, picked[0].endpoint, purpose, join=False)

    def objection(self, message: PushPull) -> str:
        """Why a peer's state must not be merged, or ""."""
        shared = self._shared
        local = (Versions(record.name, record.state, record.vsn) for record in shared.table)
        remote = (Versions(record.name, record.state, record.vsn) for record in message.records)
        conflict = version_conflict(local, remote)
        if not conflict and message.join:
            conflict = shared.delegate.refuse_merge(message.records)
        if conflict:
            shared.metrics.dropped("merge-refused")
            logger.warning("push/pull refused: %s", conflict)
        return conflict

    def merge(self, now: float, message: PushPull, peer: Endpoint, *, dialled: bool) -> None:
        """Merges a peer's records in order, the own one last, then the layer above's state.

        Args:
            now: seconds.
            message: the peer's whole state, already checked with ``objection``.
            peer: the dialled endpoint, or where the stream came from (its port says nothing then).
            dialled: which of the two.
        """
        shared = self._shared
        shared.new_members_left = shared.config.max_members
        speaker = self._speaker(message, peer, dialled=dialled)
        # What is said of ourselves comes last: whoever has to object wants to know its peers by then.
        for record in sorted(message.records, key=lambda record: record.name == shared.local.name):
            first_hand = record.name == speaker
            self._merge_record(now, record, Source("push-pull", None, speaker, first_hand))
        if message.user_state:
            shared.delegate.merge_state(now, message.user_state, join=message.join, peer=speaker)

    def _merge_record(self, now: float, record: NodeRecord, source: Source) -> None:
        claims = self._claims
        if record.state == State.ALIVE:
            claims.alive(
                now,
                Alive(record.incarnation, record.name, record.addr, record.port, record.meta, record.vsn),
                source,
            )
        elif record.state == State.LEFT:
            claims.dead(now, Dead(record.incarnation, record.name, record.name), source)
        elif record.state in (State.DEAD, State.SUSPECT):
            # A peer's verdict is never taken over; it raises our own suspicion.
            detail = f"listed as {State(record.state).name.lower()} by {source.name or 'a peer'}"
            suspect = Suspect(record.incarnation, record.name, self._shared.local.name)
            claims.suspect(now, suspect, source._replace(detail=detail))

    def _speaker(self, message: PushPull, peer: Endpoint, *, dialled: bool) -> str:
        """Name of the peer: the record at the dialled endpoint, or the only record if it fits the source."""
        bind_port = self._shared.bind_port
        if dialled:
            for record in message.records:
                if endpoint_of(record.addr, record.port or bind_port) == peer:
                    return record.name
        elif len(message.records) == 1:
            only = message.records[0]
            if endpoint_of(only.addr, only.port or bind_port)[0] == peer[0]:
                return only.name
        return ""
