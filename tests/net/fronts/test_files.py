"""The files of a node, on every front: read at the start and kept up to date."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.net.fronts.styles import Front, done, every_front, local

pytestmark = pytest.mark.slow


async def keep_files(front: Front, directory: Path) -> None:
    files = {"snapshot_file": directory / "kept" / "snapshot", "tags_file": directory / "tags.json"}
    mine = local("n1", rejoin_after_leave=True)
    async with front.opened(local("n2"), leave_timeout=0) as two, front.opened(mine, **files) as one:
        await done(one.join(["{}:{}".format(*two.endpoint)]))
        await done(one.set_tags({"role": "web"}))
        await done(one.update_tags({"v": "1"}))
        incarnation = one.local.incarnation
    text = files["snapshot_file"].read_text()
    assert "\nalive: n2 127.0.0.1:" in text
    assert text.endswith("\nleave\n")
    assert json.loads(files["tags_file"].read_text()) == {"role": "web", "v": "1"}
    async with front.opened(mine, **files, leave_timeout=0) as one:
        assert one.config.tags == one.local.tags == {"role": "web", "v": "1"}
        assert one.local.incarnation > incarnation


@every_front
def test_files_are_kept_on_every_front(front: Front, tmp_path: Path) -> None:
    front.run(keep_files, front, tmp_path)
