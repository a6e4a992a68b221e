"""``swim members``, ``join``, ``leave`` and ``force-leave``: asking a running agent, and making it act."""

from __future__ import annotations

from http import HTTPStatus

import click

from agent_api.client import AgentError
from swim.addresses import join_host_port
from swim.cli.agent.remote import talking
from swim.cli.common import ExitCode, emit, fail, global_options, globals_of, table

__all__ = ["force_leave", "join", "leave", "members"]


@click.command()
@global_options
@click.pass_context
def members(ctx: click.Context) -> None:
    """List the members the agent knows."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        document = {"members": agent.members()}
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


@click.command()
@click.argument("addresses", nargs=-1, required=True, metavar="HOST[:PORT]...")
@global_options
@click.pass_context
def join(ctx: click.Context, addresses: tuple[str, ...]) -> None:
    """Make the agent join the nodes at these addresses; done if one of them answers."""
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
@global_options
@click.pass_context
def leave(ctx: click.Context) -> None:
    """Make the agent leave the cluster gracefully, and stop."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        agent.leave()
    emit(wanted, {"left": True}, text="left the cluster", rows=[("left",)])


@click.command("force-leave")
@click.argument("name")
@click.option("--prune", is_flag=True, help="Forget the member at once instead of listing it as left.")
@global_options
@click.pass_context
def force_leave(ctx: click.Context, name: str, prune: bool) -> None:
    """Declare that the failed member NAME has left; a living one refutes it."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        try:
            outcome = agent.force_leave(name, prune=prune)["outcome"]
        except AgentError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            outcome = "unknown"
    emit(wanted, {"node": name, "outcome": outcome}, text=f"{name}: {outcome}", rows=[(name, outcome)])
    if outcome == "unknown":
        fail(ExitCode.NOT_FOUND, f"no member is called {name!r}")
    if outcome == "leaving":
        fail(ExitCode.TIMED_OUT, f"{name!r} has not answered yet; a living member will refute it")
    if outcome == "refuted":
        fail(ExitCode.REFUSED, f"{name!r} is alive and refuted it; make it leave with 'swim leave' there")
