"""Who is in which websocket room, over all workers, without Redis.

Each worker knows its own users. The ring gives every room a home. A worker sends its users of a room to the
home; the home sends the merged list to all workers with users there. Every message holds a whole list and is
repeated, so lost, late and repeated messages do no harm, and what is not repeated is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from swim.events import Event, EventsLost, Member, MemberEvent
from swim.membership import Membership
from swim.ring import LiveRing

__all__ = ["Presence"]

_FORGOTTEN_AFTER = 3
"""Intervals after which a home forgets the users of a worker that it no longer hears of."""


class Presence:
    """The rooms as one worker sees them; no I/O.

    Args:
        cluster: any ``swim.Membership``.
        send: ``send(member, payload)`` begins to send bytes to another member and returns at once; they may
            be lost.
        interval: seconds between two repetitions.
    """

    def __init__(
        self, cluster: Membership, send: Callable[[Member, bytes], object], *, interval: float = 5.0
    ) -> None:
        self._cluster = cluster
        self._send = send
        self._interval = interval
        self._ring = LiveRing(cluster)
        self._own: dict[str, set[str]] = {}
        self._homes: dict[str, dict[str, tuple[list[str], float]]] = {}
        self._rooms: dict[str, dict[str, list[str]]] = {}
        self._repeated_at = cluster.now()

    def enter(self, room: str, user: str) -> None:
        """A user of this worker entered a room."""
        self._own.setdefault(room, set()).add(user)
        self._report(room)

    def leave(self, room: str, user: str) -> None:
        """A user of this worker left a room."""
        self._own.get(room, set()).discard(user)
        self._report(room)

    def users(self, room: str) -> dict[str, str]:
        """The users of a room and their workers, if this worker has users there."""
        alive = {member.name for member in self._cluster.alive()}
        lists = self._rooms.get(room, {}) if self._own.get(room) else {}
        return {user: worker for worker, users in sorted(lists.items()) if worker in alive for user in users}

    def on_event(self, now: float, event: Event) -> None:
        """Call it with every event of the cluster: rooms whose home changed are reported to the new one."""
        if isinstance(event, MemberEvent | EventsLost):
            for move in self._ring.changes(tuple(self._own)):
                self._report(str(move.key))

    def receive(self, source: str, payload: bytes) -> None:
        """Call it with every message that another worker sent, and that worker's name."""
        self._apply(source, json.loads(payload))

    def tick(self, now: float) -> None:
        """Call it about every second."""
        if now - self._repeated_at >= self._interval:
            self._repeated_at = now
            self._own = {room: users for room, users in self._own.items() if users}
            for room in self._own:
                self._report(room)
            for room in tuple(self._homes):
                self._spread(room)

    def _report(self, room: str) -> None:
        """Sends this worker's users of a room to the room's home."""
        ring, users = self._ring.ring, sorted(self._own.get(room, ()))
        if ring.members:
            self._post(ring.owner(room), {"to": "home", "room": room, "users": users})

    def _spread(self, room: str) -> None:
        """The home sends the list of a room to all workers that are in it."""
        lists = self._homes.pop(room)
        if not self._ring.owns(room):
            return
        alive = {member.name: member for member in self._cluster.alive()}
        oldest = self._cluster.now() - _FORGOTTEN_AFTER * self._interval
        lists = {worker: (users, at) for worker, (users, at) in lists.items() if users and at > oldest}
        users = {worker: users for worker, (users, _) in lists.items() if worker in alive}
        if lists:
            self._homes[room] = lists
        for worker in users:
            self._post(alive[worker], {"to": "workers", "room": room, "lists": users})

    def _post(self, member: Member, message: dict[str, Any]) -> None:
        if member.name == self._cluster.local.name:
            self._apply(member.name, message)
        else:
            self._send(member, json.dumps(message).encode())

    def _apply(self, source: str, message: dict[str, Any]) -> None:
        room, ring = message["room"], self._ring.ring
        if message["to"] == "home" and self._ring.owns(room):
            lists = self._homes.setdefault(room, {})
            is_news = lists.get(source, ([], 0.0))[0] != message["users"]
            lists[source] = message["users"], self._cluster.now()
            if is_news:
                self._spread(room)
        elif message["to"] == "workers" and ring.members and ring.owner(room).name == source:
            self._rooms[room] = message["lists"]
