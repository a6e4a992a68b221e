"""Push/pulls between members that agree: the same bytes, nothing learnt, and nothing missed afterwards."""

from __future__ import annotations

from swim.core.member import State, pack_address
from swim.core.output import Send
from swim.wire.messages import NodeRecord, PushPull, Suspect
from swim.wire.stream import StreamParser
from tests.one_node import VSN, Solo


def pushed_back(solo: Solo) -> PushPull:
    """What the node answered last to a push/pull."""
    answer = next(action.data for action in reversed(solo.streams) if isinstance(action, Send))
    message = StreamParser(solo.stream_codec, acceptor=False).feed(answer)
    assert isinstance(message, PushPull)
    return message


def solo_with(*names: str) -> Solo:
    solo = Solo(verify_second_hand=False)
    for name in names:
        record = NodeRecord(name, pack_address(f"127.0.1.{ord(name)}"), 7946, b"m1", 1, 0, VSN)
        solo.pushed([record])
    solo.forget_outputs()
    return solo


def test_equal_tables_are_equal_bytes_in_whatever_order_members_came() -> None:
    ways = [solo_with(*order) for order in ("xyz", "zxy", "yzx")]
    answers = []
    for solo in ways:
        solo.pushed([])
        answers.append(next(action.data for action in solo.streams if isinstance(action, Send)))
    assert answers[0] == answers[1] == answers[2]
    assert [record.name for record in pushed_back(ways[0]).records] == ["node-a", "x", "y", "z"]


def test_the_same_state_again_changes_nothing_and_is_counted_as_before() -> None:
    solo = solo_with(*"xyz")
    solo.pushed([])
    records = pushed_back(solo).records
    counted = []
    for _ in range(3):
        before = solo.metrics.counters["memberlist.msg.alive"]
        solo.pushed(records)
        counted.append(solo.metrics.counters["memberlist.msg.alive"] - before)
    assert counted == [4, 4, 4]
    assert (solo.queued, solo.upstairs.events) == ([], [])


def test_one_record_that_differs_is_noticed_among_many_that_do_not() -> None:
    solo = solo_with(*"wxyz")
    solo.pushed([])
    records = pushed_back(solo).records
    solo.pushed(records)
    solo.pushed(record._replace(incarnation=2) if record.name == "y" else record for record in records)
    told = {record.name: record.incarnation for record in solo.table}
    assert told == {"node-a": 1, "w": 1, "x": 1, "y": 2, "z": 1}


def test_a_state_that_said_nothing_new_says_something_to_a_table_that_changed() -> None:
    solo = solo_with(*"xyz")
    solo.pushed([])
    records = pushed_back(solo).records
    solo.pushed(records)
    solo.pushed(records)
    table = solo.table
    gone = table.get("y")
    assert gone is not None
    table.bury(gone, solo.now)  # reaped, and its tombstone is over
    solo.pushed(records)
    assert solo.state("y") == "alive"


def test_a_listed_suspicion_counts_even_where_it_is_known() -> None:
    solo = solo_with(*"uvwxyz")
    solo.hear(Suspect(1, "y", "other-0"))
    solo.pushed([])
    records = pushed_back(solo).records
    assert [record.name for record in records if record.state == State.SUSPECT] == ["y"]
    solo.pushed(records)
    assert solo.inside.suspicions["y"].accusers == {"other-0", "node-a"}
