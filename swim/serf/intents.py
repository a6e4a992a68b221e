"""Intents about members that are not listed: a bounded buffer for a limited time; the newest stamp wins."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from swim.serf.messages import JoinIntent, LeaveIntent

__all__ = ["BufferedIntent", "IntentBuffer"]


class BufferedIntent(NamedTuple):
    """One buffered intent, or only its stamp, and when it arrived."""

    intent: JoinIntent | LeaveIntent | None
    ltime: int
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
        """Buffers an intent if it is newer than the buffered one; True if so (then it is passed on)."""
        return self._keep(now, intent.node, intent, intent.ltime)

    def settle(self, now: float, name: str, ltime: int) -> None:
        """The member is forgotten as of ``ltime``: intents up to that stamp are stale."""
        self._keep(now, name, None, ltime)

    def get(self, now: float, name: str) -> JoinIntent | LeaveIntent | None:
        """The buffered intent about ``name``, unless it is too old."""
        kept = self._fresh(now, name)
        return None if kept is None else kept.intent

    def _keep(self, now: float, name: str, intent: JoinIntent | LeaveIntent | None, ltime: int) -> bool:
        if not self._size:
            return False
        kept = self._fresh(now, name)
        if kept is not None and ltime <= kept.ltime:
            return False
        self._intents.pop(name, None)
        if len(self._intents) >= self._size:
            self._intents.popitem(last=False)
        self._intents[name] = BufferedIntent(intent, ltime, now)
        return True

    def _fresh(self, now: float, name: str) -> BufferedIntent | None:
        kept = self._intents.get(name)
        if kept is not None and now - kept.at > self._timeout:
            del self._intents[name]
            return None
        return kept
