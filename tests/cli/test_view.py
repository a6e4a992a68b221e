"""The live table: every node's view, on a terminal of any size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest
from rich.console import Console

from swim.cli.cluster.node import LocalNode
from swim.cli.cluster.script import HELP
from swim.cli.cluster.view import Screen, line
from swim.events import EventsLost, Member, MemberStatus, Query, UserEvent, VersionTriple

VERSIONS = VersionTriple(1, 5, 2)


@dataclass
class ViewedNode:
    """What the table looks at of a node."""

    number: int
    statuses: dict[str, MemberStatus]
    state: str = "running"

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    def members(self) -> tuple[Member, ...]:
        return tuple(
            Member(name, "127.0.0.1", 1, {}, status, False, 1, VERSIONS, VERSIONS)
            for name, status in self.statuses.items()
        )


def cluster(size: int, *, failed: int = 0) -> list[ViewedNode]:
    """Nodes that see each other alive, but for the one that was killed."""
    numbers = range(1, size + 1)
    seen = {f"node-{n}": MemberStatus.FAILED if n == failed else MemberStatus.ALIVE for n in numbers}
    return [ViewedNode(n, {}, "killed") if n == failed else ViewedNode(n, dict(seen)) for n in numbers]


def drawn(nodes: Sequence[ViewedNode], *, width: int = 80, height: int = 24, message: str = "") -> list[str]:
    screen = Screen(cast(list[LocalNode], nodes))
    screen.prompt, screen.message = "kil", message
    for number in range(20):
        screen.note(f"transition {number}")
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(screen.picture(7.0, console))
    return cast(io.StringIO, console.file).getvalue().splitlines()


def test_a_column_for_each_nodes_view_and_the_latest_transitions() -> None:
    lines = [" ".join(line.split()) for line in drawn(cluster(4, failed=3))]
    assert lines[0] == "swim cluster, 7 s"
    assert lines[1] == "member process 1 2 3 4"
    assert lines[3:7] == [
        "node-1 running alive alive - alive",
        "node-2 running alive alive - alive",
        "node-3 killed failed failed - failed",
        "node-4 running alive alive - alive",
    ]
    assert lines[7:] == [*(f"transition {number}" for number in range(12, 20)), "", "> kil"]


def test_user_events_queries_and_losses_are_lines_too() -> None:
    assert (
        line(1.0, "node-1", UserEvent("deploy", b"v1")) == "    1.000  node-1  user event deploy  (2 bytes)"
    )
    assert line(1.0, "node-1", Query("load", b"", "web-2")) == "    1.000  node-1  query load  (from web-2)"
    assert line(1.0, "node-1", EventsLost(3)) == "    1.000  node-1  lost 3 events"


@pytest.mark.parametrize("size", [1, 5, 9, 12, 40, 200])
@pytest.mark.parametrize("message", ["", HELP])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_everything_fits_and_the_prompt_and_trouble_stay_in_sight(
    size: int, message: str, width: int
) -> None:
    lines = drawn(cluster(size, failed=size), width=width, message=message)
    assert len(lines) < 24
    assert lines[-1] == "> kil"
    assert any(line.startswith(f"node-{size} ") and "killed" in line for line in lines)
    assert not any("…" in line for line in lines)


def test_views_too_many_for_the_width_are_counted() -> None:
    nodes = cluster(12, failed=2)
    nodes[0].statuses["node-2"] = MemberStatus.ALIVE
    lines = [" ".join(line.split()) for line in drawn(nodes)]
    assert "node-1 running alive" in lines
    assert "node-2 killed 10 failed, 1 alive" in lines


def test_members_too_many_for_the_height_are_counted() -> None:
    lines = [" ".join(line.split()) for line in drawn(cluster(100, failed=77))]
    assert lines[3] == "node-77 killed failed"
    assert "83 more" in lines
