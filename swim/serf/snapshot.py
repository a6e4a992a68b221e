"""The rejoin log as text: who was alive where, the clocks, and this node's own incarnation.

Serf's line format, so that either can read the other's file; what Serf does not know stands in comments.
Written whole each time; keeping it in a file is the driver's business.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from swim.addresses import Endpoint, join_host_port, split_host_port
from swim.errors import ConfigError
from swim.wire.go_msgpack import U32

__all__ = ["Snapshot"]

_INCARNATION = "# incarnation: "
_ALIVE = "alive: "
_FAILED = "# failed: "
_U64 = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(slots=True)
class Snapshot:
    """What survives a restart.

    Attributes:
        alive: last known endpoints of members that were alive, by name; the node itself included.
        failed: the same for members that had failed and are still looked for.
        clock: last stamp of the member clock; likewise ``event_clock`` and ``query_clock``.
        incarnation: the highest this node used; 0 if unknown.
        left: the node had left gracefully.
    """

    alive: dict[str, Endpoint] = field(default_factory=dict)
    failed: dict[str, Endpoint] = field(default_factory=dict)
    clock: int = 0
    event_clock: int = 0
    query_clock: int = 0
    incarnation: int = 0
    left: bool = False

    def encode(self) -> str:
        """The text to keep."""
        lines = [f"{_INCARNATION}{self.incarnation}"]
        for kind, members in ((_ALIVE, self.alive), (_FAILED, self.failed)):
            lines += [
                f"{kind}{name} {join_host_port(*at)}" for name, at in members.items() if _is_plain(name)
            ]
        lines += [f"clock: {self.clock}", f"event-clock: {self.event_clock}"]
        lines += [f"query-clock: {self.query_clock}"]
        if self.left:
            lines.append("leave")
        return "\n".join(lines) + "\n"

    @classmethod
    def replay(cls, text: str) -> Snapshot:
        """Reads a kept text, line by line; later lines win, unknown and broken ones are skipped.

        A last line without a line feed was cut off and is ignored.
        """
        snapshot = cls()
        for line in text.split("\n")[:-1]:
            try:
                snapshot._apply(line)
            except (ValueError, ConfigError):
                continue
        return snapshot

    def _apply(self, line: str) -> None:
        if line == "leave":
            self.alive.clear()
            self.failed.clear()
            self.clock = self.event_clock = self.query_clock = 0
            self.left = True
        elif line.startswith(_INCARNATION):
            self.incarnation = _number(line.removeprefix(_INCARNATION), U32 - 1)
        elif line.startswith(_FAILED):
            name, _, at = line.removeprefix(_FAILED).rpartition(" ")
            self.failed[name] = _split(at)
        elif line.startswith(_ALIVE):
            name, _, at = line.removeprefix(_ALIVE).rpartition(" ")
            self.alive[name] = _split(at)
        elif line.startswith("not-alive: "):
            self.alive.pop(line.removeprefix("not-alive: "), None)
        elif line.startswith("clock: "):
            self.clock = _number(line.removeprefix("clock: "), _U64)
        elif line.startswith("event-clock: "):
            self.event_clock = _number(line.removeprefix("event-clock: "), _U64)
        elif line.startswith("query-clock: "):
            self.query_clock = _number(line.removeprefix("query-clock: "), _U64)


def _number(text: str, largest: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > largest:
        raise ValueError(text)
    return int(text)


def _split(text: str) -> Endpoint:
    host, port = split_host_port("snapshot", text)
    return str(ipaddress.ip_address(host)), port


def _is_plain(name: str) -> bool:
    return name.isprintable()
