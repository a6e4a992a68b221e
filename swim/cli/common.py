"""What all commands share: exit codes, the global options, durations, and how a result is written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, TextIO, TypeVar

import click

from swim.checks import parse_duration
from swim.errors import SwimError
from swim.text import closest, json_text, printable

__all__ = [
    "HARMLESS",
    "CliError",
    "ExitCode",
    "Globals",
    "SuggestingGroup",
    "address_options",
    "agent_options",
    "duration",
    "emit",
    "fail",
    "globals_of",
    "is_utf8",
    "json_option",
    "output_options",
    "table",
    "unwrapped",
]

_TOKEN_CHARACTERS_MAX = 4096
_STATUS_COLOURS = {"alive": "green", "leaving": "yellow", "left": "bright_black", "failed": "red"}
_ADDRESS_OPTIONS = (
    (
        "--address",
        "URL",
        "The agent's address: http://HOST:PORT, https://HOST:PORT or unix:///PATH [SWIM_ADDRESS, NOMAD_ADDR,"
        " http://127.0.0.1:4646].",
    ),
    (
        "--token",
        "TOKEN",
        "Token for the agent [SWIM_TOKEN, NOMAD_TOKEN]. Other users can see it in ps: use a file instead.",
    ),
    ("--token-file", "FILE", "Read the token from a file."),
    ("--ca-cert", "FILE", "Certificates trusted for https, in place of the system's [NOMAD_CACERT]."),
    ("--ca-path", "DIR", "Directory of such certificates [NOMAD_CAPATH]."),
    ("--client-cert", "FILE", "Certificate shown to an agent that verifies its clients [NOMAD_CLIENT_CERT]."),
    ("--client-key", "FILE", "Key of that certificate [NOMAD_CLIENT_KEY]."),
    (
        "--tls-server-name",
        "NAME",
        "Name that the agent's certificate must have, in place of the address's host"
        " [NOMAD_TLS_SERVER_NAME].",
    ),
    ("--tls-skip-verify", "", "Accept any certificate [NOMAD_SKIP_VERIFY]."),
)
"""Options that say where the agent is; "" for a switch."""

HARMLESS = re.compile(r"[a-z][a-z-]{0,24}")
"""Arguments that an error may repeat; anything else may be a key whose option is missing."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


class ExitCode(IntEnum):
    """Exit codes of every ``swim`` command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNREACHABLE = 4
    TIMED_OUT = 5
    REFUSED = 6


class CliError(Exception):
    """Ends a command with one line on stderr and an exit code.

    Attributes:
        code: the exit code.
    """

    def __init__(self, code: ExitCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def fail(code: ExitCode, text: str) -> NoReturn:
    """Raises ``CliError``.

    Raises:
        CliError: always.
    """
    raise CliError(code, text)


class SuggestingGroup(click.Group):
    """A group that shows its help when no command is given, and suggests the closest for a mistyped one."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **{"invoke_without_command": True, **settings})

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command, or shows the help of the group."""
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            click.echo(ctx.get_help())
        return result

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command.

        Raises:
            click.UsageError: there is no command of that name.
        """
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            guess = closest(name, self.list_commands(ctx))
            known = f"did you mean '{guess}'?" if guess else f"known: {', '.join(self.list_commands(ctx))}"
            shown_name = f" '{name}'" if HARMLESS.fullmatch(name) else ""
            raise click.UsageError(f"no such command{shown_name}; {known}", ctx)
        return super().resolve_command(ctx, args)


class Globals(NamedTuple):
    """The global options, from any place on the command line.

    Attributes:
        json: one JSON document on stdout.
        plain: tab-separated values, no header, no colour.
        address: base URL of the agent.
        timeout: seconds to wait for the agent.
        token: sent to the agent; "" for none.
        client: other settings of the client that have an option here: the region, and TLS.
    """

    json: bool
    plain: bool
    address: str
    timeout: float
    token: str
    client: Mapping[str, Any] = MappingProxyType({})


