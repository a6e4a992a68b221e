"""``swim members``, ``join``, ``leave`` and ``force-leave``: query and control a running agent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from agent_api.client import AgentError
from swim.addresses import join_host_port
from swim.cli.agent.completion import MEMBER
from swim.cli.agent.remote import talking
from swim.cli.common import ExitCode, agent_options, emit, fail, globals_of, output_options, table

__all__ = ["force_leave", "join", "leave", "members"]


@click.command()
@click.option("--status", metavar="REGEX", help="Only members whose status matches, such as 'failed|left'.")
@click.option("--name", type=MEMBER, metavar="REGEX", help="Only members whose name matches.")
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=REGEX", help="Only members with such a tag; repeatable."
)
@click.option(
    "--gossip",
    "addresses",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Ask a member of any cluster instead, by gossip and without joining it; repeatable, the first that"
    " answers counts.",
)
@click.option("--encrypt", metavar="KEY", help="With --gossip: the cluster's key, in base64.")
@click.option("--key-file", metavar="FILE", help="With --gossip: read the cluster's keys from a file.")
@click.option("--label", metavar="LABEL", default="", help="With --gossip: the cluster's label.")
@agent_options
@output_options
@click.pass_context
def members(
    ctx: click.Context,
    status: str | None,
    name: str | None,
    tags: tuple[str, ...],
    addresses: tuple[str, ...],
    encrypt: str | None,
    key_file: str | None,
    label: str,
) -> None:
    """List the members the agent knows, or those of a cluster that is asked by gossip.

    Filters are regular expressions that must match the whole value, as in `serf members`; all must match.
    """
    wanted = globals_of(ctx)
    is_wanted = _filter(status, name, tags)
    found: Sequence[Mapping[str, Any]]
    if addresses:
        found = _observed(addresses, encrypt, key_file, label, wanted.timeout)
    elif encrypt or key_file or label:
        raise click.UsageError("--encrypt, --key-file and --label need --gossip", ctx)
    else:
        with talking(wanted) as agent:
            found = agent.members()
    document = {"members": [member for member in found if is_wanted(member)]}
    rows = [
        (
            member["name"],
            join_host_port(member["address"], member["port"]),
            member["status"] + (" (suspect)" if member["is_suspect"] else ""),
            ",".join(f"{key}={value}" for key, value in sorted(member["tags"].items())),
        )
        for member in document["members"]
    ]
    emit(wanted, document, text=table(("NAME", "ADDRESS", "STATUS", "TAGS"), rows), rows=rows)


def _observed(
    addresses: tuple[str, ...], encrypt: str | None, key_file: str | None, label: str, timeout: float
) -> list[Mapping[str, Any]]:
    """The members of the cluster at these addresses, in the shape in which an agent lists its own."""
    from agent_api.shapes import member_shape
    from swim.cli.keys import decode_key, read_keys, read_text_file
    from swim.net.observer import observe

    if encrypt and key_file:
        raise click.UsageError("--encrypt excludes --key-file", click.get_current_context())
    keys: tuple[bytes, ...] = ()
    try:
        if encrypt:
            keys = (decode_key(encrypt),)
        elif key_file:
            keys = read_keys(read_text_file(Path(key_file)))
    except ValueError as error:
        raise click.UsageError(f"{'--encrypt' if encrypt else '--key-file'}: {error}") from None
    found = observe(addresses, keys=keys, label=label, timeout=timeout)
    return [dict(member_shape(member)) for member in found]


def _filter(
    status: str | None, name: str | None, tags: tuple[str, ...]
) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a member passes all filters."""
    wanted_status, wanted_name = _regex("--status", status), _regex("--name", name)
    wanted_tags: list[tuple[str, re.Pattern[str]]] = []
    for text in tags:
        key, equals, regex = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"--tag: {text!r} is not KEY=REGEX", click.get_current_context())
        wanted_tags.append((key, _regex("--tag", regex)))

    def is_wanted(member: Mapping[str, Any]) -> bool:
        return bool(
            wanted_status.fullmatch(member["status"])
            and wanted_name.fullmatch(member["name"])
            and all(key in member["tags"] and r.fullmatch(member["tags"][key]) for key, r in wanted_tags)
        )

    return is_wanted


def _regex(option: str, text: str | None) -> re.Pattern[str]:
    try:
        return re.compile(".*" if text is None else text, re.DOTALL if text is None else re.NOFLAG)
    except (re.error, OverflowError, RecursionError) as error:
        context = click.get_current_context()
        raise click.UsageError(f"{option}: {text!r} is not a regular expression: {error}", context) from None


@click.command()
@click.argument("addresses", nargs=-1, required=True, metavar="HOST[:PORT]...")
@agent_options
@output_options
@click.pass_context
def join(ctx: click.Context, addresses: tuple[str, ...]) -> None:
    """Make the agent join the nodes at these addresses; succeeds if one of them answers."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        document = agent.join(addresses)
    outcomes = document["addresses"]
    rows = [(outcome["address"], "ok" if outcome["ok"] else outcome["error"]) for outcome in outcomes]
    emit(wanted, document, text=f"joined {document['joined']} of {len(outcomes)} addresses", rows=rows)
    problems = [outcome["error"] for outcome in outcomes if not outcome["ok"]]
    if not document["joined"]:
        late = all("timed out" in problem for problem in problems)
        fail(ExitCode.TIMED_OUT if late else ExitCode.FAILED, "; ".join(problems))
    for problem in problems:
        click.echo(f"swim: {problem}", err=True)


@click.command()
@agent_options
@output_options
@click.pass_context
def leave(ctx: click.Context) -> None:
    """Make the agent leave the cluster gracefully, and stop."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        agent.leave()
    emit(wanted, {"left": True}, text="left the cluster", rows=[("left",)])


@click.command("force-leave")
@click.argument("name", type=MEMBER)
@click.option("--prune", is_flag=True, help="Forget the member at once instead of listing it as left.")
@agent_options
@output_options
@click.pass_context
def force_leave(ctx: click.Context, name: str, prune: bool) -> None:
    """Declare that the failed member NAME has left; a member that is alive refutes it."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        try:
            outcome = agent.force_leave(name, prune=prune)["outcome"]
        except AgentError as error:
            if error.status != HTTPStatus.NOT_FOUND or error.is_foreign:
                raise
            outcome = "unknown"
    emit(wanted, {"node": name, "outcome": outcome}, text=f"{name}: {outcome}", rows=[(name, outcome)])
    if outcome == "unknown":
        fail(ExitCode.NOT_FOUND, f"no member is called {name!r}")
    if outcome == "leaving":
        fail(ExitCode.TIMED_OUT, f"{name!r} has not answered yet; if it is alive, it will refute this")
    if outcome == "refuted":
        fail(ExitCode.REFUSED, f"{name!r} is alive and refuted it; make it leave with 'swim leave' there")
