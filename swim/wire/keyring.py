"""The gossip keys of a node: one encrypts, all decrypt."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from swim.errors import LocalError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["Keyring", "cipher", "fingerprint"]

_SIZES = (16, 24, 32)


def fingerprint(key: bytes) -> str:
    """Twelve hex digits that identify ``key`` without revealing it; keys are shown in no other form."""
    from hashlib import sha256  # few programs show keys, and it takes most of a megabyte

    return sha256(key).hexdigest()[:12]


@lru_cache(maxsize=64)
def cipher(key: bytes) -> AESGCM:
    """The cipher of a key. They are kept, because making one takes longer than using it for a packet."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # loaded when encryption is first used

    return AESGCM(key)


class Keyring:
    """An ordered set of AES keys of 16, 24 or 32 bytes; the first one is primary. True if it holds a key.

    Changes take effect with the next packet or stream. The rules are those of memberlist's keyring.

    Attributes:
        primary: the key that encrypts, or None when encryption is off.

    Raises:
        LocalError: a key has another size.
    """

    __slots__ = ("_keys", "primary")

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        self._keys: list[bytes] = []
        self.primary: bytes | None = None
        for key in keys:
            self.add(key)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(map(fingerprint, self._keys))})"

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys in the order in which they are tried, primary first."""
        return tuple(self._keys)

    def add(self, key: bytes) -> None:
        """Installs ``key`` after the others; one that is installed already keeps its place.

        Raises:
            LocalError: the key does not have 16, 24 or 32 bytes. The keyring is unchanged.
        """
        if len(key) not in _SIZES:
            raise LocalError("key size must be 16, 24 or 32 bytes")
        if key not in self._keys:
            self._keys.append(bytes(key))
            self.primary = self._keys[0]

    def use(self, key: bytes) -> None:
        """Makes an installed key primary.

        Raises:
            LocalError: the key is not installed. The keyring is unchanged.
        """
        if key not in self._keys:
            raise LocalError("Requested key is not in the keyring")
        self._keys.remove(key)
        self._keys.insert(0, bytes(key))
        self.primary = self._keys[0]

    def remove(self, key: bytes) -> None:
        """Removes ``key``; does nothing if it is not installed.

        Raises:
            LocalError: the key is primary. The keyring is unchanged.
        """
        if self._keys and key == self._keys[0]:
            raise LocalError("Removing the primary key is not allowed")
        if key in self._keys:
            self._keys.remove(key)
            cipher.cache_clear()
