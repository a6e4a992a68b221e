"""What several nodes of a world see, in one word."""

from __future__ import annotations

from collections.abc import Iterable

from swim.events import MemberEvent, MemberFailed, MemberSuspected
from tests.world import Peer


def all_see(peers: Iterable[Peer], name: str, status: str) -> bool:
    """Whether each of ``peers`` lists ``name`` under ``status``; ``absent`` means not at all."""
    return all(peer.statuses().get(name, "absent") == status for peer in peers)


def agree(peers: Iterable[Peer]) -> bool:
    """Whether each of ``peers`` sees exactly these peers, alive."""
    peers = list(peers)
    names = {peer.node.config.name for peer in peers}
    return all(peer.statuses() == dict.fromkeys(names, "alive") for peer in peers)


def events_of(peers: Iterable[Peer], kind: type[MemberEvent], name: str = "") -> list[MemberEvent]:
    """The events of a kind that any of ``peers`` saw, about ``name`` if given."""
    return [
        event
        for peer in peers
        for event in peer.events
        if isinstance(event, kind) and name in ("", event.member.name)
    ]


def accusations_by(peers: Iterable[Peer], name: str) -> list[MemberEvent]:
    """Suspicions and failures for which ``name`` was the accuser."""
    events = events_of(peers, MemberSuspected) + events_of(peers, MemberFailed)
    return [event for event in events if event.reason.accuser == name]
