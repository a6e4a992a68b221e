"""The ``swim`` command: finds the subcommand, and turns every error into one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from swim.cli.common import (
    HARMLESS,
    CliError,
    ExitCode,
    SuggestingGroup,
    agent_options,
    emit,
    globals_of,
    output_options,
)
from swim.cli.start import complain, explain_failure
from swim.errors import SwimError
from swim.version import __version__

__all__ = ["main"]

# A subcommand's module is imported only when it runs, so that `swim members` doesn't pay for the engine.
_COMMANDS = {
    "agent": ("swim.cli.agent.command", "Run one node with its HTTP API until a signal stops it."),
    "cluster": ("swim.cli.cluster.command", "Run several real nodes on this machine, and inject failures."),
    "members": ("swim.cli.agent.members", "List the members that the agent knows, or those of any cluster."),
    "join": ("swim.cli.agent.members", "Make the agent join other nodes."),
    "leave": ("swim.cli.agent.members", "Make the agent leave the cluster and stop."),
    "force-leave": ("swim.cli.agent.members", "Declare that a failed member has left."),
    "info": ("swim.cli.agent.inspect", "Show the agent's own state."),
    "why": ("swim.cli.agent.inspect", "Show how a member's state changed, and why."),
    "event": ("swim.cli.agent.messages", "Send a user event to all members."),
    "query": ("swim.cli.agent.messages", "Ask members, and show their answers as they come."),
    "tags": ("swim.cli.agent.messages", "Show or change the agent's tags."),
    "monitor": ("swim.cli.agent.streams", "Show the agent's log as it is written."),
    "watch": ("swim.cli.agent.streams", "Show the members and their events as they happen."),
    "token": ("swim.cli.agent.tokens", "Create, list and revoke tokens for the HTTP API of agents."),
    "rtt": ("swim.cli.agent.reach", "Estimate the round-trip time between two members."),
    "reachability": ("swim.cli.agent.reach", "Show which members answer the agent, in which way."),
    "decode": ("swim.cli.decode.command", "Take a packet apart, layer by layer."),
    "sim": ("swim.cli.sim.command", "Simulate whole clusters in virtual time, from a seed."),
    "explain": ("swim.cli.sim.explain", "Show what to expect of a cluster of a given size and settings."),
    "keyring": ("swim.cli.agent.keyring", "List, install, use, remove and rotate the cluster's gossip keys."),
    "keygen": ("swim.cli.keys", "Print a new gossip key."),
    "version": ("swim.cli.main", "Print the version."),
    "help": ("swim.cli.main", "Show the help of a command."),
}


class _LazyGroup(SuggestingGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        name = "help_" if cmd_name == "help" else cmd_name.replace("-", "_")
        command: click.Command = getattr(module, name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands that begin so, without importing any, and options."""
        names = [name for name in _COMMANDS if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=_COMMANDS[name][1]) for name in names] + options

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 agent unreachable, 5 timed out, 6 refused.",
)
@click.version_option(__version__, message="swim %(version)s")
@agent_options
@output_options
def swim() -> None:
    """SWIM cluster membership: run nodes, and ask them which members are alive."""


@click.command()
@output_options
@click.pass_context
def version(ctx: click.Context) -> None:
    """Print the version."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    document = {"version": __version__, "python": python}
    emit(globals_of(ctx), document, text=f"swim {__version__}", rows=[(__version__,)])


@click.command("help")
@click.argument("command", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_(ctx: click.Context, command: tuple[str, ...]) -> None:
    """Show the help of COMMAND, or of swim itself."""
    context = ctx.find_root()
    for name in command:
        if not isinstance(context.command, click.Group):
            raise click.UsageError(f"'{context.command_path}' has no commands of its own", ctx)
        _, found, _ = context.command.resolve_command(context, [name])
        assert found is not None
        context = click.Context(found, info_name=name, parent=context)
    click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; a user's error is one line on stderr, never a traceback."""
    try:
        result = swim.main(args=arguments, prog_name="swim", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "swim"
        return complain(ExitCode.USAGE, f"{_words(error)} (see '{where} --help')")
    except (click.ClickException, click.Abort, KeyboardInterrupt) as error:
        return complain(ExitCode.FAILED, str(error) or "interrupted")
    except CliError as error:
        return complain(error.code, str(error))
    except SwimError as error:
        return complain(error.exit_code, str(error))
    except (OSError, ImportError) as error:
        return explain_failure(error)
    return result if isinstance(result, int) else ExitCode.DONE


def _words(error: click.UsageError) -> str:
    """The error message, without a misplaced argument: it may be a key."""
    text = error.format_message().rstrip(".")
    if text.startswith("Got unexpected extra argument"):
        return text.partition(" (")[0]
    if isinstance(error, click.NoSuchOption) and not HARMLESS.fullmatch(error.option_name.lstrip("-")):
        return "No such option"
    return text
