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


@pytest.mark.parametrize(
    ("pen", "key"),
    [("trio", None), ("isolated", bytes(range(16)))],
    indirect=["pen"],
    ids=["plain", "encrypted"],
)
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
        await eventually(lambda peer=peer: _lists(peer, 5), describe=agents[0].logs)
    clusters = [node.cluster for node in nodes]
    events = [cluster.events(kinds=swim.UserMessage) for cluster in clusters]
    with trio.fail_after(30):
        received: list[list[bytes]] = [[] for _ in events]
        sent: set[bytes] = set()
        async with trio.open_nursery() as nursery:
            for reader, payloads in zip(events, received, strict=True):
                nursery.start_soon(_collect, reader, payloads)
            # Gossip sends each twice only in this profile, so a few miss a member.
            while min(map(len, received)) < 20:
                sent.add(payload := b"%d" % len(sent))
                await clusters[0].broadcast(payload)
                await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        for payloads in received:
            assert len(set(payloads)) == len(payloads)
            assert set(payloads) <= sent
        assert len(received[0]) == len(sent)
        await clusters[1].send(_member(clusters[1], "n3"), bytes(65_536))
        while (message := await _next(events[2])).is_broadcast:
            pass
        assert message.payload == bytes(65_536)
        for name in ("g1", "g2"):
            with pytest.raises(swim.DeliveryError) as caught:
                await clusters[0].send(_member(clusters[0], name), b"\x04\x81")
            assert caught.value.reason == "unsupported"
    await agents[1].leave()
    # Serf may call it failed first, and then the leave forced.
    await eventually(lambda: _says(agents[0], "EventMemberLeave"), describe=agents[0].logs)
    lines = [line for agent in agents for line in agent.logs().splitlines()]
    problems = [line for line in lines if "[WARN]" in line or "[ERR]" in line]
    assert not [line for line in problems if "Serf shutdown detected" not in line]
    assert not seen.exists()


async def _collect(reader: swim.Subscription, payloads: list[bytes]) -> None:
    while True:
        payloads.append((await _next(reader)).payload)


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
