"""Members that are gone give way to tombstones, and the news of their end is sent all the same."""

from __future__ import annotations

import pytest

from swim.commands import ForceLeave
from swim.wire.messages import Dead
from tests.one_node import Lone, Solo


@pytest.mark.parametrize("name", ["node-b", "node-c"])
def test_a_dead_member_gives_way_to_its_tombstone_after_a_while(name: str) -> None:
    solo = Solo(gossip_to_the_dead_time=20.0, probe_interval=0)
    solo.meet("node-b", "node-c")
    solo.hear(Dead(1, name, name), source=("127.0.0.2", 7946) if name == "node-b" else ("127.0.1.1", 7946))
    solo.advance(19.9)
    assert (solo.state(name), list(solo.table.tombstones)) == ("left", [])
    solo.advance(0.2)
    assert (solo.state(name), list(solo.table.tombstones)) == ("absent", [name])


@pytest.mark.parametrize("is_pruned_first", [False, True])
def test_the_death_of_a_pruned_member_is_sent_as_often_as_any(is_pruned_first: bool) -> None:
    """Its record goes at once; its dead claim must not go with it, unsent."""
    lone = Lone()
    lone.meet("x", "y", "z")
    lone.settle()
    steps = [lambda: lone.command(ForceLeave("x", prune=True)), lambda: lone.fail("x")]
    for step in steps if is_pruned_first else reversed(steps):
        step()
    assert lone.status("x") == "unknown"
    assert lone.node.inspect().table.get("x") is None
    limit = lone.node.inspect().broadcasts.limit
    lone.advance(10.0)
    told = [to for to, message in lone.sent() if isinstance(message, Dead) and message.node == "x"]
    assert len(told) == limit
    assert not lone.node.inspect().broadcasts.waiting
