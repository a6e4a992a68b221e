"""Packets and streams are taken once: a copy of an encrypted one has its nonce."""

from __future__ import annotations

__all__ = ["SeenNonces"]


class SeenNonces:
    """The nonces of what was received last, at least half of ``size`` and at most all of it.

    memberlist draws 96 random bits for every packet and stream, so only a copy repeats them.
    """

    __slots__ = ("_half", "_new", "_old")

    def __init__(self, size: int) -> None:
        self._half = (size + 1) // 2
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()

    def __contains__(self, nonce: bytes) -> bool:
        return nonce in self._new or nonce in self._old

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def admit(self, nonce: bytes) -> bool:
        """Remembers a nonce; False if it is remembered already."""
        if nonce in self:
            return False
        if len(self._new) >= self._half:
            self._old, self._new = self._new, set()
        if self._half:
            self._new.add(nonce)
        return True
