"""Which events a handler is for, in Serf's notation: ``TYPE,TYPE=script``, ``user:NAME=script``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

from swim.errors import ConfigError
from swim.events import (
    Event,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberReaped,
    MemberRestarted,
    MemberUpdated,
    Query,
    UserEvent,
)

__all__ = ["ANY", "TYPES", "EventFilter", "EventHandler", "type_of"]

ANY = "*"
TYPES = ("member-join", "member-leave", "member-failed", "member-update", "member-reap", "user", "query")
"""Serf's names of events."""
_NAMED = ("user", "query")
_TYPE_OF: dict[type[MemberEvent], str] = {
    MemberJoined: "member-join",
    MemberRestarted: "member-join",
    MemberUpdated: "member-update",
    MemberLeft: "member-leave",
    MemberFailed: "member-failed",
    MemberReaped: "member-reap",
}


def type_of(event: Event) -> str | None:
    """Serf's name of an event; None for those that Serf does not have."""
    match event:
        case UserEvent():
            return "user"
        case Query():
            return "query"
        case MemberEvent():
            return _TYPE_OF.get(type(event))
    return None


class EventFilter(NamedTuple):
    """One type of events; ``*`` is all, and an empty ``name`` all user events or queries."""

    type: str
    name: str = ""

    def admits(self, event_type: str, name: str) -> bool:
        """Whether an event of this type is meant; ``name`` is that of a user event or a query."""
        return self.type == ANY or (self.type == event_type and self.name in ("", name))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``TYPE``, ``user:NAME`` or ``query:NAME``.

        Raises:
            ValueError: there is no such type.
        """
        head, colon, name = text.partition(":")
        if colon and head in _NAMED:
            return cls(head, name)
        if text != ANY and text not in TYPES:
            raise ValueError(f"{text!r} is not one of {', '.join(TYPES)}, user:NAME, query:NAME or *")
        return cls(text)


@dataclass(frozen=True, slots=True)
class EventHandler:
    """A shell command, and the events that it runs for: those that any of ``filters`` admits."""

    filters: tuple[EventFilter, ...]
    script: str

    def admits(self, event_type: str, name: str) -> bool:
        """Whether the command runs for an event; see ``EventFilter.admits``."""
        return any(each.admits(event_type, name) for each in self.filters)

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Reads Serf's notation. The first ``=`` ends the types; without one the command runs for all events.

        Raises:
            ConfigError: naming ``event_handler``.
        """
        types, equals, script = spec.partition("=")
        if not equals:
            types, script = ANY, spec
        if not script.strip() or "\0" in script:
            raise ConfigError("event_handler", f"Invalid event script: {spec!r} has no command")
        try:
            return cls(tuple(map(EventFilter.parse, (types or ANY).split(","))), script)
        except ValueError as error:
            raise ConfigError("event_handler", f"Invalid event script: {spec!r}: {error}") from None
