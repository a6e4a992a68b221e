"""What the tags file and the keyring file have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from swim.errors import ConfigError
from swim.net.keyring_file import KeyringFile
from swim.net.tags_file import TagsFile


@pytest.mark.parametrize("kind", ["link", "directory", "fifo", "loop"])
@pytest.mark.parametrize(
    ("opened", "field", "content"),
    [
        (TagsFile, "tags_file", '{"role": "web"}'),
        (KeyringFile, "keyring_file", '["AAAAAAAAAAAAAAAAAAAAAA=="]'),
    ],
)
def test_what_is_no_file_is_refused_without_waiting_for_it(
    opened: Callable[[Path], object], field: str, content: str, tmp_path: Path, kind: str
) -> None:
    path, target = tmp_path / "kept.json", tmp_path / "target"
    target.write_text(content)
    opened(target)
    match kind:
        case "link":
            path.symlink_to(target)
        case "loop":
            path.symlink_to(path)
        case "directory":
            path.mkdir()
        case _:
            os.mkfifo(path)
    with pytest.raises(ConfigError, match=rf"{field}: .*(symbolic link|not a regular file|Is a directory)"):
        opened(path)
