"""``swim info`` and ``swim why``: an agent's own state, and the history of a member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from swim.cli.agent.completion import MEMBER
from swim.cli.agent.remote import talking
from swim.cli.common import agent_options, emit, globals_of, output_options, table
from swim.text import printable

__all__ = ["info", "why"]


@click.command()
@agent_options
@output_options
@click.pass_context
def info(ctx: click.Context) -> None:
    """Show the agent's own state: addresses, health, counters."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        document = agent.info()
    seeds = {seed["address"]: _seed_text(seed) for seed in document.get("seeds", ())}
    rows = list(_flat(document | {"seeds": seeds}))
    width = max(len(key) for key, _ in rows)
    text = "\n".join(f"{key.ljust(width)}  {printable(value)}".rstrip() for key, value in rows)
    emit(wanted, document, text=text, rows=rows)


@click.command()
@click.argument("name", type=MEMBER)
@agent_options
@output_options
@click.pass_context
def why(ctx: click.Context, name: str) -> None:
    """Show how the state of member NAME changed as seen by this agent: when, why, and by which accuser."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        document = agent.why(name)
    rows = [
        (
            f"{entry['age']:.1f} s ago",
            f"{entry['before']} -> {entry['after']}",
            entry["incarnation"],
            entry["cause"],
            entry["accuser"] or "-",
            entry["detail"] or "-",
        )
        for entry in document["history"]
    ]
    header = ("WHEN", "TRANSITION", "INCARNATION", "CAUSE", "ACCUSER", "DETAIL")
    emit(wanted, document, text=table(header, rows), rows=rows)


def _seed_text(seed: Mapping[str, Any]) -> str:
    if seed["joined"]:
        return "joined"
    when = "not tried yet" if seed["age"] is None else f"{seed['age']:.0f} s ago"
    return f"failed {when}: {seed['error']}" if seed["error"] else when


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield prefix + key, ",".join(str(item) for item in value)
        elif value is None:
            yield prefix + key, "-"
        else:
            yield prefix + key, str(value).lower() if isinstance(value, bool) else str(value)
