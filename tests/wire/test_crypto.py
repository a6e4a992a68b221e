"""Encryption and the keyring."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.errors import LocalError, RemoteError
from swim.keyrings import fingerprint
from swim.wire.crypto import open_sealed, open_sealed_steps, overhead, seal, seal_steps, sealed_size
from swim.wire.keyring import Keyring, cipher
from swim.wire.steps import Pause, Steps
from tests.vectors.differences import ON_THE_WIRE
from tests.vectors.of_memberlist import KEY, load, select, some

OTHER, THIRD = bytes(24), bytes(range(32))


@pytest.mark.parametrize("vector", select(load("encryption"), lambda v: "version" in v["fields"]))
def test_vectors_both_ways(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    key, aad, plaintext = some(fields["key"]), some(fields["aad"]), some(fields["plaintext"])
    assert seal(key, plaintext, aad, some(fields["nonce"]), fields["version"]) == data
    assert sealed_size(len(plaintext), fields["version"]) == len(data) == fields["length"]
    reason = ON_THE_WIRE.get(f"encryption/{vector['name']}", "").partition(":")[0]
    if reason:
        with pytest.raises(RemoteError, match="version" if fields["version"] == 0 else reason):
            open_sealed(Keyring([key]), data, aad, False)
    if reason == "empty":
        with pytest.raises(RemoteError, match="empty"):
            open_sealed(Keyring([key]), data, aad, True)
    else:
        assert open_sealed(Keyring([key]), data, aad, True) == plaintext


@pytest.mark.parametrize("vector", select(load("encryption"), lambda v: "error" in v["fields"]))
@pytest.mark.parametrize("accept_v0", [False, True])
def test_broken_vectors_are_refused(vector, accept_v0):
    fields = vector["fields"]
    with pytest.raises(RemoteError) as caught:
        open_sealed(
            Keyring([some(fields["key"])]), bytes.fromhex(vector["hex"]), some(fields["aad"]), accept_v0
        )
    relabelled = "truncated" if accept_v0 else "version"
    expected = {"err-version-2": "version", "err-empty": "empty", "err-28-bytes": "truncated"}
    expected["err-v1-relabelled-v0"] = relabelled
    assert caught.value.reason == expected.get(vector["name"], "decrypt")


@pytest.mark.parametrize("padded", [b"x" * 15 + b"\0", b"x" * 15 + b"\x11", b"x" * 14 + b"\1\2", b"x" * 15])
def test_padding_of_version_0_is_checked(padded):
    blob = b"\0" + seal(KEY, padded, b"", bytes(12))[1:]
    with pytest.raises(RemoteError) as caught:
        open_sealed(Keyring([KEY]), blob, b"", True)
    assert caught.value.reason == ("decrypt" if len(blob) >= overhead(0) else "truncated")


@given(
    st.sampled_from([KEY, OTHER, THIRD]),
    st.binary(min_size=1, max_size=100),
    st.binary(max_size=20),
    st.sampled_from([0, 1]),
)
def test_round_trip_with_any_key_of_the_ring(key, plaintext, aad, version):
    blob = seal(key, plaintext, aad, bytes(12), version)
    assert open_sealed(Keyring([OTHER, THIRD, KEY]), blob, aad, True) == plaintext
    assert len(plaintext) < len(blob) <= len(plaintext) + overhead(version)
    with pytest.raises(RemoteError, match="decrypt"):
        open_sealed(Keyring([OTHER, THIRD, KEY]), blob, aad + b"x", True)


MIB = 1 << 20


def stepped(work: Steps[bytes | None]) -> tuple[int, bytes | None]:
    """How often it paused, and what came out."""
    pauses = 0
    while True:
        try:
            assert next(work) is Pause.TURN
        except StopIteration as finished:
            return pauses, finished.value
        pauses += 1


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("size", [1, MIB, MIB + 1, 5 * MIB - 16, 5 * MIB + 3])
def test_in_steps_it_is_the_same(size: int, version: int) -> None:
    plaintext = bytes(range(256)) * (size // 256) + bytes(size % 256)
    pauses, blob = stepped(seal_steps(KEY, plaintext, b"label", bytes(12), version))
    assert blob == seal(KEY, plaintext, b"label", bytes(12), version)
    assert pauses == (size - 1) // MIB
    for ring in ([KEY], [OTHER, THIRD, KEY]):
        out = bytearray()
        pauses, _ = stepped(open_sealed_steps(Keyring(ring), memoryview(blob), b"label", True, out))
        assert out == plaintext
        assert pauses >= len(ring) * ((size - 1) // MIB)


@pytest.mark.parametrize("size", [100, 2 * MIB + 7])
@pytest.mark.parametrize("version", [0, 1])
def test_in_steps_whatever_is_wrong_is_found(size: int, version: int) -> None:
    blob = seal(KEY, bytes(size), b"", bytes(12), version)
    for at in (0, 1, 13, len(blob) // 2, len(blob) - 1):
        wrong = blob[:at] + bytes((blob[at] ^ 2,)) + blob[at + 1 :]
        with pytest.raises(RemoteError, match=r"decrypt|version"):
            stepped(open_sealed_steps(Keyring([KEY, OTHER]), memoryview(wrong), b"", True, bytearray()))
    with pytest.raises(RemoteError, match="version"):
        stepped(open_sealed_steps(Keyring([KEY]), memoryview(b"\0" + blob[1:]), b"", False, bytearray()))
    padded = b"\0" + seal(KEY, bytes(size // 16 * 16), b"", bytes(12))[1:]
    with pytest.raises(RemoteError, match="padding"):
        stepped(open_sealed_steps(Keyring([KEY]), memoryview(padded), b"", True, bytearray()))


@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_are_refused(blob, accept_v0):
    with pytest.raises(RemoteError):
        open_sealed(Keyring([KEY]), blob, b"", accept_v0)


def test_keys_rotate():
    ring = Keyring()
    assert not ring
    assert ring.primary is None
    ring.add(KEY)
    ring.add(OTHER)
    ring.add(KEY)
    assert ring.keys == (KEY, OTHER)
    ring.use(OTHER)
    assert ring.keys == (OTHER, KEY)
    assert ring.primary == OTHER
    ring.remove(KEY)
    ring.remove(KEY)
    assert ring.keys == (OTHER,)


def test_a_removed_key_decrypts_nothing_from_then_on():
    ring, blob = Keyring([OTHER, KEY]), seal(KEY, b"\x08x", b"", bytes(12))
    assert open_sealed(ring, blob, b"", False) == b"\x08x"
    ring.remove(KEY)
    with pytest.raises(RemoteError, match="decrypt"):
        open_sealed(ring, blob, b"", False)


def test_impossible_changes_leave_the_keyring_alone():
    ring = Keyring([KEY, OTHER])
    with pytest.raises(LocalError, match="Removing the primary key is not allowed"):
        ring.remove(KEY)
    with pytest.raises(LocalError, match="Requested key is not in the keyring"):
        ring.use(THIRD)
    with pytest.raises(LocalError, match="key size must be 16, 24 or 32 bytes"):
        ring.add(b"short")
    assert ring.keys == (KEY, OTHER)


def test_keys_are_shown_as_fingerprints_only():
    ring = Keyring([KEY])
    assert repr(ring) == f"Keyring({fingerprint(KEY)})"
    assert KEY.hex() not in repr(ring)
    assert len(fingerprint(KEY)) == 12


@pytest.mark.slow
def test_cryptography_is_loaded_only_when_it_is_needed():
    code = "import sys, swim.wire.packet, swim.wire.stream; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_removed_keys_cipher_is_let_go() -> None:
    keyring = Keyring([b"a" * 16, b"b" * 16])
    blob = seal(b"b" * 16, b"text", b"", b"n" * 12)
    assert open_sealed(keyring, blob, b"", False) == b"text"
    kept = cipher(b"b" * 16)
    assert cipher(b"b" * 16) is kept
    keyring.remove(b"b" * 16)
    assert cipher.cache_info().currsize == 0
    with pytest.raises(RemoteError):
        open_sealed(keyring, blob, b"", False)
