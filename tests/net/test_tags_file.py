"""The tags file: Serf's form both ways, private, replaced atomically, and indifferent to full disks."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import swim
from swim.errors import ConfigError
from swim.net.tags_file import TagsFile
from tests.net.memory import MemoryNetwork

BY_SERF = '{\n  "dc": "eu",\n  "role": "web"\n}'


async def opened(network: MemoryNetwork, path: Path, **tags: str) -> dict[str, str]:
    """The tags that a node with this file starts with."""
    config = swim.Config.local(name="n1", tags=tags)
    transport = network.transport("10.0.0.1")
    async with swim.open_cluster(config, transport=transport, tags_file=path, leave_timeout=0) as cluster:
        assert dict(cluster.config.tags) == dict(cluster.local.tags)
        return dict(cluster.local.tags)


async def test_a_file_of_serf_gives_the_tags_and_none_is_made_without_a_change(
    network: MemoryNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "tags.json"
    assert await opened(network, path) == {}
    assert not path.exists()
    path.write_text(BY_SERF)
    assert await opened(network, path) == {"dc": "eu", "role": "web"}
    assert path.read_text() == BY_SERF


async def test_every_change_is_written_once_it_is_known_to_be_right(
    network: MemoryNetwork, tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "tags.json"
    config = swim.Config.local(name="n1")
    transport = network.transport("10.0.0.1")
    async with swim.open_cluster(config, transport=transport, tags_file=path, leave_timeout=0) as cluster:
        await cluster.set_tags({"role": "web", "dc": "eu"})
        await until(lambda: path.exists() and path.read_text() == BY_SERF)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(ConfigError, match="the largest is 'big'"):
            await cluster.update_tags({"big": "x" * 512})
        with pytest.raises(ConfigError, match="the largest is 'big'"):
            await cluster.set_tags({"role": "db", "big": "x" * 512})
        await cluster.update_tags({"ü": "\udcff", "a": "\t"}, remove=["dc"])
        await until(lambda: "ü" in path.read_text(errors="replace"))
    assert await opened(network, path) == {"role": "web", "ü": "\udcff", "a": "\t"}
    assert os.listdir(tmp_path) == ["tags.json"]


async def test_the_last_change_is_written_even_if_the_block_ends_at_once(
    network: MemoryNetwork, tmp_path: Path
) -> None:
    config = swim.Config.local(name="n1")
    transport = network.transport("10.0.0.1")
    async with swim.open_cluster(
        config, transport=transport, tags_file=tmp_path / "tags", leave_timeout=0
    ) as cluster:
        cluster.do(swim.SetTags({"role": "web"}))
    assert json.loads((tmp_path / "tags").read_text()) == {"role": "web"}


async def test_configured_tags_exclude_a_tags_file(network: MemoryNetwork, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^tags_file: Tags config not allowed while using tag files$"):
        await opened(network, tmp_path / "tags.json", role="web")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "7", '{"a": 1}', '{"a": null}', '{"a": {"b": "c"}}', "{", '{"a": "\\ud800"}', "[" * 100_000,
        "1" * 10_000, '{"a": "' + "x" * 600 + '"}', b"\xff\xfe", b"\x00",
    ],
)  # fmt: skip
async def test_a_file_of_anything_else_is_a_clear_error(
    network: MemoryNetwork, tmp_path: Path, text: str | bytes
) -> None:
    path = tmp_path / "tags.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r"^tags_file: /.*tags\.json: "):
        await opened(network, path)


NESTED = st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps)


@given(st.one_of(st.binary(), NESTED.map(str.encode)))
def test_any_bytes_are_tags_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-tags"
    path.write_bytes(content)
    try:
        tags = TagsFile(path).tags
    except ConfigError as error:
        field = error.field
    else:
        field = "tags_file"
        assert dict(tags) == json.loads(content.decode("utf-8", "surrogateescape"))
    assert field == "tags_file"


def test_a_full_disk_is_one_warning_and_the_newest_tags_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = TagsFile(tmp_path / "tags.json")
    sync = os.fsync

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert file.pause is None
    for role in ("web", "db"):
        file.put({"role": role})
        assert file.pause == 0.0
        file.next_save()()
        assert file.pause
    assert os.listdir(tmp_path) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    monkeypatch.setattr(os, "fsync", sync)
    file.next_save()()
    assert (file.pause, TagsFile(tmp_path / "tags.json").tags) == (None, {"role": "db"})


async def until(condition: Any) -> None:
    while not condition():  # noqa: ASYNC110  a thread writes, in real time
        await trio.sleep(0.01)
