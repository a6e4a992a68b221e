"""Serf's counters of events."""

from __future__ import annotations

from collections import Counter

from swim.commands import SendQuery
from swim.serf.messages import UserEvent
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
