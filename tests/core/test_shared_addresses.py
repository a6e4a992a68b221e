"""Several names at one address: a node started again under another name, or a ghost beside a member."""

from __future__ import annotations

import pytest

from swim.core.member import pack_address
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, NodeRecord, Ping
from tests.one_node import PORT, VSN, Solo

HOME = ("127.0.0.50", PORT)


def claim(name: str, incarnation: int = 1) -> Alive:
    return Alive(incarnation, name, pack_address(HOME[0]), PORT, None, VSN)


def succeeded(*, dead_first: bool) -> Solo:
    """``old`` is dead, and ``new`` answers at its address, whichever was heard first."""
    solo = Solo(probe_interval=0, push_pull_interval=0, gossip_interval=0)
    solo.meet("node-c")
    solo.hear(claim("old"), source=HOME)
    if dead_first:
        solo.hear(Dead(1, "old", "x"))
        solo.advance(1.0)
        solo.hear(claim("new"), source=HOME)
    else:
        solo.hear(claim("new"), source=HOME)
        solo.hear(Dead(1, "old", "x"))
        solo.advance(1.0)
    solo.forget_outputs()
    assert (solo.state("old"), solo.state("new")) == ("dead", "alive")
    return solo


@pytest.mark.parametrize("dead_first", [True, False])
@pytest.mark.parametrize("seconds", [0.0, 60.0], ids=["dead", "reaped"])
def test_pings_are_relayed_to_the_live_one_and_its_packets_are_its_own(
    dead_first: bool, seconds: float
) -> None:
    solo = succeeded(dead_first=dead_first)
    solo.hear(Dead(2, "old", "y"), source=("127.0.1.0", PORT))  # heard again, later
    solo.advance(seconds)
    solo.forget_outputs()
    found = solo.table.at(HOME)
    assert found is not None
    assert found.name == "new"
    solo.hear(IndirectPing(9, pack_address(HOME[0]), PORT, "new", True), source=("127.0.1.0", PORT))
    [(to, ping)] = solo.sent_of(Ping)
    assert (to, ping.node) == (HOME, "new")
    solo.hear(Ping(5, "node-a", pack_address(HOME[0]), PORT, "new"), source=HOME)
    assert solo.sent() == [(HOME, [Ack(5)])], "nothing is held against the new one"


def test_a_ghost_at_a_members_address_is_not_vouched_for_by_its_packets() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0, gossip_interval=0)
    solo.meet("node-c")
    solo.hear(claim("real"), source=HOME)
    solo.hear(claim("ghost"), source=("127.0.1.0", PORT))
    solo.hear(Ping(5, "node-a"), source=HOME)
    ghost, real = solo.record("ghost"), solo.record("real")
    assert ghost is not None
    assert real is not None
    assert (ghost.verified, real.verified) == (False, True)


def test_of_two_that_nobody_has_seen_neither_is_vouched_for_by_a_packet() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0, gossip_interval=0)
    solo.meet("node-c")
    solo.advance(60.0)
    solo.answered(
        NodeRecord(one.node, one.addr, one.port, one.meta, one.incarnation, 0, one.vsn)
        for one in map(claim, ("one", "other"))
    )
    pings = {ping.node: ping for _, ping in solo.sent_of(Ping)}
    solo.hear(Ping(5, "node-a"), source=HOME)
    assert not any(record.verified for name in pings if (record := solo.record(name)) is not None)
    solo.hear(Ack(pings["other"].seq_no), source=HOME)
    found = solo.table.at(HOME)
    assert found is not None
    assert (found.name, found.verified) == ("other", True), "an ack names who answers"
