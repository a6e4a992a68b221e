"""Gossip keys in a cluster of real Serf agents and nodes of ours: rotations from either side, and files."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from swim.keyrings import KeyringResult, fingerprint
from tests.interop.conftest import Pen
from tests.interop.peers import Peer, SerfAgent
from tests.interop.processes import eventually

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

K1, K2, K3 = bytes(range(16)), bytes(range(32)), bytes(range(24))
B1, B2, B3 = (b64encode(key).decode() for key in (K1, K2, K3))


async def agree(*peers: Peer) -> None:
    """Every peer sees all of them alive."""
    names = {peer.name for peer in peers}

    async def alive() -> bool:
        for peer in peers:
            seen = {name for name, member in (await peer.members()).items() if member.status == "alive"}
            if seen != names:
                return False
        return True

    await eventually(alive)


async def said(go: SerfAgent, *words: str) -> str:
    """What ``serf keys`` prints when all members did it; gossip may miss one, so it is asked again."""
    for _ in range(5):
        code, text = await go.serf("keys", *words)
        if code == 0:
            return text
    raise AssertionError(text)


async def all_answer(change: Callable[[], Awaitable[KeyringResult]]) -> KeyringResult:
    """The result of a command that all members carried out; asked again if an answer is missing."""
    for _ in range(5):
        result = await change()
        if not result.missing:
            break
    assert not result.problem, result
    return result


async def test_a_rotation_from_either_side_of_a_mixed_cluster(pen: Pen) -> None:
    serfs = [pen.serf(f"go-{n}", key=K1, profile="local") for n in range(3)]
    ours = [pen.node(f"py-{n}", key=K1, profile="local", thorough=True) for n in range(3)]
    first, *others = [*serfs, *ours]
    await first.start()
    for peer in others:
        await peer.start(first.address)
    await agree(first, *others)
    # From a Go agent, with the real command.
    await said(serfs[0], "-install", B2)
    assert {node.cluster.key_status().keys for node in ours} == {(fingerprint(K1), fingerprint(K2))}
    await said(serfs[1], "-use", B2)
    await said(serfs[2], "-remove", B1)
    assert {node.cluster.key_status().keys for node in ours} == {(fingerprint(K2),)}
    assert re.search(rf"{re.escape(B2)} +\[6/6\]", await said(serfs[0], "-list"))
    # From ours.
    cluster = ours[0].cluster
    for change in (
        partial(cluster.install_key, K3),
        partial(ours[1].cluster.use_key, K3),
        partial(ours[2].cluster.remove_key, K2),
    ):
        assert (await all_answer(change)).members == 6
    listed = await all_answer(cluster.list_keys)
    assert (listed.keys, listed.primary) == ({K3: 6}, {K3: 6})
    refused = await cluster.remove_key(K3)
    assert refused.problem == "6/6 nodes reported failure"
    assert set(refused.errors.values()) <= {
        "Removing the primary key is not allowed", "removing the primary key is not allowed"
    }  # fmt: skip
    await agree(first, *others)
    assert [peer.failed() for peer in (first, *others)] == [[]] * 6


async def test_what_cannot_be_done_reads_the_same_to_the_real_command(pen: Pen) -> None:
    go, py = pen.serf("go", key=K1, profile="local"), pen.node("py", key=K1, profile="local")
    await go.start()
    await py.start(go.address)
    await agree(go, py)
    for words, text in (
        (("-remove", B1), "2/2 nodes reported failure"),
        (("-use", B2), "2/2 nodes reported failure"),
    ):
        code, printed = await go.serf("keys", *words)
        assert (code, text in printed) == (1, True), printed
    assert "Successfully removed key!" in await said(go, "-remove", B3)


async def test_a_keyring_file_goes_from_a_go_agent_to_ours_and_back(pen: Pen, tmp_path: Path) -> None:
    """The cluster runs on meanwhile: a Go agent that keeps its own file, and a node of ours."""
    path, kept = tmp_path / "moving.json", tmp_path / "kept.json"
    for file in (path, kept):
        file.write_text(json.dumps([B1]))
        file.chmod(0o600)
    still = pen.serf("still", profile="local", options=["-keyring-file", str(kept)])
    node = pen.node("node", key=K1, profile="local")
    moving = pen.serf("moving", profile="local", options=["-keyring-file", str(path)])
    await still.start()
    await node.start(still.address)
    await moving.start(still.address)
    await agree(still, node, moving)
    await all_answer(partial(node.cluster.install_key, K2))
    await all_answer(partial(node.cluster.use_key, K2))
    written_by_go = path.read_bytes()
    assert json.loads(written_by_go) == [B2, B1]
    await moving.leave()
    ours = pen.agent("moving", profile="local", options=["--keyring-file", str(path)])
    await ours.start(still.address)
    await agree(still, node, ours)
    assert path.read_bytes() == written_by_go
    await all_answer(partial(node.cluster.remove_key, K1))
    await all_answer(partial(node.cluster.install_key, K3))
    await all_answer(partial(node.cluster.use_key, K3))
    assert path.read_bytes() == kept.read_bytes() == f'[\n  "{B3}",\n  "{B2}"\n]'.encode()
    await ours.leave()
    await moving.start(still.address)
    await agree(still, node, moving)
    assert (await node.cluster.list_keys()).primary == {K3: 3}


async def test_swim_keyring_rotate_in_a_mixed_cluster(pen: Pen, tmp_path: Path) -> None:
    go, ours = pen.serf("go", key=K1, profile="local"), pen.agent("ours", key=K1, profile="local")
    await go.start()
    await ours.start(go.address)
    await agree(go, ours)
    file = tmp_path / "new.key"
    rotated = json.loads(
        await ours.command("keyring", "rotate", "--key-file", str(file), "--generate", "--json")
    )
    new = file.read_text().strip()
    assert rotated == {
        "key": fingerprint(b64decode(new)), "members": 2, "steps": ["install", "use", "remove"],
        "removed": [fingerprint(K1)], "rotated": True,
    }  # fmt: skip
    assert re.search(rf"{re.escape(new)} +\[2/2\]", await go.command("keys", "-list"))
    go.kill()
    await eventually(lambda: "go failed" in ours.logs(), describe=ours.logs)
    with pytest.raises(Exception, match="non-zero exit status 6"):  # go could not come back
        await ours.command("keyring", "rotate", "--key-file", str(tmp_path / "next.key"), "--generate")
