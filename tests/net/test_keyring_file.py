"""The keyring file: Serf's form both ways, private, replaced atomically, and what a change answers then."""

from __future__ import annotations

import base64
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import swim
from swim.core.output import SaveKeys
from swim.errors import ConfigError
from swim.keyrings import fingerprint
from swim.net.keyring_file import KeyringFile, read_keyring
from tests.net.fronts.styles import FRONTS, Front, done, local
from tests.net.memory import MemoryNetwork

K1, K2 = b"0123456789abcdef", bytes(range(32))
B1, B2 = (base64.b64encode(key).decode() for key in (K1, K2))
BY_SERF = f'[\n  "{B1}",\n  "{B2}"\n]'
"""As ``json.MarshalIndent`` writes it: no line feed at the end."""


async def opened(network: MemoryNetwork, *keys: bytes, **files: Any) -> tuple[str, ...]:
    """The fingerprints of the keys that a node with these files starts with."""
    config = swim.Config.local(name="n1", keys=keys)
    transport = network.transport("10.0.0.1")
    async with swim.open_cluster(config, transport=transport, leave_timeout=0, **files) as cluster:
        assert tuple(map(fingerprint, cluster.config.keys)) == cluster.key_status().keys
        return cluster.key_status().keys


@pytest.mark.parametrize("name", ["trio", "asyncio", "blocking", "asyncio-process"])
@pytest.mark.slow
def test_a_change_is_in_the_file_when_it_is_answered_on_every_front(name: str, tmp_path: Path) -> None:
    FRONTS[name].run(rotation, FRONTS[name], tmp_path)


async def rotation(front: Front, directory: Path) -> None:
    mine, default = directory / "mine.json", directory / "data" / "keyring.json"
    async with (
        front.opened(local("n1", keys=[K1]), keyring_file=mine, leave_timeout=0) as one,
        front.opened(local("n2", keys=[K1]), data_dir=directory / "data", leave_timeout=0) as two,
    ):
        assert (await done(two.join(["{}:{}".format(*one.endpoint)]))).joined == 1
        assert not default.exists()
        assert not (await done(two.install_key(K2))).problem
        assert read_keyring(mine.read_text()) == read_keyring(default.read_text()) == (K1, K2)
        assert not (await done(one.use_key(K2))).problem
        assert not (await done(one.remove_key(K1))).problem
        assert mine.read_text() == default.read_text() == f'[\n  "{B2}"\n]'
        listed = await done(two.list_keys())
        assert (listed.keys, listed.primary, listed.members) == ({K2: 2}, {K2: 2}, 2)
        assert stat.S_IMODE(mine.stat().st_mode) == stat.S_IMODE(default.stat().st_mode) == 0o600
        refused = await done(two.remove_key(K2))
        assert refused.errors == dict.fromkeys(("n1", "n2"), "Removing the primary key is not allowed")
    async with (
        front.opened(local("n1"), keyring_file=mine, leave_timeout=0) as one,
        front.opened(local("n2", keys=[K1]), data_dir=directory / "data", leave_timeout=0) as two,
    ):
        assert (await done(two.join(["{}:{}".format(*one.endpoint)]))).joined == 1


async def test_a_file_of_serf_is_taken_over_as_it_is(network: MemoryNetwork, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(BY_SERF)
    path.chmod(0o600)
    assert await opened(network, keyring_file=path) == (fingerprint(K1), fingerprint(K2))
    assert path.read_text() == BY_SERF


async def test_a_missing_file_is_made_of_the_configured_keys(network: MemoryNetwork, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    with pytest.raises(ConfigError, match=r"^keyring_file: .*keyring\.json: No such file or directory$"):
        await opened(network, keyring_file=path)
    await opened(network, K1, K2, keyring_file=path)
    assert path.read_text() == BY_SERF
    assert os.listdir(tmp_path) == ["keyring.json"]


@pytest.mark.parametrize(
    ("configured", "is_loud"),
    [((), False), ((K1,), False), ((K1, K2), False), ((K2,), True), ((K2, K1), True)],
)
async def test_configured_keys_that_differ_from_the_file_are_loud_and_not_used(
    network: MemoryNetwork,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    configured: tuple[bytes, ...],
    is_loud: bool,
) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(BY_SERF)
    path.chmod(0o600)
    assert (await opened(network, *configured, keyring_file=path))[0] == fingerprint(K1)
    warned = [record.getMessage() for record in caplog.records if "differ" in record.getMessage()]
    assert bool(warned) == is_loud
    assert not any(B1 in text or B2 in text for text in warned)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is not JSON"),
        ("[", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ("[]", "Keyring file contains no keys"),
        ("{}", "must be a list of keys in base64"),
        ("null", "must be a list of keys in base64"),
        ("[7]", "must be a list of keys in base64"),
        ('["!"]', "key 1 is not base64"),
        (f'["{B1}", "\\ud800"]', "key 2 is not base64"),
        (f'["{B1}", "AAAA"]', "key 2 has 3 bytes; it must have 16, 24 or 32"),
        (b"\xff\xfe", "is not JSON"),
        (b"\x00", "is not JSON"),
    ],
)
async def test_a_file_of_anything_else_names_the_file_and_its_fault(
    network: MemoryNetwork, tmp_path: Path, text: str | bytes, fault: str
) -> None:
    for field, files in (
        ("keyring_file", {"keyring_file": tmp_path / "keyring.json"}),
        ("data_dir", {"data_dir": tmp_path}),
    ):
        (tmp_path / "keyring.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError, match=rf"^{field}: /.*keyring\.json: {fault}") as error:
            await opened(network, K2, **files)
        assert B1 not in str(error.value)


@given(st.binary() | st.lists(st.text() | st.sampled_from([B1, B2])).map(json.dumps).map(str.encode))
def test_any_bytes_are_keys_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-keys"
    path.write_bytes(content)
    with suppress(ConfigError):
        keys = KeyringFile(path).keys
        assert {len(key) for key in keys} <= {16, 24, 32}
        assert keys[0] == base64.b64decode(json.loads(content)[0])


@given(
    st.lists(st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)), min_size=1)
)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, keys: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "written-keys"
    path.unlink(missing_ok=True)
    file = KeyringFile(path)
    file.put(SaveKeys(1, tuple(keys)))
    file.next_save()()
    assert KeyringFile(path).keys == tuple(dict.fromkeys(keys))


def test_a_file_that_others_can_read_is_loud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(BY_SERF)
    path.chmod(0o640)
    assert KeyringFile(path).keys == (K1, K2)
    assert "mode 640" in caplog.text


async def test_a_full_disk_is_answered_and_the_newest_keys_are_written_later(
    network: MemoryNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keyring.json"
    config = swim.Config.local(name="n1", keys=[K1])
    transport = network.transport("10.0.0.1")
    async with swim.open_cluster(config, transport=transport, keyring_file=path, leave_timeout=0) as cluster:
        assert not (await cluster.install_key(K1)).problem
        sync = os.fsync

        def refuse(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        result = await cluster.install_key(K2)
        assert result.problem == "1/1 nodes reported failure"
        assert result.errors == {"n1": f"cannot write {path}: No space left on device"}
        assert cluster.key_status().keys == (fingerprint(K1), fingerprint(K2))
        assert read_keyring(path.read_text()) == (K1,)
        monkeypatch.setattr(os, "fsync", sync)
        assert not (await cluster.install_key(K2)).problem  # again: now it is stored
        assert path.read_text() == BY_SERF
