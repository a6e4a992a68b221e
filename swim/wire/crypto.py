"""AES-GCM as memberlist applies it: ``version | nonce (12) | ciphertext | tag (16)``.

Version 1 encrypts the plaintext as it is, version 0 (nodes that speak protocol 1) pads it to 16 bytes first.
The version byte is not authenticated, so version 0 is read only when that is asked for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from swim.errors import RemoteError
from swim.wire.keyring import Keyring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["NONCE_BYTES", "open_sealed", "overhead", "seal", "sealed_size"]

NONCE_BYTES = 12
_TAG_BYTES = 16
_BLOCK_BYTES = 16


def overhead(version: int) -> int:
    """Most bytes that ``seal`` adds to a plaintext: 29, or 45 for version 0."""
    return 1 + NONCE_BYTES + _TAG_BYTES + (_BLOCK_BYTES if version == 0 else 0)


def sealed_size(plaintext_bytes: int, version: int) -> int:
    """Exact length of what ``seal`` makes of a plaintext of ``plaintext_bytes``."""
    return overhead(version) + plaintext_bytes - (plaintext_bytes % _BLOCK_BYTES if version == 0 else 0)


def seal(key: bytes, plaintext: bytes, aad: bytes, nonce: bytes, version: int = 1) -> bytes:
    """Encrypts ``plaintext`` and authenticates it together with ``aad``.

    Args:
        key: 16, 24 or 32 bytes.
        plaintext: one framed message, not empty.
        aad: the packet's label, or a stream's header and label.
        nonce: 12 bytes that are never used twice with one key.
        version: 1, or 0 for very old peers.
    """
    if version == 0:
        pad = _BLOCK_BYTES - len(plaintext) % _BLOCK_BYTES
        plaintext += bytes((pad,)) * pad
    return bytes((version,)) + nonce + _cipher(key).encrypt(nonce, plaintext, aad)


def open_sealed(keyring: Keyring, blob: bytes | memoryview, aad: bytes, accept_v0: bool) -> bytes:
    """Decrypts what ``seal`` made, trying every key in the keyring's order.

    Raises:
        RemoteError: ``empty``, for an empty blob or plaintext; ``version``, for a version above 1, or for 0
            without ``accept_v0``; ``truncated``, for a blob too short to hold anything; ``decrypt``, when no
            key fits or the padding of version 0 is wrong.
    """
    if not blob:
        raise RemoteError("empty")
    version = blob[0]
    if version > 1 or (version == 0 and not accept_v0):
        raise RemoteError("version", f"encryption version {version}")
    if len(blob) < overhead(version):
        raise RemoteError("truncated", f"encrypted data of {len(blob)} bytes")
    plaintext = _decrypt(keyring, bytes(blob[1 : 1 + NONCE_BYTES]), bytes(blob[1 + NONCE_BYTES :]), aad)
    if version == 0:
        plaintext = _unpadded(plaintext)
    if not plaintext:
        raise RemoteError("empty", "nothing inside the encryption")
    return plaintext


def _decrypt(keyring: Keyring, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # loaded when encryption is first used

    for key in keyring.keys:
        try:
            return _cipher(key).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            continue
    raise RemoteError("decrypt", "no installed key fits")


def _unpadded(padded: bytes) -> bytes:
    pad = padded[-1] if padded else 0
    if not 1 <= pad <= min(_BLOCK_BYTES, len(padded)) or padded[-pad:] != bytes((pad,)) * pad:
        raise RemoteError("decrypt", "padding")
    return padded[:-pad]


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
