"""Push/pull: sends this node's state and merges a peer's (memberlist's pushPullNode and mergeState)."""

from __future__ import annotations

from collections.abc import Sequence

from swim.addresses import Endpoint
from swim.core.claims import Claims
from swim.core.context import Context
from swim.core.evidence import Evidence, Source
from swim.core.member import MAPPED_PREFIX, Record, State, endpoint_of, pack_address
from swim.core.precedence import LISTED
from swim.core.purposes import Departing, Periodic, Purpose
from swim.core.streams import Streams
from swim.core.versions import incompatibility
from swim.text import brief, shown
from swim.wire.codec import encode_push_pull
from swim.wire.decode_cache import OwnState
from swim.wire.messages import Alive, Dead, NodeRecord, PushPull, Suspect
from swim.wire.node_records import KNOWN_RECORDS
from swim.wire.steps import Pause, Steps

__all__ = ["PushPulls"]

_CHECKED_PER_STEP = 512
"""Records whose versions are new to us; a few milliseconds."""
_COMPARED_PER_STEP = 2048
_CONSULT_SECONDS = 5.0
_CONSULTED_MAX = 16
"""Members asked for their own record within that time because of a claim far above."""
_LEAVES_LISTED = 256
"""Leaves of reaped members listed in a push/pull of a plain memberlist pool."""
_MERGED_PER_STEP = 64
"""Records merged in one step, which takes a few milliseconds."""


