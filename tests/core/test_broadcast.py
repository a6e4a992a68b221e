"""The broadcast queue: memberlist's traces, and what holds for every sequence of calls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.broadcast import BroadcastQueue, Priority, retransmit_limit
from tests.vectors.of_memberlist import load


class Traced:
    """A queue whose finished broadcasts are read by name and fill byte, as the vectors write them."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.queue = BroadcastQueue(fields["retransmit_mult"], max_depth=100)
        self.queue.resize(0.0, fields["num_nodes"])
        self.labels: list[str] = []

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        returned: dict[str, Any] = {}
        match step["op"]:
            case "queue":
                ticket = len(self.labels)
                self.labels.append(f"{step['name']}/{step['fill']}")
                self.queue.queue(step["name"], step["fill"].encode() * step["len"], ticket=ticket)
            case "get":
                parts = self.queue.take(0.0, step["limit"], step["overhead"])
                returned = {"returned": [f"{part[:1].decode()}x{len(part)}" for part in parts]}
            case "prune":
                self.queue.prune(step["keep"])
        finished = [self.labels[ticket] for ticket in self.queue.backlog.finished]
        self.queue.backlog.finished.clear()
        return step | {"finished": finished, "queued": len(self.queue)} | returned


@pytest.mark.parametrize("vector", load("queue"))
def test_trace(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    traced = Traced(fields)
    assert traced.queue.limit == fields["transmit_limit"]
    for step in fields["trace"]:
        assert traced.step(step) == step


sizes = st.lists(st.tuples(st.integers(1, 60), st.sampled_from(Priority)), min_size=1, max_size=30)


def filled(items: list[tuple[int, Priority]], mult: int, n: int) -> BroadcastQueue:
    queue = BroadcastQueue(mult, max_depth=1000)
    queue.resize(0.0, n)
    for number, (length, priority) in enumerate(items):
        queue.queue(f"{number}", bytes([number]) * length, priority=priority, ticket=number)
    return queue


@given(sizes, st.integers(1, 4), st.integers(1, 200), st.integers(62, 300))
def test_each_message_goes_out_exactly_limit_times(
    items: list[tuple[int, Priority]], mult: int, n: int, room: int
) -> None:
    queue = filled(items, mult, n)
    sent = [0] * len(items)
    while queue:
        parts = queue.take(0.0, room, 2)
        assert sum(len(part) + 2 for part in parts) <= room
        assert len({part[0] for part in parts}) == len(parts) > 0
        for part in parts:
            sent[part[0]] += 1
    assert sent == [retransmit_limit(mult, n)] * len(items)
    assert sorted(queue.backlog.finished) == list(range(len(items)))


@given(sizes)
def test_order_is_priority_then_length_then_newest(items: list[tuple[int, Priority]]) -> None:
    queue = filled(items, 1, 5)
    taken = [part[0] for part in queue.take(0.0, 10_000, 2)]
    assert taken == sorted(range(len(items)), key=lambda i: (items[i][1], -items[i][0], -i))


@given(sizes, st.integers(0, 30))
def test_prune_keeps_the_first_in_order(items: list[tuple[int, Priority]], keep: int) -> None:
    queue = filled(items, 1, 5)
    order = [part[0] for part in queue.take(0.0, 10_000, 2, charge=False)]
    assert queue.prune(keep) == max(0, len(items) - keep)
    assert [part[0] for part in queue.take(0.0, 10_000, 2, charge=False)] == order[:keep]
    assert sorted(queue.backlog.finished) == sorted(order[keep:])


@given(sizes)
def test_what_is_not_charged_stays(items: list[tuple[int, Priority]]) -> None:
    queue = filled(items, 1, 5)
    first = queue.take(0.0, 200, 2, charge=False)
    assert queue.take(0.0, 200, 2, charge=False) == first
    assert len(queue) == len(items)
    assert not queue.backlog.finished


def test_its_origin_is_not_told_again() -> None:
    queue = filled([(30, Priority.ALIVE)], 1, 5)
    queue.queue("theirs", b"t" * 40, priority=Priority.ALIVE, origin="node-b")
    queue.queue("others", b"o" * 20, priority=Priority.ALIVE, origin="node-c")
    assert queue.take(0.0, 500, 2, exclude="node-b") == [bytes(30), b"o" * 20]
    assert queue.take(0.0, 500, 2, exclude="node-c") == [b"t" * 40]


def test_a_newer_broadcast_of_a_name_replaces_the_older() -> None:
    queue = filled([], 2, 5)
    queue.queue("node-b", b"alive", ticket=1)
    queue.queue("node-b", b"dead", priority=Priority.DEAD, ticket=2)
    assert queue.backlog.finished == [1]
    assert queue.take(0.0, 500, 2) == [b"dead"]


def test_a_full_queue_drops_the_most_sent() -> None:
    queue = BroadcastQueue(4, max_depth=2)
    queue.queue("a", b"a", ticket=1)
    queue.take(0.0, 500, 2)
    assert queue.queue("b", b"b") == 0
    assert queue.queue("c", b"c") == 1
    assert queue.backlog.finished == [1]
    assert queue.take(0.0, 500, 2) == [b"c", b"b"]


def test_a_larger_cluster_is_owed_the_difference() -> None:
    queue = BroadcastQueue(1, max_depth=10)
    queue.resize(0.0, 5)
    queue.queue("a", b"a", ticket=1)
    assert (queue.take(0.0, 500, 2), len(queue), queue.backlog.finished) == ([b"a"], 0, [1])
    assert not queue.resize(1.0, 9)
    assert queue.resize(1.0, 50)
    assert (queue.take(1.0, 500, 2), len(queue), queue.backlog.finished) == ([b"a"], 0, [1])
    assert queue.resize(2.0, 500)
    assert queue.take(2.0, 500, 2) == [b"a"]
    assert queue.resize(100.0, 5000) is False, "what was sent long ago is not news"


def test_what_was_replaced_does_not_come_back() -> None:
    queue = BroadcastQueue(1, max_depth=10)
    queue.resize(0.0, 5)
    queue.queue("a", b"old")
    queue.take(0.0, 500, 2)
    queue.queue("a", b"new")
    assert queue.resize(1.0, 50) is False
    assert queue.take(1.0, 500, 2) == [b"new"]


def test_a_smaller_cluster_needs_fewer_transmits() -> None:
    queue = BroadcastQueue(1, max_depth=10)
    queue.resize(0.0, 50)
    queue.queue("a", b"a")
    queue.resize(0.0, 5)
    assert queue.take(0.0, 500, 2) == [b"a"]
    assert not queue
