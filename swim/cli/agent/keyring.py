"""``swim keyring``: the gossip keys of a running cluster. Keys are shown as fingerprints only."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections import Counter
from pathlib import Path

import click

from agent_api.client.replies import Keyrings
from swim.cli.agent.remote import talking
from swim.cli.agent.rotation import Rotation
from swim.cli.common import (
    ExitCode,
    Globals,
    SuggestingGroup,
    agent_options,
    emit,
    fail,
    globals_of,
    output_options,
    table,
)
from swim.cli.keys import is_key, read_keys, read_text_file
from swim.keyrings import fingerprint
from swim.text import printable

__all__ = ["keyring"]

_KEY_BYTES = 32
_from_file = click.option(
    "--key-file", metavar="FILE", help="Read the key, in base64, from a file; - for standard input."
)


@click.group(cls=SuggestingGroup)
@agent_options
@output_options
def keyring() -> None:
    """List, install, use, remove and rotate the gossip keys of the whole cluster.

    A key is never an argument, which other users could see: it comes from a file, or is named by its
    fingerprint, as 'swim keyring list' shows it.
    """


@keyring.command("list")
@agent_options
@output_options
@click.pass_context
def list_(ctx: click.Context) -> None:
    """Show every key of the cluster, how many members have it, and how many encrypt with it."""
    wanted = globals_of(ctx)
    with talking(wanted) as agent:
        found = agent.keyring()
    rings = list(found["keyrings"].values())
    installed = Counter(key for keys in rings for key in keys)
    encrypting = Counter(keys[0] for keys in rings if keys)
    rows = [(key, count, encrypting[key]) for key, count in installed.most_common()]
    cells = [(key, f"{count}/{found['members']}", f"{uses}/{found['members']}") for key, count, uses in rows]
    emit(wanted, found, text=table(("KEY", "INSTALLED", "ENCRYPTS"), cells), rows=rows)
    _finish(found)


@keyring.command()
@_from_file
@agent_options
@output_options
@click.pass_context
def install(ctx: click.Context, key_file: str | None) -> None:
    """Add a key to the keyring of every member, which then accepts it."""
    _change(globals_of(ctx), "install", _key(ctx, key_file, None))


@keyring.command()
@click.argument("name", required=False, metavar="[FINGERPRINT]")
@_from_file
@agent_options
@output_options
@click.pass_context
def use(ctx: click.Context, name: str | None, key_file: str | None) -> None:
    """Make every member encrypt with a key that all have installed."""
    _change(globals_of(ctx), "use", _key(ctx, key_file, name))


@keyring.command()
@click.argument("name", required=False, metavar="[FINGERPRINT]")
@_from_file
@agent_options
@output_options
@click.pass_context
def remove(ctx: click.Context, name: str | None, key_file: str | None) -> None:
    """Remove a key from the keyring of every member, unless that encrypts with it."""
    _change(globals_of(ctx), "remove", _key(ctx, key_file, name))


@keyring.command()
@_from_file
@click.option(
    "--generate", is_flag=True, help="Write a new key into the file first, if there is no file yet."
)
@click.option(
    "--ignore-failed", is_flag=True, help="Go on although members failed; they cannot come back without it."
)
@click.option("--keep-old", is_flag=True, help="Do not remove the other keys.")
@agent_options
@output_options
@click.pass_context
def rotate(
    ctx: click.Context, key_file: str | None, generate: bool, ignore_failed: bool, keep_old: bool
) -> None:
    """Replace the gossip key of a running cluster: install, verify, use, verify, remove the other keys.

    It stops, and names the member, as soon as a member lacks the key or does not answer. Run the same command
    again to go on where it stopped.
    """
    wanted = globals_of(ctx)
    if generate:
        _generate(ctx, key_file)
    key = _key(ctx, key_file, None)
    assert isinstance(key, bytes)
    with talking(wanted) as agent:
        rotation = Rotation(
            agent,
            key,
            ignore_failed=ignore_failed,
            keep_old=keep_old,
            tell=lambda line: click.echo(printable(line), err=True),
        )
        document = rotation.run()
    emit(wanted, document, text=document["key"], rows=[(document["key"], document["members"])])


def _generate(ctx: click.Context, key_file: str | None) -> None:
    if key_file in (None, "-"):
        raise click.UsageError("--generate needs --key-file with a name", ctx)
    try:
        handle = os.open(str(key_file), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with open(handle, "wb") as file:
        file.write(b64encode(os.urandom(_KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(handle)


def _key(ctx: click.Context, key_file: str | None, name: str | None) -> bytes | str:
    """The key in the file, or the fingerprint given."""
    if (key_file is None) == (name is None):
        wants = "--key-file" if ctx.command.name in ("install", "rotate") else "a fingerprint or --key-file"
        raise click.UsageError(f"give {wants}", ctx)
    if name is not None:
        if is_key(name):
            raise click.UsageError("that is a key, which other users can see: use --key-file", ctx)
        return name.lower()
    assert key_file is not None
    try:
        text = sys.stdin.read() if key_file == "-" else read_text_file(Path(key_file))
        keys = read_keys(text)
    except ValueError as error:
        raise click.UsageError(f"--key-file: {error}", ctx) from None
    if len(keys) > 1:
        raise click.UsageError(f"--key-file: there are {len(keys)} keys in it, not one", ctx)
    return keys[0]


def _change(wanted: Globals, operation: str, key: bytes | str) -> None:
    with talking(wanted) as agent:
        if isinstance(key, str):
            found = agent.change_keyring(operation, fingerprint=key)
        else:
            found = agent.change_keyring(operation, key=key)
    named = key if isinstance(key, str) else fingerprint(key)
    done = found["responses"] - len(found["errors"])
    text = f"{operation} {named}: {done} of {found['members']} members"
    emit(wanted, found | {"key": named}, text=text, rows=[(named, done, found["members"])])
    _finish(found)


def _finish(found: Keyrings) -> None:
    """Says what members remarked; ends with an error if one of them refused or did not answer."""
    for name, message in sorted(found["messages"].items()):
        click.echo(printable(f"swim: {name}: {message}"), err=True)
    if found["errors"]:
        fail(
            ExitCode.FAILED, "; ".join(f"{name}: {error}" for name, error in sorted(found["errors"].items()))
        )
    if found["missing"]:
        fail(ExitCode.TIMED_OUT, f"no answer from {', '.join(found['missing'])}")
