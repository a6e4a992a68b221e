"""A member that left comes back through one of ours, next to real Serf agents, which never forget."""

from __future__ import annotations

import pytest
import trio

import swim
from tests.interop.conftest import Pen
from tests.interop.peers import OurNode, SerfAgent
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

_REAPED_AFTER = 1.0
_WITHIN = 40.0
_SEEN_WITHIN = 5.0
"""Without a refutation it stays unseen until its next push/pull with a Serf agent: 15 s."""


@pytest.mark.parametrize("kind", ["ours", "serf"])
async def test_a_member_back_after_its_leave_is_seen_by_all_and_joins_once(pen: Pen, kind: str) -> None:
    serfs = [pen.serf(f"s{i}", profile="local") for i in (1, 2, 3, 4)]
    ours = [
        pen.node(f"p{i}", profile="local", gossip_to_the_dead_time=_REAPED_AFTER, probe_interval=1.0)
        for i in (1, 2, 3, 4)
    ]
    returning: OurNode | SerfAgent = ours[3] if kind == "ours" else serfs[3]
    staying = [peer for peer in [*serfs, *ours] if peer is not returning]
    watching = [node for node in ours if node is not returning]
    watch = Watch([*serfs, *ours])
    names = {peer.name for peer in watch.peers}

    await serfs[0].start()
    for peer in watch.peers[1:]:
        await peer.start(serfs[0].address)
    await watch.until_status("alive", names, _WITHIN)
    await returning.leave()
    await watch.until_status("left", {returning.name}, _WITHIN, at=staying)
    await trio.sleep(4 * _REAPED_AFTER)  # ours hold no record of it any more

    for node in watching:
        node.events.clear()
    began = trio.current_time()
    await returning.start(ours[0].address)
    await watch.until_status("alive", {returning.name}, _SEEN_WITHIN)
    print(f"seen by all after {trio.current_time() - began:.2f} s")
    await trio.sleep(3.0)
    await watch.until_status("alive", {returning.name}, 0)
    for node in watching:
        news = [
            type(event)
            for event in node.events
            if isinstance(event, swim.MemberEvent) and event.member.name == returning.name
        ]
        assert news.count(swim.MemberJoined) == 1, (node.name, news)
        assert not {swim.MemberLeft, swim.MemberFailed, swim.MemberLeaving} & set(news), (node.name, news)
