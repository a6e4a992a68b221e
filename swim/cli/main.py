"""The ``swim`` command: finds the subcommand, and turns every error into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from swim.cli.common import CliError, ExitCode, emit, global_options, globals_of
from swim.errors import SwimError
from swim.version import __version__

__all__ = ["main"]

# A subcommand's module is imported only when it runs, so that `swim members` doesn't pay for the engine.
_COMMANDS = {
    "agent": ("swim.cli.agent.command", "Run one node with its HTTP API until a signal stops it."),
    "cluster": ("swim.cli.cluster.command", "Run several real nodes on this machine, and break them."),
    "members": ("swim.cli.agent.members", "List the members the agent knows."),
    "join": ("swim.cli.agent.members", "Make the agent join other nodes."),
    "leave": ("swim.cli.agent.members", "Make the agent leave the cluster and stop."),
    "force-leave": ("swim.cli.agent.members", "Declare that a failed member has left."),
    "info": ("swim.cli.agent.inspect", "Show the agent's own state."),
    "why": ("swim.cli.agent.inspect", "Show how a member's state changed, and who said so."),
    "sim": ("swim.cli.sim.command", "Simulate whole clusters in virtual time, from a seed."),
    "explain": ("swim.cli.sim.explain", "Tell what to expect of a cluster of some size and settings."),
    "keygen": ("swim.cli.keys", "Print a new gossip key."),
    "version": ("swim.cli.main", "Print the version."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 agent unreachable, 5 timed out, 6 refused.",
)
@click.version_option(__version__, message="swim %(version)s")
@global_options
def swim() -> None:
    """SWIM cluster membership: run nodes, and ask them who is alive."""


@click.command()
@global_options
@click.pass_context
def version(ctx: click.Context) -> None:
    """Print the version."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    document = {"version": __version__, "python": python}
    emit(globals_of(ctx), document, text=f"swim {__version__}", rows=[(__version__,)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; a user's error is one line on stderr, never a traceback."""
    try:
        result = swim.main(args=arguments, prog_name="swim", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone; without this the interpreter complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "swim"
        return _complain(ExitCode.USAGE, f"{error.format_message().rstrip('.')} (see '{where} --help')")
    except (click.ClickException, click.Abort, KeyboardInterrupt) as error:
        return _complain(ExitCode.FAILED, str(error) or "interrupted")
    except CliError as error:
        return _complain(error.code, str(error))
    except SwimError as error:
        return _complain(error.exit_code, str(error))
    return result if isinstance(result, int) else ExitCode.DONE


def _complain(code: int, text: str) -> int:
    click.echo(f"swim: {' '.join(text.split())}", err=True)
    return code
