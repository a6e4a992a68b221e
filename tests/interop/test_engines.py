"""A node in a thread and one in a process of its own are full peers of real Serf agents."""

from __future__ import annotations

import os

import pytest

from tests.interop.conftest import Pen
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]


async def test_isolated_nodes_among_serf_agents_join_fail_leave_and_come_back(pen: Pen) -> None:
    key = os.urandom(32)
    s1, s2 = (pen.serf(f"s{i}", key=key, tags={"kind": "serf"}) for i in (1, 2))
    t1, t2 = (pen.node(f"{e}-1", key=key, tags={"kind": "ours"}, engine=e) for e in ("thread", "process"))
    staying, names = [s1, s2, t1], {"s1", "s2", t1.name, t2.name}
    watch = Watch([*staying, t2])
    await s1.start()
    for peer, seed in ((t1, s1), (s2, t1), (t2, s2)):
        await peer.start(seed.address)
    await watch.until_status("alive", names)
    watch.only_failed()

    t2.kill()
    await watch.until_status("failed", {t2.name}, at=staying)
    watch.only_failed(t2.name)
    await t2.start(s1.address)
    await watch.until_status("alive", names)

    await t2.leave()
    await watch.until_status("left", {t2.name}, at=staying)
    t2.move()
    await t2.start(s2.address)
    await watch.until_status("alive", names)

    s2.kill()
    await watch.until_status("failed", {"s2"}, at=[s1, t1, t2])
    await t2.force_leave("s2")
    await watch.until_status("left", {"s2"}, at=[s1, t1, t2])
    t1.faults.pause()
    await watch.until_status("failed", {t1.name}, at=[s1, t2])
    t1.faults.resume()
    await watch.until_status("alive", {"s1", t1.name, t2.name}, at=[s1, t1, t2])
    for node in (t1, t2):
        assert set(node.failed()) <= {"s2", t1.name, t2.name}
