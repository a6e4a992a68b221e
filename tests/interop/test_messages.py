"""Messages beside real Serf agents: they reach our members, and the agents log nothing about them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import swim
from tests.interop.conftest import Pen
from tests.interop.peers import SerfAgent
from tests.interop.processes import eventually

pytestmark = [pytest.mark.slow, pytest.mark.peers("serf")]


@pytest.mark.parametrize("key", [None, bytes(range(16))], ids=["plain", "encrypted"])
async def test_serf_agents_pass_broadcasts_on_and_notice_nothing(
    pen: Pen, tmp_path: Path, key: bytes | None
) -> None:
    seen = tmp_path / "seen"
    agents = [
        pen.serf(f"g{n}", key=key, profile="local", handlers=[f"user,query=echo x >> {seen}"]) for n in (1, 2)
    ]
    nodes = [pen.node(f"n{n}", key=key, profile="local") for n in (1, 2, 3)]
    await agents[0].start()
    for peer in [agents[1], *nodes]:
        await peer.start(agents[0].address)
    for peer in [*agents, *nodes]:
        await eventually(lambda peer=peer: _lists(peer, 5), 15, describe=agents[0].logs)
    clusters = [node.cluster for node in nodes]
    events = [cluster.events(kinds=swim.UserMessage) for cluster in clusters]
    with trio.fail_after(15):
        for number in range(20):
            await clusters[0].broadcast(b"%d" % number)
        for reader in events:
            payloads = {(await _next(reader)).payload for _ in range(20)}
            assert payloads == {b"%d" % number for number in range(20)}
        await clusters[1].send(_member(clusters[1], "n3"), bytes(65_536))
        assert (await _next(events[2])).payload == bytes(65_536)
        for name in ("g1", "g2"):
            with pytest.raises(swim.DeliveryError) as caught:
                await clusters[0].send(_member(clusters[0], name), b"\x04\x81")
            assert caught.value.reason == "unsupported"
    await agents[1].leave()
    await eventually(lambda: _says(agents[0], "EventMemberLeave: g2"), 15, describe=agents[0].logs)
    lines = [line for agent in agents for line in agent.logs().splitlines()]
    problems = [line for line in lines if "[WARN]" in line or "[ERR]" in line]
    assert not [line for line in problems if "Serf shutdown detected" not in line]
    assert not seen.exists()


async def _next(reader: swim.Subscription) -> swim.UserMessage:
    event = await anext(reader)
    assert isinstance(event, swim.UserMessage)
    return event


def _member(cluster: swim.Cluster, name: str) -> swim.Member:
    member = cluster.member(name)
    assert member is not None
    return member


async def _lists(peer: object, count: int) -> bool:
    return len(await peer.members()) == count  # type: ignore[attr-defined]


async def _says(peer: SerfAgent, text: str) -> bool:
    return text in peer.logs()
