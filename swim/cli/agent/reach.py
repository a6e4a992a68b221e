"""``swim rtt`` and ``swim reachability``: how far members are, and which of them answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from swim.cli.agent.completion import MEMBER
from swim.cli.agent.remote import talking
from swim.cli.common import ExitCode, agent_options, duration, emit, fail, globals_of, output_options, table

__all__ = ["reachability", "rtt"]

_WAYS = ("packet", "stream", "relay")


@click.command()
@click.argument("node1", type=MEMBER)
@click.argument("node2", type=MEMBER, required=False)
@agent_options
@output_options
@click.pass_context
def rtt(ctx: click.Context, node1: str, node2: str | None) -> None:
    """Estimate the round-trip time between the members NODE1 and NODE2, or between NODE1 and the agent.

    The estimate is from their network coordinates, so the two need not have talked.
    """
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        document = agent.rtt(node1, node2)
    missing = [name for name, coordinate in document["coordinates"].items() if coordinate is None]
    if missing:
        fail(ExitCode.FAILED, f'could not find a coordinate for node "{missing[0]}"')
    one, other, seconds = document["from"], document["to"], document.get("rtt")
    milliseconds = (seconds or 0.0) * 1000
    text = f"Estimated {one} <-> {other} rtt: {milliseconds:.3f} ms"
    emit(wanted, document, text=text, rows=[(one, other, f"{milliseconds:.3f}")])


@click.command()
@click.argument("nodes", nargs=-1, type=MEMBER, metavar="[NODE]...")
@click.option(
    "--ping-timeout", type=duration, metavar="SECONDS", help="How long to wait for each ack [probe_interval]."
)
@agent_options
@output_options
@click.pass_context
def reachability(ctx: click.Context, nodes: tuple[str, ...], ping_timeout: float | None) -> None:
    """Show which members answer the agent: a packet, a stream, a ping by other members, and a query.

    All members that are alive are asked, or the NODEs given. Exit code 1 if any does not answer in every way.
    """
    wanted = globals_of(ctx)
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    with talking(wanted) as agent:
        for line in agent.reachability(nodes, ping_timeout=ping_timeout):
            if "name" in line:
                rows.append(line)
                _progress(len(rows))
            else:
                summary = line
    _progress(0)
    if not summary:
        fail(ExitCode.UNREACHABLE, "the agent ended before it had asked all members")
    problems = _problems(rows, summary)
    document = {"members": rows, **summary, "ok": not problems}
    cells = [(row["name"], *(_cell(row, way) for way in _WAYS), _query_cell(row, summary)) for row in rows]
    lines = [
        f"Total members: {summary['total']}, live members: {summary['alive']}",
        table(("NAME", "PACKET", "STREAM", "RELAY", "QUERY"), cells),
    ]
    if not problems:
        lines.append("Successfully contacted all live nodes")
    emit(wanted, document, text="\n".join(lines), rows=cells)
    if problems:
        fail(ExitCode.FAILED, "; ".join(problems))


def _cell(row: Mapping[str, Any], way: str) -> str:
    if row["is_self"] or way in row["errors"]:
        return "-"
    return "no answer" if row[way] is None else f"{row[way] * 1000:.1f} ms"


def _query_cell(row: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    if summary["acked"] is None:
        return "-"
    return "ack" if row["name"] in summary["acked"] else "no ack"


def _problems(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[str]:
    """What is wrong, one clause each."""
    problems = []
    for way, words in zip(_WAYS, ("a packet", "a stream", "a relayed ping"), strict=True):
        silent = [row["name"] for row in rows if _cell(row, way) == "no answer"]
        if silent:
            problems.append(f"no answer to {words} from {', '.join(silent)}")
    if summary["missing"]:
        problems.append(f"missing acks from {', '.join(summary['missing'])}")
    if summary["unexpected"]:
        problems.append(f"acks from non-live members: {', '.join(summary['unexpected'])}")
    return problems


def _progress(count: int) -> None:
    """On a terminal, how many members have been asked; 0 clears the line."""
    if sys.stderr.isatty():
        click.echo(f"\r{count} members asked" if count else "\r\x1b[K", nl=False, err=True)
