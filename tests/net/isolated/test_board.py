"""What an isolated node publishes of members: network coordinates, and what its failure detector knows."""

from __future__ import annotations

import swim
from swim import MemberJoined, MemberReaped, MemberStatus, Reason, VersionTriple
from swim.net.isolated.board import Board, Facts, Mailbox, Update, View

TRIPLE = VersionTriple(1, 5, 2)
STATS = swim.NodeStats(1, 0, 0, 0, 1, 1, 1, 0, 0, 0, False)
SEEN = swim.Detection(1.0, last_ack=2.0, rtt=0.1)
HERE, THERE = swim.Coordinate(error=1.0), swim.Coordinate(error=0.5)


def member(name: str) -> swim.Member:
    return swim.Member(name, "10.0.0.1", 1, {}, MemberStatus.ALIVE, False, 1, TRIPLE, TRIPLE)


def view() -> View:
    facts = Facts("running", ("10.0.0.1", 1), True, (), STATS)
    found = View(swim.Config.local(name="n1"), swim.Metrics(), facts, clock=lambda: 0.0)
    joined = [MemberJoined(member(name), None, Reason("claim"), 1) for name in ("n1", "n2")]
    found.apply(Update(joined, {}, None, {"n2": THERE, "n1": HERE}, {"n2": SEEN}))
    return found


def test_coordinates_come_with_members() -> None:
    published = view()
    assert (published.coordinate(), published.coordinate("n2")) == (HERE, THERE)
    published.apply(Update((), {}, None, {"n2": HERE}, {}))
    assert published.coordinates() == {"n1": HERE, "n2": HERE}
    assert published.detection("n2") == SEEN
    published.apply(Update((), {}, None, {}, {"n2": SEEN._replace(rtt=0.2)}))
    assert published.detections() == {"n2": SEEN._replace(rtt=0.2)}


def test_they_go_with_them_too() -> None:
    published = view()
    reaped = MemberReaped(member("n2"), member("n2"), Reason("reap"), 2)
    published.apply(Update((reaped,), {}, None, {"n2": HERE, "n9": HERE}, {"n2": SEEN, "n9": SEEN}))
    assert published.coordinates() == {"n1": HERE}
    assert published.detections() == {}


def board(size: int) -> Board:
    facts = Facts("running", ("10.0.0.1", 1), True, (), STATS)
    config = swim.Config.local(name="n1", event_buffer_size=size)
    found = Board(View(config, swim.Metrics(), facts, clock=lambda: 0.0))
    found.keep_first()
    return found


def post(to: Board, *numbers: int) -> None:
    to.post(Update([swim.UserEvent(str(number), b"") for number in numbers], {}, None, {}, {}))


def taken(mailbox: Mailbox) -> list[str]:
    return [event.name for event in iter(mailbox.take, None) if isinstance(event, swim.UserEvent)]


def test_the_first_mailbox_that_may_be_has_what_was_kept_for_it() -> None:
    posted = board(3)
    post(posted, 1, 2)
    other = posted.open_mailbox()
    first = posted.open_mailbox((swim.UserEvent,), may_be_first=True)
    second = posted.open_mailbox(may_be_first=True)
    post(posted, 3)
    assert (taken(first), taken(other), taken(second)) == (["1", "2", "3"], ["3"], ["3"])
    post(posted, 4, 5, 6, 7)
    assert [first.take() for _ in range(4)][-1] == swim.EventsLost(1)


def test_of_other_kinds_nothing_is_kept() -> None:
    posted = board(3)
    post(posted, 1, 2, 3)
    first = posted.open_mailbox((swim.MemberEvent,), may_be_first=True)
    post(posted, 4)
    assert first.take() is None


def test_what_no_longer_fits_is_not_kept() -> None:
    posted = board(3)
    post(posted, 1, 2, 3, 4)
    first = posted.open_mailbox(may_be_first=True)
    post(posted, 5)
    assert taken(first) == ["5"]