class PushPulls:
    """Builds and merges full states."""

    def __init__(self, context: Context, claims: Claims, streams: Streams) -> None:
        self._context = context
        self._claims = claims
        self._streams = streams
        self._packed = OwnState(KNOWN_RECORDS)
        self._consulted: dict[str, float] = {}
        claims.consult = self._consult
        self._agreed: tuple[int, tuple[NodeRecord, ...]] = (-1, ())

    def state(self, now: float, *, join: bool) -> Steps[bytes]:
        """The push/pull message: every record, including self and dead members, and the delegate's state.

        If the delegate does not remember leaves, those of members reaped by this node are listed too.
        """
        if self._context.config.delegate_version:
            return self._encoded(join, [])
        return self._encoded(join, self._context.table.remembered_leaves(now, _LEAVES_LISTED))

    def reply(self, message: PushPull, peer: Endpoint) -> Steps[bytes]:
        """The answer to a push/pull, with records of reaped members that the peer must learn about."""
        found = yield from self._remembered(message, peer)
        remembered = {record.name: record for record in found}
        if not self._context.config.delegate_version:
            for record in self._context.table.remembered_leaves(self._streams.now, _LEAVES_LISTED):
                remembered.setdefault(record.name, record)
        return (yield from self._encoded(message.join, list(remembered.values())))

    def _remembered(self, message: PushPull, peer: Endpoint) -> Steps[list[Record]]:
        """The accusation of the peer itself, so that it refutes, and leaves that it has missed."""
        table, now, found = self._context.table, self._streams.now, list[Record]()
        if not table.tombstones:
            return found
        for number, record in enumerate(message.records, 1):
            if not number % _COMPARED_PER_STEP:
                yield Pause.TURN
            stone = table.tombstone(record.name, now) if table.get(record.name) is None else None
            if stone is None or stone.incarnation < record.incarnation:
                continue
            is_peer = record.state == State.ALIVE and endpoint_of(record.addr, 0)[0] == peer[0]
            missed = stone.record.state is State.LEFT and record.state != State.LEFT
            if is_peer or missed:
                found.append(stone.record)
        return found

    def _encoded(self, join: bool, also: Sequence[Record]) -> Steps[bytes]:
        count, packed = yield from self._records()
        records = b"".join([packed, *(record.packed() for record in also)])
        state = yield from self._context.delegate.local_state(join)
        encoded = encode_push_pull(join, count + len(also), records, state)
        self._context.metrics.gauge("memberlist.size.local", len(encoded))
        return encoded

    def dial(self, now: float, endpoint: Endpoint, purpose: Purpose, *, join: bool) -> bool:
        """Starts a push/pull; False if too many streams are open."""
        self._context.is_introduced = True
        deadline = now + self._context.config.tcp_timeout
        return self._streams.dial(now, endpoint, self.state(now, join=join), purpose, deadline)

    def with_random_member(self, now: float, purpose: Periodic | Departing) -> bool:
        """Starts a push/pull with a random live member; False if there is none."""
        context = self._context
        picked = context.table.pick(
            1,
            lambda record: (
                record.state is State.ALIVE
                and record is not context.local
                and context.may_dial(record.endpoint)
            ),
            seen_only=True,
        )
        return bool(picked) and self.dial(now, picked[0].endpoint, purpose, join=False)

    def _consult(self, now: float, record: Record) -> None:
        """Asks a member for its own record: few members at a time, and each only once in a while."""
        recent = {name: at for name, at in self._consulted.items() if now - at < _CONSULT_SECONDS}
        self._consulted = recent
        if record.name not in recent and len(recent) < _CONSULTED_MAX:
            recent[record.name] = now
            self.dial(now, record.endpoint, Periodic(), join=False)

    def objection(self, message: PushPull, peer: Endpoint, *, dialled: bool) -> Steps[str]:
        """Why a peer's state must not be merged, or ""; arguments as for ``merge``."""
        context = self._context
        conflict = ""
        if not self._agrees(message):
            conflict = (
                (yield from self._out_of_reach(message))
                or (yield from self._incompatible(message))
                or (yield from self._unwanted(message, peer if dialled else (peer[0], 0)))
            )
        if conflict:
            context.metrics.dropped("merge-refused")
            context.warn(self._streams.now, "push/pull refused: %s", brief(conflict))
        return conflict

    def merge(self, message: PushPull, peer: Endpoint, *, dialled: bool, replay: bool = True) -> Steps[None]:
        """Merges a peer's records in order, this node's own last, then the delegate's state; in steps.

        Args:
            message: the peer's whole state, already checked with ``objection``.
            peer: the dialled endpoint, or the source of the stream (whose port is arbitrary).
            dialled: which of the two.
            replay: see ``Delegate.merge_state``.
        """
        context = self._context
        if self._agrees(message):
            context.metrics.count("memberlist.msg.alive", len(message.records))
            speaker = context.endpoint_name(peer) if dialled else ""
        else:
            speaker = yield from self._speaker(message, peer, dialled=dialled)
            evidence = Evidence.ANSWERED if dialled else Evidence.HEARD
            yield from self._merge_records(message.records, Source("push-pull", None, speaker, evidence))
        if message.user_state:
            yield from context.delegate.merge_state(
                lambda: self._streams.now, message.user_state, peer=speaker, replay=replay
            )

    def _incompatible(self, message: PushPull) -> Steps[str]:
        """Why no member that a peer lists as alive is compatible; if some are, each is checked by itself."""
        own, why = self._context.local, ""
        for number, record in enumerate(message.records, 1):
            if not number % _CHECKED_PER_STEP:
                yield Pause.TURN
            if record.state == State.ALIVE and record.name != own.name:
                odd = incompatibility(own.vsn, record.vsn)
                if not odd:
                    return ""
                why = why or f"remote member {record.name!r} speaks {odd}"
        return why

    def _unwanted(self, message: PushPull, peer: Endpoint) -> Steps[str]:
        """Why the merge policy refuses a peer's state, or "".

        A join may list only members that may join (as for memberlist's merge delegate). Otherwise the peer
        itself must be one, or any listed member if the peer is not among them; each is checked by itself.
        """
        context, own = self._context, self._context.local
        if context.config.merge_policy is None:
            return ""
        there, elsewhere = list[str](), list[str]()
        for number, record in enumerate(message.records, 1):
            if not number % _CHECKED_PER_STEP:
                yield Pause.TURN
            if record.state == State.ALIVE and record.name != own.name:
                known = context.table.get(record.name)
                objection = self._claims.admission.objection(record.name, record.meta, record.vsn, known)
                if objection and message.join:
                    return objection
                host, port = endpoint_of(record.addr, record.port or context.bind_port)
                is_peer = host == peer[0] and peer[1] in (0, port)
                (there if is_peer else elsewhere).append(objection)
        asked = there or elsewhere
        return asked[0] if asked and all(asked) else ""

    def _out_of_reach(self, message: PushPull) -> Steps[str]:
        """Why no member that a peer lists can be reached from this node, the peer included; or ""."""
        context, local, why = self._context, self._context.local, ""
        for number, record in enumerate(message.records, 1):
            if not number % _COMPARED_PER_STEP:
                yield Pause.TURN
            host, port = endpoint_of(record.addr, record.port or context.bind_port)
            if record.name == local.name and (host, port) == local.endpoint:
                if message.join and len(message.records) == 1:
                    return f"that is the own address of {shown(local.name)}"
            elif not (wrong := context.why_unusable(host)):
                return ""
            else:
                why = why or f"{shown(record.name)} advertises {host}, {wrong}"
        return why

    def _records(self) -> Steps[tuple[int, bytes]]:
        """How many records there are, and all of them by name: tables that agree are the same bytes."""
        table = self._context.table
        packed = self._packed.get(table.changes)
        if packed:
            return len(table), packed
        changes, records, pieces = table.changes, list(table), list[bytes]()
        for start in range(0, len(records), _COMPARED_PER_STEP):
            if start:
                yield Pause.TURN
            pieces += [record.packed() for record in records[start : start + _COMPARED_PER_STEP]]
        return len(records), self._packed.keep(changes, b"".join(pieces))

    def _agrees(self, message: PushPull) -> bool:
        """Whether these same records were compared with this same table before, without a difference."""
        changes, records = self._agreed
        return records is message.records and changes == self._context.table.changes

    def _merge_records(self, records: tuple[NodeRecord, ...], source: Source) -> Steps[None]:
        context, table = self._context, self._context.table
        before = table.changes
        news = []
        for start in range(0, len(records), _COMPARED_PER_STEP):
            if start:
                yield Pause.TURN
            for record in records[start : start + _COMPARED_PER_STEP]:
                known = table.get(record.name)
                is_former = known is context.local and context.is_fresh
                if record.state != State.ALIVE or known is None or is_former or not known.says(record):
                    news.append(record)
        context.metrics.count("memberlist.msg.alive", len(records) - len(news))
        if not news and len(records) == context.n and table.changes == before:
            self._agreed = (before, records)
        # The record of this node comes last: to refute it, the node should know its peers by then.
        local = context.local.name
        news = [*(one for one in news if one.name != local), *(one for one in news if one.name == local)]
        for start in range(0, len(news), _MERGED_PER_STEP):
            if start:
                yield Pause.TURN
            context.new_members_left = context.config.max_members  # packets came in between
            for record in news[start : start + _MERGED_PER_STEP]:
                evidence = Evidence.ITSELF if record.name == source.name else source.evidence
                self._merge_record(self._streams.now, record, source._replace(evidence=evidence))

    def _merge_record(self, now: float, record: NodeRecord, source: Source) -> None:
        claims, kind = self._claims, LISTED.get(record.state)
        name, addr, port, meta, incarnation, state, vsn = record
        if kind is Alive:
            claims.apply(now, Alive(incarnation, name, addr, port, meta, vsn), source)
        elif kind is Suspect:
            detail = f"listed as {State(state).name.lower()} by {source.name or 'a peer'}"
            claims.apply(
                now, Suspect(incarnation, name, self._context.local.name), source._replace(detail=detail)
            )
        elif kind is Dead:
            claims.apply(now, Dead(incarnation, name, name), source)

    def _speaker(self, message: PushPull, peer: Endpoint, *, dialled: bool) -> Steps[str]:
        """Name of the peer: the record at the dialled endpoint, or the only record that fits the source."""
        bind_port = self._context.bind_port
        if dialled:
            host, port = pack_address(peer[0]), peer[1]
            forms = (host, MAPPED_PREFIX + host)
            for number, record in enumerate(message.records, 1):
                if not number % _COMPARED_PER_STEP:
                    yield Pause.TURN
                if record.addr in forms and (record.port or bind_port) == port:
                    return record.name
        elif len(message.records) == 1:
            only = message.records[0]
            if endpoint_of(only.addr, only.port or bind_port)[0] == peer[0]:
                return only.name
        return ""
