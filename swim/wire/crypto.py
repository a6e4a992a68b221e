"""AES-GCM as memberlist applies it: ``version | nonce (12) | ciphertext | tag (16)``.

Version 1 encrypts the plaintext unchanged; version 0 (nodes that speak protocol 1) first pads it to 16 bytes.
The version byte is not authenticated, so version 0 is read only with ``accept_encryption_v0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swim.errors import RemoteError
from swim.wire.keyring import Keyring, cipher
from swim.wire.steps import Pause, Steps

if TYPE_CHECKING:
    pass

__all__ = [
    "NONCE_BYTES",
    "open_sealed",
    "open_sealed_steps",
    "overhead",
    "seal",
    "seal_steps",
    "sealed_size",
]

NONCE_BYTES = 12
_TAG_BYTES = 16
_BLOCK_BYTES = 16
_NO_KEY = "no installed key fits"
_NOTHING = "nothing inside the encryption"
_STEP_BYTES = 1 << 20
"""Bytes of a stream encrypted or decrypted in one step, which takes a millisecond or two."""


def overhead(version: int) -> int:
    """Most bytes that ``seal`` adds to a plaintext: 29, or 45 for version 0."""
    return 1 + NONCE_BYTES + _TAG_BYTES + (_BLOCK_BYTES if version == 0 else 0)


def sealed_size(plaintext_bytes: int, version: int) -> int:
    """Exact length of the output of ``seal`` for a plaintext of ``plaintext_bytes``."""
    return overhead(version) + plaintext_bytes - (plaintext_bytes % _BLOCK_BYTES if version == 0 else 0)


def seal(key: bytes, plaintext: bytes, aad: bytes, nonce: bytes, version: int = 1) -> bytes:
    """Encrypts ``plaintext`` and authenticates it together with ``aad``.

    Args:
        key: 16, 24 or 32 bytes.
        plaintext: one framed message, not empty.
        aad: the packet's label, or a stream's header and label.
        nonce: 12 bytes that must never be used twice with one key.
        version: 1, or 0 for very old peers.
    """
    return (
        bytes((version,)) + nonce + cipher(key).encrypt(nonce, plaintext + _padding(plaintext, version), aad)
    )


def seal_steps(key: bytes, plaintext: bytes, aad: bytes, nonce: bytes, version: int = 1) -> Steps[bytes]:
    """``seal`` in steps."""
    if len(plaintext) <= _STEP_BYTES:
        return seal(key, plaintext, aad, nonce, version)
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    encryptor = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(aad)
    sealed = bytearray((version,)) + nonce
    view = memoryview(plaintext)
    for start in range(0, len(view), _STEP_BYTES):
        if start:
            yield Pause.TURN
        sealed += encryptor.update(view[start : start + _STEP_BYTES])
    sealed += encryptor.update(_padding(plaintext, version)) + encryptor.finalize() + encryptor.tag
    return bytes(sealed)


def open_sealed(keyring: Keyring, blob: bytes | memoryview, aad: bytes, accept_v0: bool) -> bytes:
    """Decrypts output of ``seal``, trying every key in the keyring's order.

    Raises:
        RemoteError: ``empty``, for an empty blob or plaintext; ``version``, for a version above 1, or for 0
            without ``accept_v0``; ``truncated``, for a blob that is too short; ``decrypt``, when no
            key fits or the padding of version 0 is wrong.
    """
    version = _version_of(blob, accept_v0)
    nonce, ciphertext = bytes(blob[1 : 1 + NONCE_BYTES]), bytes(blob[1 + NONCE_BYTES :])
    from cryptography.exceptions import InvalidTag  # loaded when encryption is first used

    for key in keyring.keys:
        try:
            plaintext = cipher(key).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            continue
        break
    else:
        raise RemoteError("decrypt", _NO_KEY)
    if version == 0:
        plaintext = plaintext[: _unpadded_size(plaintext)]
    if not plaintext:
        raise RemoteError("empty", _NOTHING)
    return plaintext


def open_sealed_steps(
    keyring: Keyring, blob: bytes | memoryview, aad: bytes, accept_v0: bool, out: bytearray
) -> Steps[None]:
    """``open_sealed`` into ``out``, in steps; raises the same errors.

    The contents of ``out`` are not authenticated before the last step.
    """
    if len(blob) <= _STEP_BYTES:
        out += open_sealed(keyring, blob, aad, accept_v0)
        return
    version = _version_of(blob, accept_v0)
    for key in keyring.keys:
        if (yield from _decrypt_steps(key, memoryview(blob), aad, out)):
            break
        out.clear()
    else:
        raise RemoteError("decrypt", _NO_KEY)
    if version == 0:
        del out[_unpadded_size(out) :]


def _decrypt_steps(key: bytes, blob: memoryview, aad: bytes, out: bytearray) -> Steps[bool]:
    """Decrypts with one key; False if it does not fit."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    nonce, ciphertext, tag = (
        blob[1 : 1 + NONCE_BYTES],
        blob[1 + NONCE_BYTES : -_TAG_BYTES],
        blob[-_TAG_BYTES:],
    )
    decryptor = Cipher(algorithms.AES(key), modes.GCM(bytes(nonce), bytes(tag))).decryptor()
    decryptor.authenticate_additional_data(aad)
    for start in range(0, len(ciphertext), _STEP_BYTES):
        if start:
            yield Pause.TURN
        out += decryptor.update(ciphertext[start : start + _STEP_BYTES])
    try:
        decryptor.finalize()
    except InvalidTag:
        return False
    return True


def _version_of(blob: bytes | memoryview, accept_v0: bool) -> int:
    if not blob:
        raise RemoteError("empty")
    version = blob[0]
    if version > 1 or (version == 0 and not accept_v0):
        raise RemoteError("version", f"encryption version {version}")
    if len(blob) < overhead(version):
        raise RemoteError("truncated", f"encrypted data of {len(blob)} bytes")
    return version


def _padding(plaintext: bytes, version: int) -> bytes:
    pad = _BLOCK_BYTES - len(plaintext) % _BLOCK_BYTES
    return bytes((pad,)) * pad if version == 0 else b""


def _unpadded_size(padded: bytes | bytearray) -> int:
    pad = padded[-1] if padded else 0
    if not 1 <= pad <= min(_BLOCK_BYTES, len(padded)) or padded[-pad:] != bytes((pad,)) * pad:
        raise RemoteError("decrypt", "padding")
    return len(padded) - pad
