"""A member that left comes back through one of ours, next to real Serf agents, which never forget."""

from __future__ import annotations

import pytest
import trio

import swim
from tests.interop.conftest import Pen
from tests.interop.peers import OurNode, Peer, SerfAgent
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

_REAPED_AFTER = 1.0
_SEEN_WITHIN = 2.0
"""Seconds; where a first join takes more than one, the return may take twice as long.

Without a refutation it stays unseen until its next push/pull with a Serf agent: 15 s.
"""
_CONFIRMED_AFTER = 3.0
"""Seconds in which a second join event, or a departure, would come."""


async def seen_after(watch: Watch, newcomer: Peer, through: Peer) -> float:
    """Seconds from the start of a newcomer until every peer lists it as alive."""
    began = trio.current_time()
    await newcomer.start(through.address)
    await watch.until_status("alive", {newcomer.name})
    return trio.current_time() - began


@pytest.mark.parametrize("kind", ["ours", "serf"])
async def test_a_member_back_after_its_leave_is_seen_by_all_and_joins_once(pen: Pen, kind: str) -> None:
    serfs = [pen.serf(f"s{i}", profile="local") for i in (1, 2, 3, 4)]
    ours = [
        pen.node(
            f"p{i}", profile="local", gossip_to_the_dead_time=_REAPED_AFTER, probe_interval=1.0, thorough=True
        )
        for i in (1, 2, 3, 4)
    ]
    returning: OurNode | SerfAgent = ours[3] if kind == "ours" else serfs[3]
    staying = [peer for peer in [*serfs, *ours] if peer is not returning]
    watching = [node for node in ours if node is not returning]
    watch = Watch([*serfs, *ours])
    names = {peer.name for peer in watch.peers}

    await ours[0].start()
    for peer in [*ours[1:], *serfs]:
        await peer.start(ours[0].address)
    await watch.until_status("alive", names)
    guest = pen.node("guest", profile="local")
    first = await seen_after(watch, guest, ours[0])
    await guest.leave()
    await returning.leave()
    await watch.until_status("left", {returning.name}, at=staying)
    await trio.sleep(4 * _REAPED_AFTER)  # ours hold no record of it any more

    for node in watching:
        node.events.clear()
    joins = {serf.name: serf.joins(returning.name) for serf in serfs if serf is not returning}
    seconds = await seen_after(watch, returning, ours[0])
    print(f"seen by all after {seconds:.2f} s, at a first join after {first:.2f} s")
    assert seconds < max(_SEEN_WITHIN, 2 * first)
    await trio.sleep(_CONFIRMED_AFTER)
    await watch.until_status("alive", {returning.name})
    for serf in serfs:
        if serf is not returning:
            assert serf.joins(returning.name) == joins[serf.name] + 1, serf.logs()
    for node in watching:
        news = [
            type(event)
            for event in node.events
            if isinstance(event, swim.MemberEvent) and event.member.name == returning.name
        ]
        assert news.count(swim.MemberJoined) == 1, (node.name, news)
        assert not {swim.MemberLeft, swim.MemberFailed, swim.MemberLeaving} & set(news), (node.name, news)
