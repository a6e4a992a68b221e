"""Serf's counters of events."""

from __future__ import annotations

from collections import Counter

from swim.commands import SendQuery
from swim.serf.messages import UserEvent, encode_serf
from tests.one_node import Lone

# -- Serf's counters


def test_serfs_counters_are_the_numbers_of_events_handed_out():
    lone = Lone()
    lone.meet("x", "y", "z")
    lone.meet("x", incarnation=2, role="web")
    lone.fail("y")
    lone.part("z")
    lone.say(UserEvent(5, "deploy", b""))
    lone.command(SendQuery("load"))
    handed_out = Counter(type(event).__name__ for event in lone.events)
    counters = lone.node.metrics.counters
    assert {name: counters[name] for name in counters if name.startswith("serf.")} == {
        "serf.member.join": handed_out["MemberJoined"],
        "serf.member.update": handed_out["MemberUpdated"],
        "serf.member.failed": handed_out["MemberFailed"],
        "serf.member.left": handed_out["MemberLeft"],
        "serf.events": handed_out["UserEvent"],
        "serf.queries": handed_out["Query"],
    }
    assert len(handed_out) >= 6


def test_the_sizes_of_serfs_messages_are_sampled_in_both_directions() -> None:
    lone = Lone()
    lone.meet("x", "y")
    event = UserEvent(5, "deploy", b"now")
    lone.say(event)
    lone.advance(10)
    samples = lone.node.metrics.samples
    received, sent = samples["serf.msgs.received"], samples["serf.msgs.sent"]
    assert (received.count, received.sum) == (1, len(encode_serf(event)))
    assert sent.count >= 2
    assert sent.sum >= sent.count * len(encode_serf(event)) / 2


def test_a_failed_member_that_returns_within_a_minute_flaps() -> None:
    lone = Lone()
    lone.meet("x", "y")
    lone.fail("x")
    lone.fail("y")
    lone.advance(59)
    lone.meet("x", incarnation=2)
    assert lone.node.metrics.counters["serf.member.flap"] == 1
    lone.advance(2)
    lone.meet("y", incarnation=2)
    assert lone.node.metrics.counters["serf.member.flap"] == 1
