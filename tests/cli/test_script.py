"""The verbs of ``swim cluster``, from text to values."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.cli.cluster.script import (
    Command,
    Loss,
    OnNodes,
    Partition,
    ScriptError,
    Simple,
    Step,
    parse_command,
    parse_script,
)

NODES = 5
node_numbers = st.lists(st.integers(1, NODES), min_size=1, max_size=NODES, unique=True)


def written(command: Command) -> str:
    """The command as a user might type it."""
    match command:
        case OnNodes(verb, nodes):
            return f"{verb} {','.join(f'node-{number}' for number in nodes)}"
        case Partition(groups):
            return "partition " + " ".join(",".join(map(str, group)) for group in groups)
        case Loss(fraction):
            return f"loss {round(fraction * 100)}%"
        case Simple(verb):
            return verb


@st.composite
def partitions(draw: st.DrawFn) -> Partition:
    numbers = draw(st.permutations(range(1, NODES + 1)))
    cut = draw(st.integers(1, NODES - 1))
    return Partition((tuple(numbers[:cut]), tuple(numbers[cut:])))


commands = st.one_of(
    st.builds(
        OnNodes,
        st.sampled_from(("kill", "pause", "resume", "restart", "leave")),
        node_numbers.map(tuple),
    ),
    partitions(),
    st.integers(0, 100).map(lambda percent: Loss(percent / 100)),
    st.sampled_from(("heal", "members", "help", "quit")).map(Simple),
)
steps = st.lists(st.builds(Step, st.integers(0, 10_000).map(float), commands))


@given(commands)
def test_a_command_survives_being_written(command: Command) -> None:
    assert parse_command(written(command), NODES) == command


@given(steps)
def test_a_script_comes_in_the_order_of_time(script: list[Step]) -> None:
    text = "; ".join(f"{step.at}s {written(step.command)}" for step in script)
    parsed = parse_script(text, NODES)
    assert [step.at for step in parsed] == sorted(step.at for step in script)
    assert list(parsed) == sorted(script, key=lambda step: step.at)


@given(st.text(max_size=40))
def test_any_text_is_a_script_or_a_script_error(text: str) -> None:
    with suppress(ScriptError):
        parse_script(text, NODES)


def test_times_units_and_steps_without_a_time() -> None:
    script = parse_script("3s kill node-2; heal; 500ms pause 1 ;; 1m loss 20%;2 quit", NODES)
    assert [step.at for step in script] == [0.5, 2.0, 3.0, 3.0, 60.0]
    assert [step.command for step in script] == [
        OnNodes("pause", (1,)),
        Simple("quit"),
        OnNodes("kill", (2,)),
        Simple("heal"),
        Loss(0.2),
    ]


@pytest.mark.parametrize(
    ("text", "nodes"),
    [("kill 3", (3,)), ("kill node-3", (3,)), ("kill 2-4", (2, 3, 4)), ("kill 1,3 node-5 1", (1, 3, 5))],
)
def test_ways_to_name_nodes(text: str, nodes: tuple[int, ...]) -> None:
    assert parse_command(text, NODES) == OnNodes("kill", nodes)


def test_nodes_in_no_group_form_the_last_one() -> None:
    assert parse_command("partition 1,2", NODES) == Partition(((1, 2), (3, 4, 5)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode 1", "'explode'"),
        ("kill", "needs a node"),
        ("kill 9", "'9'"),
        ("kill 0", "'0'"),
        ("kill node-x", "'node-x'"),
        ("kill 4-2", "'4-2'"),
        ("partition 1-5", "two sides"),
        ("partition", "two sides"),
        ("partition 1,2 2,3", "node-2"),
        ("loss 20", "percentage"),
        ("loss 120%", "percentage"),
        ("loss", "percentage"),
        ("heal 1", "'1'"),
        ("3x kill 1", "'3x'"),
        ("-3s kill 1", "'-3s'"),
        ("3s", "unknown verb ''"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(f"1s heal; {text}", NODES)
    assert complaint in str(caught.value)
