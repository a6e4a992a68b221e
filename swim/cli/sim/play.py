"""``swim sim play``: shows a recorded run in a browser, from loopback."""

from __future__ import annotations

import shutil
import sys
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from swim.cli.common import emit, globals_of, output_options
from swim.errors import ConfigError

__all__ = ["play", "play_options", "show"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LOCAL = "127.0.0.1:0"


def play_options(command: Callable[..., object]) -> Callable[..., object]:
    """``--http`` and ``--open``, of every command that shows the player."""
    for option in (
        click.option(
            "--open/--no-open",
            "opens",
            default=None,
            help="Open the page in a browser [on a terminal with a browser].",
        ),
        click.option(
            "--http", default=_LOCAL, show_default=True, metavar="HOST:PORT", help="Where to serve the page."
        ),
    ):
        command = option(command)
    return command


@click.command(epilog="Exit codes: 0 done, 2 usage. Ctrl-C ends it.")
@click.argument("file", type=_FILE)
@click.argument("other", type=_FILE, required=False)
@play_options
@output_options
@click.pass_context
def play(ctx: click.Context, file: Path, other: Path | None, http: str, opens: bool | None) -> None:
    """Play a trace FILE in a browser: scrub, see every table at any moment, and why.

    A second trace, OTHER, is compared with it.

    Serves one page on loopback until Ctrl-C, and prints its address. Nothing leaves this machine.
    """
    show(ctx, [file, *([other] if other else [])], http=http, opens=opens)


def show(ctx: click.Context, traces: list[Path], *, http: str, opens: bool | None) -> None:
    """Serves the player for these traces until the process is interrupted.

    Raises:
        click.UsageError: the address cannot be bound.
    """
    import trio

    from agent_api.server.serving import listen, serve
    from agent_api.ui.recordings import recordings_app

    try:
        listener = listen(http)
    except ConfigError as error:
        raise click.UsageError(f"--http: {error}", ctx) from None
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    document = {"url": url, "traces": [str(path) for path in traces]}
    emit(globals_of(ctx), document, text=f"{url}   (Ctrl-C ends it)", rows=[(url,)])
    sys.stdout.flush()
    if opens if opens is not None else _has_browser():
        webbrowser.open(url)
    try:
        trio.run(partial(serve, recordings_app(traces), listener=listener))
    except KeyboardInterrupt:
        return


def _has_browser() -> bool:
    """Whether a person sits at a terminal with a browser that has a screen."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    return not isinstance(found, webbrowser.GenericBrowser) or shutil.which(found.name) is not None
