"""User events at the application: each once, none that is not wanted, in plain pools none at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.commands import Join, Leave, SendUserEvent
from swim.core.output import Dial
from swim.errors import ConfigError, LocalError
from swim.events import UserEvent
from swim.serf import messages
from swim.serf.push_pull import PushPullState, RecentEvents
from swim.serf.queues import EVENTS_WAITING_MAX
from tests.one_node import PORT, Lone, home, serf_state


def received(lone: Lone) -> list[UserEvent]:
    """The user events handed out since the last look."""
    events, lone.events = lone.events, []
    return [event for event in events if isinstance(event, UserEvent)]


def pushed(*events: tuple[int, str, bytes]) -> PushPullState:
    """A state with these events, each under its stamp."""
    slots = [RecentEvents(ltime, [(name, payload)]) for ltime, name, payload in events]
    return serf_state(event_ltime=max(slot.ltime for slot in slots) + 1, events=slots)


@pytest.fixture
def lone() -> Lone:
    alone = Lone()
    alone.meet("x", "y")
    alone.settle()
    return alone


def test_a_gossiped_event_reaches_the_application_once(lone: Lone):
    for _ in range(3):
        lone.say(messages.UserEvent(5, "deploy", b"v1", True))
    [event] = received(lone)
    assert (event.name, event.payload, event.ltime, event.coalesce) == ("deploy", b"v1", 5, True)
    lone.pushed(pushed((5, "deploy", b"v1")))
    assert received(lone) == []


def test_an_event_of_a_push_pull_does_not_tell_that_it_may_be_coalesced(lone: Lone):
    lone.pushed(pushed((7, "deploy", b"v1")))
    [event] = received(lone)
    assert (event.ltime, event.coalesce) == (7, False)
    lone.say(messages.UserEvent(7, "deploy", b"v1", True))
    assert received(lone) == []


def test_events_of_all_kinds_are_numbered_in_one_order():
    lone = Lone()
    lone.meet("x")
    lone.say(messages.UserEvent(5, "deploy", b"v1"))
    lone.meet("y")
    lone.say(messages.UserEvent(6, "deploy", b"v2"))
    assert [(type(event).__name__, event.sequence) for event in lone.events] == [
        ("MemberJoined", 1), ("MemberJoined", 2), ("UserEvent", 3), ("MemberJoined", 4), ("UserEvent", 5),
    ]  # fmt: skip


def test_what_is_too_old_or_absurd_is_not_handed_out(lone: Lone):
    lone.say(messages.UserEvent(1000, "new", b""))
    received(lone)
    for ltime in (0, 1, 488, 2**63, 2**64 - 1, 1000 + 2**33):
        lone.say(messages.UserEvent(ltime, "e", b""))
    assert received(lone) == []
    lone.say(messages.UserEvent(489, "e", b""))
    assert [event.ltime for event in received(lone)] == [489]


ARRIVALS = st.lists(
    st.tuples(st.integers(1, 500), st.sampled_from("ab"), st.sampled_from([None, b"", b"1"]), st.booleans()),
    max_size=30,
)


@given(ARRIVALS)
def test_every_event_within_the_window_is_handed_out_exactly_once(arrivals: list[Any]):
    """In the order of arrival, by whichever way it came first; nil and empty payloads are the same."""
    lone = Lone()
    expected: dict[tuple[int, str, bytes], None] = {}
    for ltime, name, payload, is_gossiped in arrivals:
        expected.setdefault((ltime, name, payload or b""))
        if is_gossiped:
            lone.say(messages.UserEvent(ltime, name, payload))
        else:
            lone.pushed(pushed((ltime, name, payload)))
    assert [(event.ltime, event.name, event.payload) for event in received(lone)] == list(expected)


@pytest.mark.parametrize(("replay", "names"), [(True, ["old", "new"]), (False, ["new"])])
def test_a_join_replays_old_events_only_if_asked(replay: bool, names: list[str]):
    """Without replay nothing stamped before the peer's clock is handed out, by gossip neither."""
    lone = Lone()
    lone.command(Join([f"127.0.0.2:{PORT}"], replay=replay))
    lone.reply(pushed((7, "old", b"")))
    lone.say(messages.UserEvent(7, "old", b""), messages.UserEvent(8, "new", b""))
    assert [event.name for event in received(lone)] == names


def test_an_absurd_clock_of_the_peer_does_not_shut_out_all_events():
    lone = Lone()
    lone.command(Join([f"127.0.0.2:{PORT}"]))
    lone.reply(serf_state(event_ltime=2**63))
    lone.say(messages.UserEvent(3, "new", b""))
    assert [event.name for event in received(lone)] == ["new"]


def test_push_pulls_that_others_begin_replay(lone: Lone):
    lone.pushed(pushed((7, "old", b"")), join=True)
    assert [event.name for event in received(lone)] == ["old"]


def test_a_restart_hands_out_what_was_missed_and_nothing_twice():
    lone = Lone()
    lone.say(messages.UserEvent(5, "before", b""))
    again = Lone(snapshot=lone.node.snapshot(), seeds=[f"127.0.0.2:{PORT}"])
    again.reply(pushed((5, "before", b""), (6, "missed", b"")))
    assert [event.name for event in received(again)] == ["missed"]


def test_a_first_life_hears_nothing_from_before_its_seeds_answered():
    lone = Lone(seeds=[f"127.0.0.2:{PORT}"])
    lone.reply(pushed((5, "before", b"")))
    assert received(lone) == []
    lone.pushed(pushed((6, "after", b"")))
    assert [event.name for event in received(lone)] == ["after"]


