"""Gossip keys as text: ``swim keygen``, and files of keys."""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path

import click

from swim.checks import KEY_SIZES
from swim.cli.common import emit, globals_of, output_options

__all__ = ["decode_key", "is_key", "keygen", "read_keys", "read_text_file"]


@click.command()
@output_options
@click.pass_context
def keygen(ctx: click.Context) -> None:
    """Print a new gossip key: 32 random bytes in base64, as ``serf keygen`` does."""
    key = base64.b64encode(os.urandom(32)).decode()
    emit(globals_of(ctx), {"key": key}, text=key, rows=[(key,)])


def decode_key(text: str) -> bytes:
    """The key in standard base64, as Serf's ``-encrypt`` takes it.

    Raises:
        ValueError: for other text, or a length other than 16, 24 or 32 bytes. The key isn't in the message.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the key is not valid base64") from None
    if len(key) not in KEY_SIZES:
        raise ValueError(f"the key is {len(key)} bytes after base64; it must be 16, 24 or 32")
    return key


def is_key(text: str) -> bool:
    """Whether ``decode_key`` accepts it."""
    try:
        decode_key(text)
    except ValueError:
        return False
    return True


def read_text_file(path: Path) -> str:
    """A whole UTF-8 file without its byte order mark.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8.
    """
    return path.read_bytes().decode("utf-8-sig")


def read_keys(text: str) -> tuple[bytes, ...]:
    """The keys of a key file: one per line, or a JSON list as in Serf's ``keyring_file``; the first encrypts.

    Raises:
        ValueError: as ``decode_key``, or if there is no key at all.
    """
    lines = json.loads(text) if text.lstrip().startswith("[") else text.split()
    keys = tuple(decode_key(str(line)) for line in lines)
    if not keys:
        raise ValueError("it contains no key")
    return keys
