"""Join commands: every address resolved and dialled at once, each with its own outcome."""

from __future__ import annotations

from collections.abc import Sequence

from swim.addresses import Endpoint, join_host_port, parse_address
from swim.core.context import Context
from swim.core.output import Finished, Lookup
from swim.core.purposes import Joining
from swim.core.push_pull import PushPulls
from swim.errors import ConfigError
from swim.events import JoinOutcome, JoinResult

__all__ = ["Joins"]


class _Join:
    """One join in progress: outcomes by slot; a slot without an outcome is still waited for."""

    __slots__ = ("outcomes", "replay", "slots")

    def __init__(self, *, replay: bool) -> None:
        self.replay = replay
        self.slots: list[tuple[str, Endpoint | None]] = []
        self.outcomes: dict[int, JoinOutcome] = {}


class Joins:
    """All joins in progress, by ticket."""

    def __init__(self, context: Context, push_pulls: PushPulls) -> None:
        self._context = context
        self._push_pulls = push_pulls
        self._joins: dict[int, _Join] = {}
        self._lookups: dict[str, list[tuple[int, int]]] = {}

    def begin(self, now: float, ticket: int, addresses: Sequence[str], *, replay: bool) -> None:
        """Starts joining ``addresses``; ``Finished(ticket, JoinResult)`` follows when all are settled.

        ``replay``: see ``Delegate.merge_state``.
        """
        join = self._joins[ticket] = _Join(replay=replay)
        join.slots = [(address, None) for address in addresses]
        for slot, address in enumerate(addresses):
            self._look_up(now, ticket, slot, address)
        self._finish_if_settled(now, ticket)

    def resolved(self, now: float, address: str, endpoints: Sequence[Endpoint], error: str) -> None:
        """Takes the answer to a lookup: dials every endpoint of the name."""
        for ticket, slot in self._lookups.pop(address, ()):
            join = self._joins.get(ticket)
            if join is None:
                continue
            if len(endpoints) > 1:
                # A name that resolves to several seeds may include this node.
                own = self._context.local.endpoint
                endpoints = [endpoint for endpoint in endpoints if endpoint != own]
            if not endpoints:
                self._fail(join, slot, address, f"failed to resolve {address}: {error or 'no addresses'}")
            for number, endpoint in enumerate(endpoints):
                if number:
                    slot = len(join.slots)
                    join.slots.append((address, endpoint))
                self._dial(now, ticket, slot, address, endpoint)
            self._finish_if_settled(now, ticket)

    def settled(self, now: float, joining: Joining, error: str) -> None:
        """A push/pull of a join ended."""
        join = self._joins.get(joining.ticket)
        if join is None:
            return
        address, endpoint = join.slots[joining.slot]
        assert endpoint is not None
        text = f"failed to join {join_host_port(*endpoint)}: {error}" if error else ""
        join.outcomes[joining.slot] = JoinOutcome(address, endpoint, text)
        self._finish_if_settled(now, joining.ticket)

    def _look_up(self, now: float, ticket: int, slot: int, address: str) -> None:
        join = self._joins[ticket]
        try:
            parsed = parse_address(address, self._context.bind_port)
        except ConfigError as error:
            self._fail(join, slot, address, f"failed to resolve {address}: {error.reason}")
            return
        if self._context.config.require_node_names and not parsed.name:
            self._fail(
                join, slot, address, f"failed to join {address}: a node name is required (NAME/HOST:PORT)"
            )
        elif parsed.literal is not None:
            self._dial(now, ticket, slot, address, parsed.literal)
        else:
            waiting = self._lookups.setdefault(address, [])
            waiting.append((ticket, slot))
            if len(waiting) == 1:
                self._context.output.lookups.append(Lookup(address))

    def _dial(self, now: float, ticket: int, slot: int, address: str, endpoint: Endpoint) -> None:
        join = self._joins[ticket]
        join.slots[slot] = (address, endpoint)
        if endpoint == self._context.local.endpoint:
            why = "that is this node's own address"
        elif wrong := self._context.why_unreachable(endpoint[0]):
            why = wrong
        elif not self._push_pulls.dial(now, endpoint, Joining(ticket, slot, join.replay), join=True):
            why = "too many streams"
        else:
            return
        self._fail(join, slot, address, f"failed to join {join_host_port(*endpoint)}: {why}", endpoint)

    @staticmethod
    def _fail(join: _Join, slot: int, address: str, error: str, endpoint: Endpoint | None = None) -> None:
        join.outcomes[slot] = JoinOutcome(address, endpoint, error)

    def _finish_if_settled(self, now: float, ticket: int) -> None:
        join = self._joins.get(ticket)
        if join is None or len(join.outcomes) < len(join.slots):
            return
        del self._joins[ticket]
        result = JoinResult(tuple(join.outcomes[slot] for slot in range(len(join.slots))))
        if result.joined:
            self._context.delegate.announce_join(now)
        self._context.output.finished.append(Finished(ticket, result))
