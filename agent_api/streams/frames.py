"""``/v1/event/stream``: membership events in the frames of Nomad's event stream.

The ``Index`` of an event is when it happened: milliseconds since this node started, from 1 on. So a client
that reconnects with the index after the last one it saw continues there, as far as the members' histories
reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from agent_api.cluster import ClusterLike
from agent_api.errors import HttpError
from agent_api.shapes import dumps, nomad_member
from agent_api.streams.lines import Feed
from swim import (
    Member,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberReaped,
    MemberRestarted,
    MemberState,
    MemberStatus,
    MemberUpdated,
    Transition,
)

__all__ = ["FrameSource", "Topics"]

_REPLAYED = 100
"""Events that a client can receive from before its request."""
_TYPES: dict[type[MemberEvent], str] = {
    MemberJoined: "MemberJoined",
    MemberRestarted: "MemberJoined",
    MemberUpdated: "MemberUpdated",
    MemberLeft: "MemberLeft",
    MemberFailed: "MemberFailed",
    MemberReaped: "MemberReaped",
}
_GONE = (MemberState.UNKNOWN, MemberState.LEFT, MemberState.FAILED, MemberState.REAPED)
_ALL = "*"


class Topics:
    """Which events a client asked for: ``TOPIC`` or ``TOPIC:KEY``, any of which is enough; none are all.

    Raises:
        HttpError: 400 with Nomad's text.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._pairs: list[tuple[str, str]] = []
        for text in texts:
            topic, _, key = text.partition(":")
            if ":" in key:
                raise HttpError(
                    400,
                    "Invalid topic query: error parsing topics: "
                    f"Invalid key value pair for topic, topic: {text}",
                )
            self._pairs.append((topic, key or _ALL))

    @property
    def are_members_only(self) -> bool:
        """Whether a client that may only read members may ask for them."""
        return bool(self._pairs) and all(topic == "Member" for topic, _ in self._pairs)

    def include(self, name: str) -> bool:
        """Whether events of this member are wanted."""
        return not self._pairs or any(
            topic in ("Member", _ALL) and key in (name, _ALL) for topic, key in self._pairs
        )


class FrameSource:
    """A frame for each event.

    Args:
        cluster: whose events.
        topics: which ones.
        index: the first index wanted; 0 for all that are remembered.
    """

    def __init__(self, cluster: ClusterLike, topics: Topics, index: int) -> None:
        self._cluster = cluster
        self._topics = topics
        self._index = index

    async def __call__(self, feed: Feed) -> None:
        """Puts frames into the feed until the cluster has ended."""
        with closing(self._cluster.events()) as events:
            # Read before the first event is waited for: so every transition is in one of the two.
            for frame in self._replay():
                feed.put(frame)
            async for event in events:
                if feed.lost and feed.is_empty:
                    feed.lost = 0
                if not isinstance(event, MemberEvent) or not self._topics.include(event.member.name):
                    continue
                if kind := _TYPES.get(type(event)):
                    feed.put(self._frame(kind, event.member, self._cluster.now()))

    def _replay(self) -> Iterable[bytes]:
        wanted = (member for member in self._cluster.members() if self._topics.include(member.name))
        found = [
            (line.at, kind, replace(member, status=MemberStatus(line.after)))
            for member in wanted
            for line in self._cluster.history(member.name)
            if (kind := _type_of(line)) and self._at(line.at) >= self._index
        ]
        found.sort(key=lambda item: item[0])
        return [self._frame(kind, member, at) for at, kind, member in found[-_REPLAYED:]]

    def _at(self, moment: float) -> int:
        return max(1, 1 + int(1000 * (moment - self._cluster.started_at)))

    def _frame(self, kind: str, member: Member, moment: float) -> bytes:
        index = self._at(moment)
        event: dict[str, Any] = {
            "Topic": "Member",
            "Type": kind,
            "Key": member.name,
            "Namespace": "",
            "FilterKeys": [member.tags.get("dc", ""), member.tags.get("region", "")],
            "Index": index,
            "Payload": {"Member": nomad_member(member)},
        }
        return dumps({"Index": index, "Events": [event]}) + b"\n"


def _type_of(line: Transition) -> str | None:
    """The event that a transition was."""
    if line.after == MemberState.ALIVE and line.before in _GONE:
        return "MemberJoined"
    if line.after == line.before == MemberState.ALIVE:
        return "MemberUpdated"
    return {MemberState.LEFT: "MemberLeft", MemberState.FAILED: "MemberFailed"}.get(line.after)
