"""Faults as text: every kind has a verb, what it says is what happens, and what is wrong is named."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.errors import UsageError
from sims.faults import (
    FAULTS,
    Add,
    Block,
    Broadcast,
    ChangeKey,
    Crash,
    CutPair,
    Fault,
    ForceLeave,
    Heal,
    Join,
    Leave,
    Pause,
    Readdress,
    Rejoin,
    Restart,
    Resume,
    Send,
    SendQuery,
    SendUserEvent,
    SetClock,
    SetLink,
    SetNames,
    SetTags,
    SlowReader,
    Split,
    Translate,
)
from sims.faults.words import USAGE, parse_fault, steps_of
from sims.world.latency import Constant
from sims.world.network import Link

NODES = [f"node-{number}" for number in range(1, 6)]
WITHOUT_A_VERB = (
    Add, SlowReader, SetNames, Translate, Send, Broadcast, ChangeKey, SendUserEvent, SendQuery, SetClock,
)  # fmt: skip
"""Made in Python or JSON alone: they need more than words."""

SAID: list[tuple[str, tuple[Fault, ...]]] = [
    ("crash 3", (Crash(0.0, "node-3"),)),
    ("kill node-3", (Crash(0.0, "node-3"),)),
    ("crash 2-4 silent", tuple(Crash(0.0, f"node-{n}", silent=True) for n in (2, 3, 4))),
    ("crash 1,3 node-5 1", tuple(Crash(0.0, f"node-{n}") for n in (1, 3, 5))),
    ("restart 2", (Restart(0.0, "node-2"),)),
    ("restart 2 forgetful", (Restart(0.0, "node-2", snapshot=False),)),
    ("readdress 2", (Readdress(0.0, "node-2"),)),
    ("pause 1", (Pause(0.0, "node-1"),)),
    ("pause 1 2", (Pause(0.0, "node-1"), Pause(0.0, "node-2"))),
    ("pause 1 2s", (Pause(0.0, "node-1", 2.0),)),
    ("resume 1", (Resume(0.0, "node-1"),)),
    ("block 1-2 250ms", (Block(0.0, "node-1", 0.25), Block(0.0, "node-2", 0.25))),
    ("join 1 2,3", (Join(0.0, "node-1", ("node-2", "node-3")),)),
    ("leave 1", (Leave(0.0, "node-1"),)),
    ("leave 1 stay", (Leave(0.0, "node-1", stop=False),)),
    ("rejoin 1", (Rejoin(0.0, "node-1"),)),
    ("tags 1 role=db zone=", (SetTags(0.0, "node-1", {"role": "db", "zone": ""}),)),
    ("force-leave 1 2", (ForceLeave(0.0, "node-1", "node-2"),)),
    ("force-leave 1 2 prune", (ForceLeave(0.0, "node-1", "node-2", prune=True),)),
    ("split 1,2 3-5", (Split(0.0, (("node-1", "node-2"), ("node-3", "node-4", "node-5"))),)),
    ("partition 1,2", (Split(0.0, (("node-1", "node-2"), ("node-3", "node-4", "node-5"))),)),
    ("split 2-5 for 1m", (Split(0.0, (("node-2", "node-3", "node-4", "node-5"), ("node-1",)), 60.0),)),
    ("cut 1 2,3", (CutPair(0.0, ("node-1",), ("node-2", "node-3")),)),
    ("cut 1 -> 2 for 3s", (CutPair(0.0, ("node-1",), ("node-2",), 3.0, one_way=True),)),
    ("link 1 -> * loss=0.5 mtu=100", (SetLink(0.0, "node-1", None, Link(loss=0.5, mtu=100)),)),
    ("link * -> * latency=5ms for 2s", (SetLink(0.0, None, None, Link(latency=Constant(0.005)), 2.0),)),
    ("link 1 -> 2", (SetLink(0.0, "node-1", "node-2", Link()),)),
    ("loss 20%", (SetLink(0.0, None, None, Link(loss=0.2)),)),
    ("delay 50ms", (SetLink(0.0, None, None, Link(latency=Constant(0.05))),)),
    ("delay 50ms for 2s", (SetLink(0.0, None, None, Link(latency=Constant(0.05)), 2.0),)),
    ("heal", (Heal(0.0),)),
]


@pytest.mark.parametrize(("text", "faults"), SAID, ids=[text for text, _ in SAID])
def test_what_a_statement_says(text: str, faults: tuple[Fault, ...]) -> None:
    assert parse_fault(text, NODES) == faults


def test_every_kind_of_fault_has_a_verb_and_every_verb_is_tried_here() -> None:
    kinds = {type(fault) for _, faults in SAID for fault in faults}
    assert kinds == set(FAULTS) - set(WITHOUT_A_VERB)
    assert {text.split()[0] for text, _ in SAID} == {*USAGE, "kill", "partition"}


def test_a_link_changes_the_usual_one() -> None:
    usual = Link(latency=Constant(0.01), loss=0.1)
    assert parse_fault("link 1 -> 2 mtu=9", NODES, link=usual) == (
        SetLink(0.0, "node-1", "node-2", Link(latency=Constant(0.01), loss=0.1, mtu=9)),
    )
    assert parse_fault("link 1 -> 2", NODES, link=usual) == (SetLink(0.0, "node-1", "node-2", usual),)


@given(st.text(max_size=40))
def test_any_text_is_a_fault_or_an_error(text: str) -> None:
    for verb in ("", "crash ", "split ", "link ", "loss ", "delay "):
        with suppress(UsageError):
            parse_fault(verb + text, NODES)
    with suppress(UsageError):
        list(steps_of(text))


def test_steps_have_the_time_before_them() -> None:
    text = "3s kill node-2; heal; 500ms pause 1 ;; 1m loss 20%;2 quit"
    assert list(steps_of(text)) == [
        (3.0, "kill node-2"),
        (3.0, "heal"),
        (0.5, "pause 1"),
        (60.0, "loss 20%"),
        (2.0, "quit"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode 1", "unknown verb 'explode'; known: crash, "),
        ("crush 1", "did you mean 'crash'?"),
        ("", "unknown verb ''"),
        ("kill", "'kill' needs a node, for example 'kill node-1'"),
        ("kill 9", "no node '9': the nodes are node-1 to node-5"),
        ("kill 0", "no node '0'"),
        ("kill 4-2", "no node '4-2'"),
        ("kill node-x", "'node-x' is not a node such as node-1, 1 or 1-3"),
        ("kill 1,", "'' is not a node"),
        ("kill \N{ARABIC-INDIC DIGIT ONE}", "is not a node"),
        ("partition 1-5", "'partition' needs two sides"),
        ("split", "'split' needs two sides"),
        ("split 1,2 2,3", "node-2 stands in two groups of 'split 1,2 2,3'"),
        ("split 1 2 for ever", "'ever' is not a duration"),
        ("cut 1", "'cut 1' is not 'cut NODES [->] NODES [for TIME]'"),
        ("cut 1 2 3", "'cut 1 2 3' is not 'cut NODES"),
        ("link 1 2", "'link 1 2' is not 'link NODE|*"),
        ("link 1-2 -> 3", "is not 'link NODE|*"),
        ("link 1 -> 2 lost=1", "a link has no 'lost'; it has latency, loss, "),
        ("link 1 -> 2 loss=much", "loss must be a number, not 'much'"),
        ("link 1 -> 2 loss=2", "loss: must be a chance from 0 to 1"),
        ("loss 20", "one percentage from 0% to 100%, not '20'"),
        ("loss 120%", "one percentage"),
        ("loss", "one percentage"),
        ("heal 1", "'heal' takes no argument, not '1'"),
        ("block 1", "'block 1' is not 'block NODES TIME'"),
        ("block 1 0s", "seconds must be more than 0"),
        ("force-leave 1 2 prone", "'force-leave 1 2 prone' is not 'force-leave NODE NODE [prune]'"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)) as caught:
        parse_fault(text, NODES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["3x kill 1", "-3s kill 1", "1s heal; 4y heal"])
def test_a_time_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        list(steps_of(text))
