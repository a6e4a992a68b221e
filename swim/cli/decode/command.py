"""``swim decode``: shows what a packet or a stream carries, from its bytes in hexadecimal digits."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from swim.cli.common import ExitCode, emit, fail, globals_of, output_options
from swim.text import printable

__all__ = ["decode"]

_INPUT_MAX_BYTES = 64 * 1024 * 1024
_SEPARATORS = re.compile(r"0[xX](?=[0-9a-fA-F])|[\s:,]+")
_DIGITS = re.compile(r"[0-9a-fA-F]*")


@click.command()
@click.argument("digits", nargs=-1, metavar="[HEX]...")
@click.option("--stream", is_flag=True, help="The bytes are one direction of a stream, not a packet.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False),
    help="Gossip keys: one in base64 per line, or a Serf keyring file.",
)
@click.option(
    "--label",
    default="",
    help="The label of the stream, for a reply: it is encrypted with it and does not say it.",
)
@output_options
@click.pass_context
def decode(
    ctx: click.Context, digits: tuple[str, ...], stream: bool, key_file: str | None, label: str
) -> None:
    """Take a packet apart, layer by layer: label, encryption, checksum, compression, messages.

    HEX is its bytes in hexadecimal digits; without it, or as `-`, they are read from stdin. Spaces, colons
    and `0x` are passed over. Bytes that cannot be read end the decoding with exit code 1, and one sentence
    that names the layer and the byte.
    """
    from swim.cli.decode.layers import decode_packet, decode_stream
    from swim.cli.keys import read_keys, read_text_file

    wanted = globals_of(ctx)
    text = "".join(digits) if digits not in ((), ("-",)) else sys.stdin.read(2 * _INPUT_MAX_BYTES)
    data = _bytes_of(text, ctx)
    keys: tuple[bytes, ...] = ()
    if key_file:
        try:
            keys = read_keys(read_text_file(Path(key_file)))
        except ValueError as error:
            raise click.UsageError(f"--key-file: {error}", ctx) from None
    decoded = (decode_stream if stream else decode_packet)(data, keys, label=label)
    stops = decoded.stops
    document = {
        "kind": "stream" if stream else "packet",
        "bytes": len(data),
        "layers": [
            {
                "layer": layer.name,
                "depth": layer.depth,
                "byte": layer.place.at,
                "of": layer.place.of or "input",
                "bytes": layer.size,
                "fields": _plain(layer.fields),
            }
            for layer in decoded.layers
        ],
        "stopped": [
            {"layer": s.layer, "byte": s.place.at, "of": s.place.of or "input", "reason": s.reason}
            for s in stops
        ],
    }
    rows = [(layer.depth, layer.name, layer.place.at, layer.size) for layer in decoded.layers]
    lines = [line for layer in decoded.layers for line in _lines(layer)]
    emit(wanted, document, text="\n".join(lines), rows=rows)
    if stops:
        more = f" (and {len(stops) - 1} more)" if len(stops) > 1 else ""
        fail(ExitCode.FAILED, f"{stops[0]}{more}")


def _bytes_of(text: str, ctx: click.Context) -> bytes:
    digits = _SEPARATORS.sub("", text)
    good = _DIGITS.match(digits)
    assert good is not None
    if good.end() < len(digits):
        wrong = digits[good.end()]
        raise click.UsageError(f"digit {good.end() + 1} is {wrong!r}, which is not hexadecimal", ctx)
    if len(digits) % 2:
        raise click.UsageError(f"{len(digits)} hexadecimal digits are half a byte too many", ctx)
    return bytes.fromhex(digits)


def _plain(value: Any) -> Any:
    """As JSON has it: bytes as hexadecimal digits."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _lines(layer: Any) -> list[str]:
    indent = "  " * layer.depth
    size = f", {layer.size} bytes" if layer.size else ""
    lines = [f"{indent}{layer.name}  ({layer.place}{size})"]
    lines += [f"{indent}  {name}: {_words(value)}" for name, value in layer.fields.items()]
    return lines


def _words(value: Any) -> str:
    if isinstance(value, bytes):
        is_text = value.isascii() and value.decode("ascii").isprintable()
        return f'"{value.decode("ascii")}"' if is_text else value.hex(" ")
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(name)}={_words(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_words(each) for each in value) or "none"
    if value is None:
        return "none"
    return printable(str(value).lower() if isinstance(value, bool) else value)
