"""``swim token``: creates, lists and revokes the tokens in a file that agents read."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from agent_api.access.rules import CAPABILITIES, AccessRules, Token, hash_of
from swim.cli.common import ExitCode, SuggestingGroup, duration, emit, fail, globals_of, output_options, table
from swim.errors import ConfigError
from swim.net import data_dir
from swim.text import json_text

__all__ = ["read_rules", "token"]

_FILE_BYTES_MAX = 4 * 1024 * 1024
_WRITABLE_BY_OTHERS = 0o022
_FILE_OPTION = click.option(
    "--acl-file", metavar="FILE", envvar="SWIM_ACL_FILE", required=True, help="The file [SWIM_ACL_FILE]."
)


def read_rules(path: Path) -> AccessRules:
    """The tokens and policies in a file.

    Raises:
        ConfigError: naming the file: it cannot be read, others may write it, or what is wrong in it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_FILE_BYTES_MAX + 1)
        if mode & _WRITABLE_BY_OTHERS:
            raise ConfigError(str(path), f"other users may write it: chmod {mode & 0o755:o} {path}")
        if len(text) > _FILE_BYTES_MAX:
            raise ConfigError(str(path), f"more than {_FILE_BYTES_MAX} bytes")
        return AccessRules.of_document(json.loads(text))
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            reason = str(error) if error.field != str(path) else error.reason
            raise ConfigError(str(path), reason) from None
        raise ConfigError(str(path), f"is not JSON: {error}") from None


@click.group(cls=SuggestingGroup)
def token() -> None:
    """Create, list and revoke tokens for the HTTP API of agents started with --acl-file.

    A running agent reads the file again on SIGHUP and on PUT /v1/agent/reload.
    """


@token.command()
@click.argument("name")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    required=True,
    metavar="POLICY",
    help=f"A policy in the file, or one of {', '.join(CAPABILITIES)}; repeatable.",
)
@click.option("--expires", type=duration, metavar="SECONDS", help="Refuse it after this time [never].")
@_FILE_OPTION
@output_options
@click.pass_context
def create(
    ctx: click.Context, name: str, policies: tuple[str, ...], expires: float | None, acl_file: str
) -> None:
    """Create a token and print its secret, which is stored nowhere; creates the file if there is none."""
    wanted, secret, now = globals_of(ctx), str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), _now()
    with _changing(Path(acl_file), create=True) as found:
        made = Token(
            accessor=secrets.token_hex(8),
            name=name,
            policies=policies,
            hash=hash_of(secret),
            created=_iso(now),
            expires=_iso(now + timedelta(seconds=expires)) if expires is not None else "",
        )
        found[0] = replace(found[0], tokens=(*found[0].tokens, made))
    document = {"accessor": made.accessor, "secret": secret, "name": name, "policies": list(policies),
                "created": made.created, "expires": made.expires}  # fmt: skip
    text = f"accessor  {made.accessor}\nsecret    {secret}"
    emit(wanted, document, text=text, rows=[(made.accessor, secret)])


@token.command("list")
@_FILE_OPTION
@output_options
@click.pass_context
def list_(ctx: click.Context, acl_file: str) -> None:
    """List the tokens, without their secrets."""
    rules, now = read_rules(Path(acl_file)), _now()
    rows = [
        (
            one.accessor,
            one.name,
            ",".join(one.policies),
            one.created or "-",
            (one.expires or "never") + (" (expired)" if one.is_expired(now) else ""),
        )
        for one in rules.tokens
    ]
    shown = [
        {key: value for key, value in item.items() if key != "hash"} for item in rules.document()["tokens"]
    ]
    header = ("ACCESSOR", "NAME", "POLICIES", "CREATED", "EXPIRES")
    emit(globals_of(ctx), {"tokens": shown}, text=table(header, rows), rows=rows)


@token.command()
@click.argument("accessor")
@_FILE_OPTION
@output_options
@click.pass_context
def revoke(ctx: click.Context, accessor: str, acl_file: str) -> None:
    """Remove the token with this accessor, or the only one with this name."""
    with _changing(Path(acl_file)) as found:
        matching = [one for one in found[0].tokens if accessor in (one.accessor, one.name)]
        if not matching:
            fail(ExitCode.NOT_FOUND, f"no token has the accessor or name {accessor!r}")
        if len(matching) > 1:
            fail(ExitCode.FAILED, f"{len(matching)} tokens have the name {accessor!r}: give an accessor")
        kept = tuple(one for one in found[0].tokens if one is not matching[0])
        found[0] = replace(found[0], tokens=kept)
    gone = matching[0].accessor
    emit(globals_of(ctx), {"revoked": gone}, text=f"revoked {gone}", rows=[(gone,)])


@contextmanager
def _changing(path: Path, *, create: bool = False) -> Iterator[list[AccessRules]]:
    """The rules in a file, to be replaced; no other command changes the file meanwhile."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        rules = AccessRules() if create and not path.exists() else read_rules(path)
        found = [rules]
        yield found
        text = json_text(found[0].document(), indent=2, ascii_only=True) + "\n"
        data_dir.replace(path, text.encode())
    finally:
        os.close(directory)


def _now() -> datetime:
    return datetime.now(UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
