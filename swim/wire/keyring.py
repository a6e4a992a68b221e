"""The gossip keys of a node: one encrypts, all decrypt."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from swim.checks import KEY_SIZES
from swim.errors import LocalError
from swim.keyrings import fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KEYS_MAX", "Keyring", "cipher"]

KEYS_MAX = 256
"""Most keys in a keyring: each is tried on input that cannot be decrypted."""


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

    __slots__ = ("_fingerprints", "_keys", "primary")

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        self._keys: list[bytes] = []
        self._fingerprints: tuple[str, ...] | None = None
        self.primary: bytes | None = None
        for key in keys:
            self.add(key)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.fingerprints)})"

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys in the order in which they are tried, primary first."""
        return tuple(self._keys)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of all keys, primary first."""
        if self._fingerprints is None:
            self._fingerprints = tuple(map(fingerprint, self._keys))
        return self._fingerprints

    def add(self, key: bytes) -> None:
        """Installs ``key`` after the others; one that is installed already keeps its place.

        Raises:
            LocalError: the key does not have 16, 24 or 32 bytes, or there are ``KEYS_MAX`` already. The
                keyring is unchanged.
        """
        if len(key) not in KEY_SIZES:
            raise LocalError("key size must be 16, 24 or 32 bytes")
        if key in self._keys:
            return
        if len(self._keys) >= KEYS_MAX:
            raise LocalError(f"the keyring has {KEYS_MAX} keys already")
        self._changed([*self._keys, bytes(key)])

    def use(self, key: bytes) -> None:
        """Makes an installed key primary.

        Raises:
            LocalError: the key is not installed. The keyring is unchanged.
        """
        if key not in self._keys:
            raise LocalError("Requested key is not in the keyring")
        self._changed([bytes(key), *(each for each in self._keys if each != key)])

    def remove(self, key: bytes) -> None:
        """Removes ``key``; does nothing if it is not installed.

        Raises:
            LocalError: the key is primary. The keyring is unchanged.
        """
        if self._keys and key == self._keys[0]:
            raise LocalError("Removing the primary key is not allowed")
        if key in self._keys:
            self._changed([each for each in self._keys if each != key])
            cipher.cache_clear()

    def _changed(self, keys: list[bytes]) -> None:
        self._keys, self.primary, self._fingerprints = keys, keys[0], None