def test_nor_does_it_if_its_seeds_answer_late():
    lone = Lone(seeds=[f"127.0.0.2:{PORT}"], rejoin_interval=1.0, rejoin_interval_alone=1.0)
    lone.refuse()
    lone.advance(5)
    lone.reply(pushed((5, "before", b"")))
    assert received(lone) == []
    lone.pushed(pushed((6, "after", b"")))
    assert [event.name for event in received(lone)] == ["after"]


def test_a_plain_pool_has_no_user_events():
    lone = Lone(delegate_version=0)
    lone.say(messages.UserEvent(5, "deploy", b"v1"))
    lone.pushed(pushed((6, "deploy", b"v2")))
    assert not any(isinstance(event, UserEvent) for event in lone.events)


def test_recent_events_can_be_read_again(lone: Lone):
    lone.say(messages.UserEvent(7, "deploy", b"v2", True), messages.UserEvent(5, "deploy", None))
    lone.command(SendUserEvent("undo", b"v1"))
    assert lone.node.user_events() == (
        UserEvent("deploy", b"", 5), UserEvent("deploy", b"v2", 7), UserEvent("undo", b"v1", 8)
    )  # fmt: skip
    lone.say(messages.UserEvent(1000, "new", b""))
    assert [event.name for event in lone.node.user_events()] == ["new"]


# -- sent


def test_an_event_goes_out_as_serf_writes_it_and_reaches_the_own_application(lone: Lone):
    ticket = lone.command(SendUserEvent("deploy", b"v1", coalesce=True))
    assert lone.result(ticket) is None
    [event] = received(lone)
    assert (event.name, event.payload, event.ltime, event.coalesce) == ("deploy", b"v1", 1, True)
    assert set(lone.bodies(2)) == {messages.encode_serf(messages.UserEvent(1, "deploy", b"v1", True))}
    lone.say(messages.UserEvent(1, "deploy", b"v1", True))
    assert received(lone) == []
    lone.command(SendUserEvent("deploy"))
    assert set(lone.bodies(2)) == {messages.encode_serf(messages.UserEvent(2, "deploy", None))}


def test_equal_events_are_two_events(lone: Lone):
    for _ in range(2):
        lone.command(SendUserEvent("deploy", b"v1"))
    assert [event.ltime for event in received(lone)] == [1, 2]


def test_the_largest_event_is_serfs(lone: Lone):
    """A name of one letter, a stamp of one byte and 481 bytes of payload make 512."""
    with pytest.raises(ConfigError, match=r"^payload: .*513 bytes.*user_event_size_limit \(512\)"):
        lone.command(SendUserEvent("e", bytes(482)))
    assert received(lone) == []
    lone.command(SendUserEvent("e", bytes(481)))
    assert [len(event.payload) for event in received(lone)] == [481]


def test_a_name_is_as_long_as_the_limit_allows(lone: Lone):
    """Only the names of members have a limit of their own; Serf sends and takes such events."""
    lone.command(SendUserEvent("e" * 475))
    with pytest.raises(ConfigError, match=r"^payload: .*user_event_size_limit"):
        lone.command(SendUserEvent("e" * 490))
    lone.say(messages.UserEvent(9, "w" * 1000, b"v1", False))
    assert [len(event.name) for event in received(lone)] == [475, 1000]


def test_an_event_that_fits_no_packet_is_refused():
    lone = Lone(user_event_size_limit=9216)
    with pytest.raises(ConfigError, match=r"^payload: .*fits no packet \(udp_buffer_size\)"):
        lone.command(SendUserEvent("e", bytes(2000)))
    lone.command(SendUserEvent("e", bytes(1200)))


def test_more_events_than_gossip_spreads_are_refused_and_counted(lone: Lone):
    lone.meet("x")
    for number in range(EVENTS_WAITING_MAX):
        lone.command(SendUserEvent("e", number.to_bytes(2, "big")))
    for _ in range(3):
        with pytest.raises(LocalError, match="256 user events wait"):
            lone.command(SendUserEvent("e", b"one more"))
    assert lone.node.metrics.counters["swim.dropped.user-events-waiting"] == 3
    lone.settle()
    lone.command(SendUserEvent("e", b"one more"))


def test_a_flood_makes_a_push_pull_for_each_half_of_the_window():
    lone = Lone(verify_second_hand=False)
    lone.meet("x")
    lone.settle()
    lone.streams.clear()
    for ltime in range(1, 1025):
        lone.say(messages.UserEvent(ltime, "e", b"", False), source=home("x"))
    assert len([action for action in lone.streams if isinstance(action, Dial)]) == 4


def test_more_events_than_the_queue_holds_are_refused():
    lone = Lone(max_queue_depth=8)
    lone.meet("x")
    for number in range(8):
        lone.command(SendUserEvent("e", bytes([number])))
    with pytest.raises(LocalError, match="8 user events wait"):
        lone.command(SendUserEvent("e", b"9"))
    assert len(received(lone)) == 8


def test_a_plain_pool_and_a_node_that_left_send_none(lone: Lone):
    with pytest.raises(LocalError, match="plain memberlist"):
        Lone(delegate_version=0).command(SendUserEvent("deploy"))
    lone.command(Leave())
    with pytest.raises(LocalError, match="after leaving"):
        lone.command(SendUserEvent("deploy"))
