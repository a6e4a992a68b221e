"""Network coordinates and pings between real Serf agents and our nodes."""

from __future__ import annotations

import pytest
import trio

from agent_api.client import AgentClient
from tests.interop.conftest import Pen
from tests.interop.peers import SerfAgent
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]


async def rtt(agent: SerfAgent, one: str, other: str) -> float | None:
    """What the real ``serf rtt`` prints, in milliseconds; None while there is no estimate."""
    code, text = await agent.serf("rtt", one, other)
    if code:
        return None
    words = text.split()
    assert (words[:4], words[4], words[6]) == (["Estimated", one, "<->", other], "rtt:", "ms")
    return float(words[5])


async def test_both_sides_estimate_round_trips_and_answer_every_ping(pen: Pen) -> None:
    s1, s2, p1, a1 = pen.serf("s1"), pen.serf("s2"), pen.node("p1"), pen.agent("a1")
    await s1.start()
    for peer in (s2, p1, a1):
        await peer.start(s1.address)
    await Watch([s1, s2, p1, a1]).until_status("alive", {"s1", "s2", "p1", "a1"})

    async def theirs() -> bool:
        found = [await rtt(s1, one, other) for one, other in (("s1", "p1"), ("p1", "a1"), ("s2", "a1"))]
        return all(milliseconds is not None and 0 < milliseconds < 200 for milliseconds in found)

    def ours() -> bool:
        own, others = p1.cluster.coordinate(), [p1.cluster.coordinate(name) for name in ("s1", "s2", "a1")]
        return own is not None and all(it is not None and 0 < own.distance_to(it) < 0.2 for it in others)

    await eventually(theirs, describe=s1.logs)
    await eventually(ours, describe=lambda: p1.cluster.metrics)
    dropped = {name for name in p1.cluster.metrics.counters if "coordinate" in name}
    assert not dropped - {"serf.coordinate.zero-rtt"}

    client = AgentClient(a1.url)
    await eventually(lambda: client.rtt("s1", "s2")["rtt"] is not None, describe=a1.logs)
    *rows, summary = await trio.to_thread.run_sync(lambda: list(client.reachability(ping_timeout=2.0)))
    assert [row["name"] for row in rows] == ["a1", "p1", "s1", "s2"]
    for row in rows[1:]:
        assert None not in (row["packet"], row["stream"], row["relay"]), row
    assert (summary["acked"], summary["missing"]) == (["a1", "p1", "s1", "s2"], [])
