"""Golden traces: what each scenario says is what is kept beside it.

``pytest tests/golden/test_golden.py --rewrite`` accepts what they say now. Only commit what you
understand and want: a change here is a change of what every peer in a cluster sees.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sims.errors import UsageError
from tests.golden.player import GoldenError, difference, play

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    kept = path.read_text(encoding="utf-8")
    now = play(kept, path.name)
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
    else:
        assert now == kept, difference(kept, now, path.name)


def test_there_are_enough_and_each_says_what_it_is_about() -> None:
    assert len(FILES) >= 25
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), path.name
        assert len(text.splitlines()) <= 80, f"{path.name} is too long to review"


def test_playing_again_changes_nothing_and_forgets_old_output() -> None:
    first = play("# about\nnodes 2\nsettle\n\n\nshow views\n", "t")
    assert first == (
        "# about\nnodes 2\nsettle\n----\nconverged after 0.004 s\n\n\nshow views\n----\n"
        "n1: n1 n2 alive\nn2: n1 n2 alive\n"
    )
    assert play(first, "t") == first
    assert play(first.replace("n1 n2 alive", "n1 dead"), "t") == first


def test_a_link_has_the_latency_of_all_however_short_that_is() -> None:
    text = "latency 0.01ms\nnodes 2\nlink n1 -> n2 duplicate=1\nlink n2 -> n1 latency=0.02ms\nsettle\n"
    assert play(text, "t").endswith("----\nconverged after 0.000 s\n")


def test_a_difference_is_readable() -> None:
    text = difference("a\nb\n", "a\nc\n", "x.txt")
    assert "-b" in text.splitlines()
    assert "+c" in text.splitlines()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nodes 2\nfly n1\n", "t:2: fly n1: unknown verb 'fly'"),
        ("crash n1\n", "t:1: crash n1: there are no nodes yet"),
        ("nodes 2\ncrash n9\n", "t:2: crash n9: 'n9' is not a node such as n1, 1 or 1-3"),
        ("nodes 2\ncrash\n", "t:2: crash: .* needs a node"),
        ("nodes 2\n\nnodes 2\n", "t:3: nodes 2: nodes N .apart., once"),
        ("nodes x\n", "t:1: nodes x: 'x' is not a whole number"),
        ("nodes nan\n", "t:1: nodes nan: 'nan' is not a whole number"),
        ("nodes -1\n", "t:1: nodes -1: '-1' is less than 0"),
        ("seed inf\n", "t:1: seed inf: 'inf' is not a whole number"),
        ("nodes 2\npause\n", "t:2: pause: .* needs a node"),
        ("nodes 2\nblock n1\n", "t:2: block n1: .* is not 'block NODES TIME'"),
        ("nodes 2\nforce-leave n1\n", "t:2: force-leave n1: .*force-leave NODE NODE .prune."),
        ("nodes 2\nforce-leave n1 n2 prone\n", "force-leave NODE NODE .prune."),
        ("nodes 2\ntell n1 from n2: alive n1@1 at nowhere\n", "t:2: tell .*'nowhere' does not appear"),
        ("nodes 2\ntell n1 from n2: alive n1@99999999999999999999\n", "t:2: tell .*out of range"),
        ("config moon\n", "t:1: config moon: config .lan.wan.local. FIELD=.."),
        ("config buddy_system=yes\n", "buddy_system must be true or false, not 'yes'"),
        ("config probe_interval=inf\n", "probe_interval: must be "),
        ("config max_members=2.5\n", "must be a whole number, not '2.5'"),
        ("nodes 2\nrun 5x\n", "t:2: run 5x: '5x' is not a duration such as 20, 1.5s"),
        ("config lan speed=3\n", "there is no setting 'speed'"),
        ("config probe_interval=-1\nnodes 1\n", "probe_interval: must be at least 0"),
        ("nodes 2\nexpect n1 sees n2 failed\n", "it is not so"),
        ("nodes 2\nsettle\nuntil n1 sees n2 failed limit=3s\n", "not within 3 s"),
        ("nodes 2\ntell n1 from n2: nonsense\n", "tell NODE from NODE"),
        ("nodes 2\nsettle\nleave n1 stay\nrun 5s\njoin n1 n2\n", "has left or was closed"),
        ("nodes 1\nlink n1 -> n1 loss=2\n", "loss: must be a chance"),
        ("----\nx\n", "t:1: ---- without commands before it"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(text: str, problem: str) -> None:
    with pytest.raises(GoldenError, match=problem) as raised:
        play(text, "t")
    assert isinstance(raised.value, UsageError)
    assert "\n" not in str(raised.value)
