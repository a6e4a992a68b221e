"""The commands of ``swim cluster``: faults that real nodes can do, and a few words of its own."""

from __future__ import annotations

import pytest

from sims.errors import UsageError
from sims.faults import Add, Crash, CutPair, Heal, Pause, SetLink
from sims.world.latency import Constant
from sims.world.network import Link
from swim.cli.cluster.script import HELP, NODES_MAX, Command, Word, parse_command, parse_script

HERE = ("crash 1", "pause 1", "resume 1", "restart 1", "leave 1", "add", "split 1", "cut 1 2")
LINKS = ("loss 1%", "delay 5ms", "heal")
NODES = [f"node-{number}" for number in range(1, 6)]


def test_steps_come_in_the_order_of_time() -> None:
    script = parse_script("3s kill node-2; heal; 500ms pause 1 ;; 1m loss 20%;2 quit", NODES)
    assert [step.at for step in script] == [0.5, 2.0, 3.0, 3.0, 60.0]
    assert [step.command for step in script] == [
        (Pause(0.0, "node-1"),),
        Word("quit"),
        (Crash(0.0, "node-2"),),
        (Heal(0.0),),
        (SetLink(0.0, None, None, Link(loss=0.2)),),
    ]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("members", Word("members")),
        ("help", Word("help")),
        ("cut 1 2", (CutPair(0.0, ("node-1",), ("node-2",)),)),
        ("cut 1 -> 2", (CutPair(0.0, ("node-1",), ("node-2",), one_way=True),)),
        ("delay 50ms", (SetLink(0.0, None, None, Link(latency=Constant(0.05))),)),
        ("add", (Add(0.0, "node-6", seeds=("node-1",)),)),
        ("link * -> * loss=1", (SetLink(0.0, None, None, Link(loss=1.0)),)),
    ],
)
def test_what_a_command_says(text: str, command: Command) -> None:
    assert parse_command(text, NODES) == command


@pytest.mark.parametrize(
    "text",
    [
        "readdress 1",
        "restart 1 forgetful",
        "crash 1 silent",
        "block 1 2s",
        "pause 1 5s",
        "leave 1 stay",
        "join 1 2",
        "split 1 2-5 for 3s",
        "link 1 -> 2 loss=0.5",
        "link * -> * mtu=100",
        "delay 5ms for 2s",
        "loss 5% for 2s",
    ],
)
def test_what_only_simulated_nodes_can_do_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="only simulated nodes can do"):
        parse_command(text, NODES)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode 1", "unknown verb 'explode'; known: .*, members, help, quit"),
        ("member", "did you mean 'members'"),
        ("add 3", "'add' takes no argument, not '3'"),
        ("delay", "'delay' is not 'delay TIME"),
        ("delay x", "'x' is not a duration"),
        ("quit now", "'quit' takes no argument, not 'now'"),
        ("kill 9", "no node '9'"),
        ("3x kill 1", "'3x' is not a duration"),
        ("3s", "unknown verb ''"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_script(f"1s heal; {text}", NODES)


def test_a_step_is_read_as_of_its_moment() -> None:
    """Whatever the order in which the steps are written."""
    script = parse_script("3s kill 6; 1s add; 1s loss 5%; 2s delay 10ms; 4s heal; 5s loss 1%", NODES)
    faults = [fault for step in script if not isinstance(step.command, Word) for fault in step.command]
    links = [fault.link for fault in faults if isinstance(fault, SetLink)]
    assert links == [Link(loss=0.05), Link(loss=0.05, latency=Constant(0.01)), Link(loss=0.01)]
    with pytest.raises(UsageError, match="no node '6'"):
        parse_script("3s add; 1s kill 6", NODES)
    with pytest.raises(UsageError, match="no more can be added"):
        parse_command("add", ["x"] * NODES_MAX)
    assert parse_command("loss 1%", NODES, link=links[1]) == (
        SetLink(0.0, None, None, Link(loss=0.01, latency=Constant(0.01))),
    )


def test_the_help_names_every_verb_that_works_here() -> None:
    for text in HERE + LINKS:
        parse_command(text, NODES)
        assert text.split()[0] in HELP
    assert all(word in HELP for word in ("members", "help", "quit"))
