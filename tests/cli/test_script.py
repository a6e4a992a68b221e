"""The commands of ``swim cluster``: faults that real nodes can do, and a few words of its own."""

from __future__ import annotations

import pytest

from sims.errors import UsageError
from sims.faults import Crash, CutPair, Heal, Pause, SetLink
from sims.world.network import Link
from swim.cli.cluster.script import HELP, Command, Word, parse_command, parse_script

HERE = ("crash 1", "pause 1", "resume 1", "restart 1", "leave 1", "split 1", "cut 1 2", "loss 1%", "heal")
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
        "cut 1 -> 2",
        "link 1 -> 2 loss=0.5",
        "link * -> * mtu=100",
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
        ("quit now", "'quit' takes no argument, not 'now'"),
        ("kill 9", "no node '9'"),
        ("3x kill 1", "'3x' is not a duration"),
        ("3s", "unknown verb ''"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_script(f"1s heal; {text}", NODES)


def test_the_help_names_every_verb_that_works_here() -> None:
    for text in HERE:
        parse_command(text, NODES)
        assert text.split()[0] in HELP
    assert all(word in HELP for word in ("members", "help", "quit"))
