"""``swim event``, ``query`` and ``tags``: user events and queries through an agent, and the agent's tags."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from swim.cli.agent.completion import MEMBER
from swim.cli.agent.remote import talking
from swim.cli.common import (
    ExitCode,
    Globals,
    address_options,
    agent_options,
    duration,
    emit,
    fail,
    globals_of,
    output_options,
)
from swim.commands import MESSAGE_BYTES_MAX
from swim.text import of_bytes, printable, shown

__all__ = ["event", "query", "tags"]

_STDIN = "-"


@click.command()
@click.argument("name")
@click.argument("payload", required=False)
@click.option("--coalesce", is_flag=True, help="Receivers may drop it in favour of a newer one of this name.")
@agent_options
@output_options
@click.pass_context
def event(ctx: click.Context, name: str, payload: str | None, coalesce: bool) -> None:
    """Send the user event NAME to all members; PAYLOAD - reads the payload from stdin."""
    wanted, data = globals_of(ctx), _payload(payload)
    with talking(wanted) as agent:
        document = agent.user_event(name, data, coalesce=coalesce)
    text = f"sent user event {shown(name)} ({of_bytes(document['bytes'])})"
    emit(wanted, document, text=text, rows=[(name, document["bytes"])])


@click.command()
@click.argument("name")
@click.argument("payload", required=False)
@click.option(
    "--node", "nodes", multiple=True, type=MEMBER, metavar="NAME", help="Ask only this member; repeatable."
)
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=REGEX", help="Ask only members with such a tag; repeatable."
)
@click.option("--timeout", type=duration, metavar="SECONDS", help="Deadline [grows with the cluster].")
@click.option("--no-ack", is_flag=True, help="Do not ask for acks.")
@click.option(
    "--relay-factor",
    type=click.IntRange(0, 255),
    default=0,
    metavar="N",
    help="Replies come by N other members too [0].",
)
@click.option(
    "--finish-early", is_flag=True, help="End as soon as all members asked that are alive have answered."
)
@address_options
@output_options
@click.pass_context
def query(
    ctx: click.Context,
    name: str,
    payload: str | None,
    nodes: tuple[str, ...],
    tags: tuple[str, ...],
    timeout: float | None,
    no_ack: bool,
    relay_factor: int,
    finish_early: bool,
) -> None:
    """Send the query NAME, and show acks and responses as they come.

    PAYLOAD - reads the payload from stdin.
    """
    wanted, data = globals_of(ctx), _payload(payload)
    filters = _pairs(ctx, "--tag", tags, "KEY=REGEX")
    document: dict[str, Any] = {"name": name, "acks": [], "responses": []}
    done: Mapping[str, Any] = {}
    with talking(wanted) as agent:
        replies = agent.query(
            name,
            data,
            nodes=nodes,
            tags=filters,
            ack=not no_ack,
            relay_factor=relay_factor,
            timeout=timeout,
            finish_early=finish_early,
        )
        for reply in replies:
            if reply["event"] == "QueryDone":
                done = reply
            else:
                _show_reply(wanted, reply, document)
    acks, responses, seconds = len(document["acks"]), len(document["responses"]), done["seconds"]
    document |= {"lost": done["lost"], "seconds": round(seconds, 3)}
    if not wanted.plain:
        emit(wanted, document, text=f"{acks} acks, {responses} responses in {seconds:.1f} s")
    if done["error"]:
        fail(ExitCode.FAILED, done["error"])
    if done["lost"]:
        fail(ExitCode.FAILED, f"{done['lost']} replies were lost: this command did not keep up")


def _show_reply(wanted: Globals, reply: Mapping[str, Any], document: dict[str, Any]) -> None:
    """Writes one reply, or keeps it for the document."""
    source = reply["source"]
    cells: tuple[str, ...]
    if reply["event"] == "QueryAck":
        document["acks"].append(source)
        cells, text = ("ack", source), f"ack from {shown(source)}"
    else:
        data = base64.b64decode(reply["payload"])
        words = data.decode("utf-8", "backslashreplace")
        document["responses"].append({"source": source, "payload": reply["payload"], "text": words})
        cells, text = ("response", source, words), f"{shown(source)}: {printable(words)}"
    if not wanted.json:
        emit(wanted, {}, text=text, rows=[cells])


@click.command()
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Add or replace a tag; repeatable."
)
@click.option("--delete", "remove", multiple=True, metavar="KEY", help="Remove a tag; repeatable.")
@agent_options
@output_options
@click.pass_context
def tags(ctx: click.Context, changes: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Show the agent's tags, after changing some of them."""
    wanted, pairs = globals_of(ctx), _pairs(ctx, "--set", changes, "KEY=VALUE")
    for key in remove:
        if key in pairs:
            raise click.UsageError(f"--delete: {key!r} is also in --set", ctx)
    with talking(wanted) as agent:
        found = agent.set_tags(pairs, remove=remove) if changes or remove else agent.tags()
    rows = sorted(found.items())
    text = "\n".join(f"{printable(key)}={printable(value)}" for key, value in rows)
    emit(wanted, {"tags": found}, text=text, rows=rows)


def _pairs(ctx: click.Context, option: str, texts: tuple[str, ...], form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"{option}: {text!r} is not {form}", ctx)
        if key in pairs:
            raise click.UsageError(f"{option}: {key!r} is given twice", ctx)
        pairs[key] = value
    return pairs


def _payload(text: str | None) -> bytes:
    """The payload given as an argument, or on stdin."""
    if text != _STDIN:
        return os.fsencode(text or "")
    data = sys.stdin.buffer.read(MESSAGE_BYTES_MAX + 1)
    if len(data) > MESSAGE_BYTES_MAX:
        fail(ExitCode.FAILED, f"payload: more than {MESSAGE_BYTES_MAX} bytes on stdin")
    return data
