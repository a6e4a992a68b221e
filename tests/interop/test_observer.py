"""An observer reads the members of real Serf agents and of ours, and leaves no trace there."""

from __future__ import annotations

from functools import partial

import pytest

import swim
from tests.interop.conftest import Pen
from tests.interop.peers import SerfAgent
from tests.interop.processes import eventually

pytestmark = [pytest.mark.slow, pytest.mark.peers("serf")]

KEY = bytes(range(16))


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
async def test_serf_agents_are_read_and_notice_nothing(pen: Pen, key: bytes | None) -> None:
    first = pen.serf("g1", tags={"role": "db"}, key=key, profile="local")
    second = pen.serf("g2", key=key, profile="local")
    await first.start()
    await second.start(first.address)
    await eventually(lambda: _lists(first, 2), describe=first.logs)
    before, lines = await first.members(), first.logs().count("\n")
    found = await swim.observe([first.address], keys=[] if key is None else [key])
    assert [(m.name, m.status, dict(m.tags)) for m in found] == [
        ("g1", "alive", {"role": "db"}),
        ("g2", "alive", {}),
    ]
    assert await first.members() == before
    await second.leave()
    await eventually(lambda: _says(first, "EventMemberLeave: g2"), describe=first.logs)
    news = first.logs().splitlines()[lines:]
    assert not [line for line in news if "[WARN]" in line or "[ERR]" in line], news
    assert "observer" not in first.logs()


async def test_of_agents_that_failed_or_left_one_reads_so(pen: Pen) -> None:
    first = pen.serf("g1", profile="local")
    node, gone = pen.node("n1", profile="local"), pen.serf("g2", profile="local")
    await first.start()
    await node.start(first.address)
    await gone.start(first.address)
    await eventually(lambda: _lists(first, 3), describe=first.logs)
    await gone.leave()
    await eventually(partial(_states, node.address, {"g1": "alive", "g2": "left", "n1": "alive"}))
    await eventually(partial(_states, first.address, {"g1": "alive", "g2": "left", "n1": "alive"}))


async def test_an_encrypted_cluster_says_no_without_its_key(pen: Pen) -> None:
    agent = pen.serf("g1", key=KEY)
    await agent.start()
    for keys, text in (((), "no key was given"), ([bytes(16)], "another key")):
        with pytest.raises(swim.ObserverError, match=text) as caught:
            await swim.observe([agent.address], keys=keys)
        assert caught.value.exit_code == 6


async def _says(peer: SerfAgent, text: str) -> bool:
    return text in peer.logs()


async def _lists(peer: object, count: int) -> bool:
    return len(await peer.members()) == count  # type: ignore[attr-defined]


async def _states(address: str, wanted: dict[str, str]) -> bool:
    return {member.name: str(member.status) for member in await swim.observe([address])} == wanted
