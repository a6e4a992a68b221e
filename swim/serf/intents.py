"""Intents about members nobody told us of yet: kept for a while, bounded, newest stamp wins."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from swim.serf.messages import JoinIntent, LeaveIntent

__all__ = ["BufferedIntent", "IntentBuffer"]


class BufferedIntent(NamedTuple):
    """One kept intent and when it came."""

    intent: JoinIntent | LeaveIntent
    at: float


class IntentBuffer:
    """At most ``size`` names, each for at most ``timeout`` seconds (Serf's recentIntents)."""

    __slots__ = ("_intents", "_size", "_timeout")

    def __init__(self, *, size: int, timeout: float) -> None:
        self._size = size
        self._timeout = timeout
        self._intents: OrderedDict[str, BufferedIntent] = OrderedDict()

    def __len__(self) -> int:
        return len(self._intents)

    def offer(self, now: float, intent: JoinIntent | LeaveIntent) -> bool:
        """Keeps an intent if it is newer than the one kept; True if so (then it is worth passing on)."""
        if not self._size:
            return False
        kept = self.get(now, intent.node)
        if kept is not None and intent.ltime <= kept.ltime:
            return False
        self._intents.pop(intent.node, None)
        if len(self._intents) >= self._size:
            self._intents.popitem(last=False)
        self._intents[intent.node] = BufferedIntent(intent, now)
        return True

    def get(self, now: float, name: str) -> JoinIntent | LeaveIntent | None:
        """The kept intent about ``name``, unless it is too old."""
        kept = self._intents.get(name)
        if kept is None:
            return None
        if now - kept.at > self._timeout:
            del self._intents[name]
            return None
        return kept.intent
