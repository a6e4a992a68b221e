"""The snapshot as text: members that were alive and their addresses, the clocks, this node's incarnation.

It has Serf's line format, so that either can read the other's file; fields unknown to Serf are in comments. A
file holds the whole state of one moment (``Snapshot.encode``) and then a line for every change since
(``Recorder``). The driver keeps the file.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from swim.addresses import Endpoint, join_host_port, split_host_port
from swim.errors import ConfigError
from swim.events import Event, MemberEvent, MemberReaped, MemberStatus
from swim.wire.go_msgpack import U32

__all__ = ["Recorder", "Snapshot"]

_INCARNATION = "# incarnation: "
_ALIVE = "alive: "
_NOT_ALIVE = "not-alive: "
_FAILED = "# failed: "
_NOT_FAILED = "# not-failed: "
_CLOCK = "clock: "
_EVENT_CLOCK = "event-clock: "
_QUERY_CLOCK = "query-clock: "
_LEAVE = "leave"
_U64 = 0xFFFF_FFFF_FFFF_FFFF
_CLOCK_INTERVAL = 0.5
"""Seconds between two checks of the clocks, as in Serf."""


@dataclass(slots=True)
class Snapshot:
    """What survives a restart.

    Attributes:
        alive: last known endpoints of members that were alive, by name; the node itself included.
        failed: the same for failed members that are still dialled.
        incarnation: the highest this node used; 0 if unknown.
        clock: last stamp of the member clock; likewise ``event_clock`` and ``query_clock``.
        left: the node had left gracefully.
    """

    alive: dict[str, Endpoint] = field(default_factory=dict)
    failed: dict[str, Endpoint] = field(default_factory=dict)
    incarnation: int = 0
    clock: int = 0
    event_clock: int = 0
    query_clock: int = 0
    left: bool = False

    def encode(self) -> str:
        """The snapshot as text."""
        return "".join(f"{line}\n" for line in self.lines())

    def lines(self) -> list[str]:
        """The same as lines, without their ends."""
        lines = _numbers((self.incarnation, self.clock, self.event_clock, self.query_clock))
        for kind, members in ((_ALIVE, self.alive), (_FAILED, self.failed)):
            lines += [_member(kind, name, at) for name, at in members.items() if name.isprintable()]
        if self.left:
            lines.append(_LEAVE)
        return lines

    @classmethod
    def replay(cls, text: str, *, rejoins: bool = False) -> Snapshot:
        """Reads a snapshot's text line by line; later lines win, unknown and broken ones are skipped.

        A last line without a line feed was cut off and is ignored.

        Args:
            text: of a snapshot.
            rejoins: whether a leave is ignored (Serf's ``RejoinAfterLeave``).
        """
        snapshot = cls()
        for line in text.split("\n")[:-1]:
            if line == _LEAVE:
                snapshot = snapshot if rejoins else cls(incarnation=snapshot.incarnation, left=True)
                continue
            try:
                snapshot._apply(line)
            except (ValueError, ConfigError):
                continue
        return snapshot

    def _apply(self, line: str) -> None:
        if line.startswith(_INCARNATION):
            self.incarnation = _number(line.removeprefix(_INCARNATION), U32 - 1)
        elif line.startswith(_FAILED):
            name, _, at = line.removeprefix(_FAILED).rpartition(" ")
            self.failed[name] = _split(at)
        elif line.startswith(_NOT_FAILED):
            self.failed.pop(line.removeprefix(_NOT_FAILED), None)
        elif line.startswith(_ALIVE):
            name, _, at = line.removeprefix(_ALIVE).rpartition(" ")
            self.alive[name] = _split(at)
            self.left = False
        elif line.startswith(_NOT_ALIVE):
            self.alive.pop(line.removeprefix(_NOT_ALIVE), None)
        elif line.startswith(_CLOCK):
            self.clock = _number(line.removeprefix(_CLOCK), _U64)
        elif line.startswith(_EVENT_CLOCK):
            self.event_clock = _number(line.removeprefix(_EVENT_CLOCK), _U64)
        elif line.startswith(_QUERY_CLOCK):
            self.query_clock = _number(line.removeprefix(_QUERY_CLOCK), _U64)


class Recorder:
    """Records changes: the lines that keep a snapshot up to date, in constant time for each change.

    A snapshot of any moment and the lines since then read back as the current snapshot; the clocks may be
    half a second behind. Without changes there are no lines.

    Args:
        name: the local node's.
        whole: the current whole state.

    Attributes:
        lines: not yet taken by the driver.
        stamps: the sum of the next stamps of the three clocks, as they are recorded. Clocks only grow.
        unseen: members that were alive in the last run and of which nothing is known yet in this one. They
            stay alive in the snapshot, since Serf dials no others after a restart.
    """

    def __init__(self, name: str, whole: Callable[[], Snapshot]) -> None:
        self.lines: list[str] = []
        self._name = name
        self._whole = whole
        self._has_left = False
        self._numbers = (0, 0, 0, 0)
        self.stamps: int = 0
        self.unseen: dict[str, Endpoint] = {}
        self._next_look = float("-inf")

    def happened(self, events: Iterable[Event]) -> None:
        """Members changed. After a leave, which clears the file, nothing is recorded until a rejoin."""
        for event in events:
            if not isinstance(event, MemberEvent):
                continue
            member, previous = event.member, event.previous
            if member.name == self._name:
                self._look((member.incarnation, *self._numbers[1:]))
                had_left, self._has_left = self._has_left, member.status is MemberStatus.LEFT
                if had_left != self._has_left:
                    self.lines += [_LEAVE] if self._has_left else self._whole().lines()
                    continue
            was = None if previous is None or previous.status is not MemberStatus.ALIVE else previous.endpoint
            is_alive = member.status is MemberStatus.ALIVE and not isinstance(event, MemberReaped)
            if is_alive and was != member.endpoint:
                self._record(_member(_ALIVE, member.name, member.endpoint), member.name)
            elif not is_alive and (was is not None or member.name in self.unseen):
                self._record(_NOT_ALIVE + member.name, member.name)
            self.unseen.pop(member.name, None)

    def looked_for(self, name: str, endpoint: Endpoint | None) -> None:
        """A past member is dialled at an endpoint, or no longer (None)."""
        if endpoint is None:
            if self.unseen.pop(name, None) is not None:
                self._record(_NOT_ALIVE + name, name)
            self._record(_NOT_FAILED + name, name)
        elif name not in self.unseen:
            self._record(_member(_FAILED, name, endpoint), name)

    def look(self, now: float, numbers: tuple[int, int, int, int]) -> None:
        """Records this node's incarnation and the clocks of members, events and queries, if they moved.

        Twice a second at most: a burst of stamps becomes one line.
        """
        if numbers != self._numbers and now >= self._next_look:
            self._next_look = now + _CLOCK_INTERVAL
            self._look(numbers)

    def _look(self, numbers: tuple[int, int, int, int]) -> None:
        before, self._numbers = self._numbers, numbers
        self.stamps = sum(numbers[1:]) + 3
        if not self._has_left:
            moved = zip(_numbers(numbers), before, numbers, strict=True)
            self.lines += [line for line, old, new in moved if old != new]

    def _record(self, line: str, name: str) -> None:
        if not self._has_left and name.isprintable():
            self.lines.append(line)


def _numbers(numbers: tuple[int, int, int, int]) -> list[str]:
    kinds = (_INCARNATION, _CLOCK, _EVENT_CLOCK, _QUERY_CLOCK)
    return [f"{kind}{number}" for kind, number in zip(kinds, numbers, strict=True)]


def _member(kind: str, name: str, at: Endpoint) -> str:
    return f"{kind}{name} {join_host_port(*at)}"


def _number(text: str, largest: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > largest:
        raise ValueError(text)
    return int(text)


def _split(text: str) -> Endpoint:
    host, port = split_host_port("snapshot", text)
    return str(ipaddress.ip_address(host)), port