def duration(text: str) -> float:
    """``parse_duration`` as the type of a click option.

    Raises:
        click.BadParameter: in place of ``ValueError``.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def json_option(command: _Command) -> _Command:
    """Adds ``--json``; it is read with ``globals_of``."""
    text = "One JSON document on stdout."
    return click.option(
        "--json", is_flag=True, default=None, expose_value=False, callback=_remember, help=text
    )(command)


def output_options(command: _Command) -> _Command:
    """Adds ``--json`` and ``--plain``; they are read with ``globals_of``."""
    text = "Tab-separated values without header or colour."
    plain = click.option(
        "--plain", is_flag=True, default=None, expose_value=False, callback=_remember, help=text
    )
    return json_option(plain(command))


def address_options(command: _Command) -> _Command:
    """Adds ``--address``, the token's and those of TLS; they are read with ``globals_of``."""
    for name, metavar, text in reversed(_ADDRESS_OPTIONS):
        kind: dict[str, Any] = {"metavar": metavar} if metavar else {"is_flag": True, "default": None}
        command = click.option(name, expose_value=False, callback=_remember, help=text, **kind)(command)
    return command


def agent_options(command: _Command) -> _Command:
    """``address_options`` and ``--timeout``, for commands that ask an agent; read with ``globals_of``."""
    wait = "How long to wait for the agent [10]."
    timeout = click.option(
        "--timeout", type=duration, metavar="SECONDS", expose_value=False, callback=_remember, help=wait
    )
    return address_options(timeout(command))


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        ctx.find_root().meta[f"swim.{param.name}"] = value


def globals_of(ctx: click.Context) -> Globals:
    """The global options in force; an option after the subcommand wins over one before it.

    Raises:
        click.UsageError: if ``--json`` and ``--plain`` are both given.
    """
    from agent_api.client.environment import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, VARIABLES, value

    given = {name.removeprefix("swim."): found for name, found in ctx.find_root().meta.items()}
    token = _token(given.get("token"), given.get("token_file"), ctx)
    wanted = Globals(
        json=given.get("json", False),
        plain=given.get("plain", False),
        address=given.get("address") or value("address", os.environ) or DEFAULT_ADDRESS,
        timeout=given.get("timeout", DEFAULT_TIMEOUT),
        token=token or value("token", os.environ),
        client={name: given[name] for name in VARIABLES.keys() - {"address", "token"} if name in given},
    )
    if wanted.json and wanted.plain:
        raise click.UsageError("--json and --plain exclude each other", ctx)
    return wanted


def _token(token: str | None, file: str | None, ctx: click.Context) -> str:
    if token and file:
        raise click.UsageError("--token excludes --token-file", ctx)
    if file:
        try:
            with open(file, encoding="ascii") as opened:
                token = opened.read(_TOKEN_CHARACTERS_MAX).strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not ASCII text"
            raise click.UsageError(f"--token-file: {reason}", ctx) from None
    return token or ""


def emit(
    wanted: Globals, document: Mapping[str, Any], *, text: str = "", rows: Iterable[Sequence[Any]] = ()
) -> None:
    """Writes one result to stdout: ``document`` with ``--json``, ``rows`` with ``--plain``, else ``text``."""
    if wanted.json:
        click.echo(json_text(document, indent=2, ascii_only=not is_utf8(sys.stdout)))
    elif wanted.plain:
        for row in rows:
            click.echo("\t".join(printable(cell) for cell in row))
    elif text:
        click.echo(text)


def is_utf8(stream: TextIO) -> bool:
    """Whether a stream can carry every character."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf8")


@contextmanager
def unwrapped() -> Iterator[None]:
    """Extracts an error of ours, or a user's, from the groups that trio's nurseries wrap it in."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaf: BaseException | None = group
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        if isinstance(leaf, (SwimError, CliError, OSError, KeyboardInterrupt)):
            raise leaf from None
        raise


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned columns under ``header``; a cell that is a member status is coloured on a terminal."""
    lines = [tuple(header), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(_paint(cell, cell.ljust(width)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _paint(cell: str, padded: str) -> str:
    colour = _STATUS_COLOURS.get(cell.partition(" ")[0])
    return click.style(padded, fg=colour) if colour and _colours() else padded


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
