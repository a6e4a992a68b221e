"""Three real Serf agents and three nodes of ours are one cluster, whatever befalls one of either kind."""

from __future__ import annotations

import os

import pytest
import trio

from tests.interop.conftest import Pen
from tests.interop.peers import Peer, Seen, Subprocess
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

_PAUSE_SECONDS = 20.0


@pytest.mark.parametrize(
    ("pen", "key_bytes"), [("trio", 0), ("isolated", 32)], indirect=["pen"], ids=["plain", "encrypted"]
)
async def test_members_of_both_kinds_fail_leave_and_return(pen: Pen, key_bytes: int) -> None:
    key = os.urandom(key_bytes) or None
    serfs = [pen.serf(f"s{i}", key=key, tags={"kind": "serf", "n": str(i)}) for i in (1, 2, 3)]
    ours = [pen.node(f"p{i}", key=key, tags={"kind": "ours", "n": str(i)}) for i in (1, 2)]
    agent = pen.agent("p3", key=key, tags={"kind": "ours", "n": "3"})
    s1, s2, s3 = serfs
    p1, p2 = ours
    staying: list[Peer] = [s1, s2, p1, p2]
    watch = Watch([*staying, s3, agent])
    victims = _Victims(s3, agent)

    await s1.start()
    for peer, seed in ((p1, s1), (s2, p1), (s3, s1), (p2, p1), (agent, s2)):
        await peer.start(seed.address)
    addresses = {peer.name: peer.address for peer in watch.peers}
    await watch.until(lambda members: _six_alive(members, addresses))
    watch.only_failed()

    victims.pause()
    await watch.until_status("failed", victims.names, at=staying)
    await victims.resume()
    await watch.until_status("alive", addresses)
    watch.only_failed(*victims.names)

    victims.kill()
    await watch.until_status("failed", victims.names, at=staying)
    await p1.force_leave("s3")
    await s1.force_leave("p3")
    await watch.until_status("left", victims.names, at=staying)
    await s3.start(p1.address)
    await agent.start(s1.address)
    await watch.until_status("alive", addresses)
    watch.only_failed(*victims.names)

    await victims.leave()
    await watch.until_status("left", victims.names, at=staying)
    watch.only_failed(serf_may_call={"s3"})
    victims.move()
    addresses = {peer.name: peer.address for peer in watch.peers}
    await s3.start(p2.address)
    await agent.start(s2.address)
    await watch.until(lambda members: _six_alive(members, addresses))
    watch.only_failed(serf_may_call={"s3"})  # an event of the leave may be read only now

    victims.kill()
    await watch.until_status("failed", victims.names, at=staying)
    await s2.force_leave("p3", prune=True)
    await p2.force_leave("s3", prune=True)
    await watch.until(lambda members: not victims.names & members.keys(), at=staying)
    await watch.until_status("alive", {peer.name for peer in staying}, at=staying)
    watch.only_failed(*victims.names)


class _Victims:
    """One Serf agent and one of ours, to which everything happens at once."""

    def __init__(self, *peers: Subprocess) -> None:
        self.names = {peer.name for peer in peers}
        self._peers = peers
        self._paused_at = 0.0

    def pause(self) -> None:
        self._paused_at = trio.current_time()
        for peer in self._peers:
            peer.process.pause()

    async def resume(self) -> None:
        await trio.sleep_until(self._paused_at + _PAUSE_SECONDS)
        for peer in self._peers:
            peer.process.resume()

    def kill(self) -> None:
        for peer in self._peers:
            peer.kill()

    def move(self) -> None:
        for peer in self._peers:
            peer.move()

    async def leave(self) -> None:
        async with trio.open_nursery() as nursery:
            for peer in self._peers:
                nursery.start_soon(peer.leave)


def _six_alive(members: dict[str, Seen], addresses: dict[str, str]) -> bool:
    """All six are listed alive, each at its address, with its own tags and Serf's version bytes."""
    return members.keys() == addresses.keys() and all(
        member.status == "alive"
        and member.address == addresses[name]
        and member.tags.items() >= {"kind": "serf" if name[0] == "s" else "ours", "n": name[1]}.items()
        and (member.protocol, member.delegate) == ((1, 5, 2), (2, 5, 5))
        for name, member in members.items()
    )
