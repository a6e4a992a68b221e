"""Members with incompatible protocol versions are refused by one rule, from any source, and no others."""

from __future__ import annotations

import pytest

from swim.core.member import pack_address
from swim.core.output import Send
from swim.wire.codec import encode
from swim.wire.messages import Alive, NodeRecord
from tests.clusters import ELSEWHERE, add, cluster
from tests.one_node import PORT, VSN, Solo

ODD = [
    pytest.param(bytes((6, 9, 7, 0, 0, 0)), id="newer protocol"),
    pytest.param(bytes((3, 5, 3, 0, 0, 0)), id="does not read ours"),
    pytest.param(bytes((1, 9, 7, 0, 0, 0)), id="speaks what we do not read"),
    pytest.param(bytes((1, 5, 2, 2, 5, 5)), id="other delegate protocol"),
]
HOME = ("127.0.0.50", PORT)


def record(name: str, host: str, vsn: bytes = VSN) -> NodeRecord:
    return NodeRecord(name, pack_address(host), PORT, b"m1", 1, 0, vsn)


@pytest.mark.parametrize("vsn", ODD)
def test_the_odd_one_is_refused_named_and_counted_in_gossip(
    vsn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    solo = Solo()
    solo.meet("node-b")
    solo.hear(Alive(1, "odd", pack_address(HOME[0]), PORT, b"m1", vsn), source=HOME)
    assert solo.state("odd") == "absent"
    assert solo.metrics.counters["swim.dropped.versions"] == 1
    assert any("member odd refused" in message for message in caplog.messages)


@pytest.mark.parametrize("vsn", ODD)
def test_a_push_pull_that_lists_it_is_merged_without_it(vsn: bytes) -> None:
    solo = Solo()
    solo.answered(
        [record("node-b", "127.0.0.77"), record("odd", HOME[0], vsn), record("node-c", "127.0.0.3")]
    )
    assert [solo.state(name) for name in ("node-b", "odd", "node-c")] == ["alive", "absent", "alive"]
    solo.forget_outputs()
    solo.pushed([record("node-b", "127.0.0.77"), record("odd", HOME[0], vsn)])
    assert any(isinstance(action, Send) for action in solo.streams)
    assert solo.metrics.counters["swim.dropped.versions"] == 2


def test_however_many_are_refused_the_log_says_so_of_some(caplog: pytest.LogCaptureFixture) -> None:
    """An application that logs to a disk has no other limit on what others make it write."""
    solo = Solo()
    solo.meet("node-b")
    odd = bytes((6, 9, 7, 0, 0, 0))
    for number in range(100):
        solo.hear(Alive(1, f"odd-{number}", pack_address(HOME[0]), PORT, b"m1", odd), source=HOME)
        solo.pushed([record(f"odd-{number}", HOME[0], odd)])
    assert solo.metrics.counters["swim.dropped.versions"] == 100
    assert solo.metrics.counters["swim.dropped.merge-refused"] == 100
    assert 0 < len(caplog.messages) <= 20
    caplog.clear()
    solo.advance(3.0)
    solo.hear(Alive(1, "odd", pack_address(HOME[0]), PORT, b"m1", odd), source=HOME)
    assert any("member odd refused" in message for message in caplog.messages)


def test_one_odd_member_stops_no_join() -> None:
    world, (first, second) = cluster(2)
    odd = Alive(1, "odd", pack_address("10.0.9.9"), 7777, b"", bytes((1, 9, 7, 2, 5, 5)))
    for peer in (first, second):
        world.inject(peer, encode(odd), ELSEWHERE)
    joiner = add(world, "joiner")
    ticket = joiner.join([second])
    world.run_for(3)
    assert ticket.result.joined == 1
    assert set(joiner.statuses()) == {"n1", "n2", "joiner"}
