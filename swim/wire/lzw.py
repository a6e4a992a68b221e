"""LZW as in GIF files and Go's ``compress/lzw``: codes of 9 to 12 bits, least significant first."""

from __future__ import annotations

from swim.errors import RemoteError
from swim.wire.steps import Pause, Steps, finish

__all__ = ["TABLE_BYTES", "compress", "compress_steps", "decompress", "decompress_steps"]

TABLE_BYTES = 250_000
"""Approximate memory of the table of strings while short data is decompressed."""

_CLEAR = 256
_END = 257
_MIN_WIDTH = 9
_MAX_WIDTH = 12
_TABLE_FULL = 4095
_LITERALS = [bytes((value,)) for value in range(256)] + [b"", b""]
_FLUSH_BITS = 48
_FLUSH_MASK = (1 << _FLUSH_BITS) - 1
_STEP_BYTES = 8192
"""Bytes of input per step, which takes some milliseconds."""


def compress(data: bytes) -> bytes:
    """Compresses ``data``; the output is byte for byte that of Go's encoder."""
    return finish(compress_steps(data))


def compress_steps(data: bytes) -> Steps[bytes]:
    """``compress`` in steps."""
    out = bytearray()
    pending, bits, width, counter = _CLEAR, _MIN_WIDTH, _MIN_WIDTH, _END
    table: dict[int, int] = {}  # code * 256 + next byte -> that string's code * 256
    prefix = data[0] << 8 if data else -1
    for start in range(1, len(data), _STEP_BYTES):
        if start > 1:
            yield Pause.TURN
        for byte in data[start : start + _STEP_BYTES]:
            key = prefix | byte
            if key in table:
                prefix = table[key]
                continue
            pending |= prefix >> 8 << bits
            bits += width
            prefix = byte << 8
            counter += 1
            if counter == _TABLE_FULL:
                pending |= _CLEAR << bits
                bits += width
                width, counter = _MIN_WIDTH, _END
                table.clear()
            else:
                table[key] = counter << 8
                if not counter & (counter - 1):
                    width += 1
            if bits >= _FLUSH_BITS:
                out += (pending & _FLUSH_MASK).to_bytes(_FLUSH_BITS // 8, "little")
                pending >>= _FLUSH_BITS
                bits -= _FLUSH_BITS
    if prefix >= 0:
        pending |= prefix >> 8 << bits
        bits += width
        counter += 1
        if counter == _TABLE_FULL:
            pending |= _CLEAR << bits
            bits += width
            width = _MIN_WIDTH
        elif not counter & (counter - 1):
            width += 1
    pending |= _END << bits
    bits += width
    out += pending.to_bytes((bits + 7) // 8, "little")
    return bytes(out)


def decompress(data: bytes, limit: int) -> bytes:
    """Restores the input of ``compress``; bytes after the end code are ignored.

    Args:
        data: the compressed bytes.
        limit: largest output accepted, bytes; checked before more memory is allocated.

    Raises:
        RemoteError: ``decompressed-too-large`` beyond ``limit``; ``compress`` for a code before its
            definition, for a clear code after another one, or when the end code is missing.
    """
    out = bytearray()
    finish(decompress_steps(data, limit, out))
    return bytes(out)


def decompress_steps(data: bytes, limit: int, out: bytearray) -> Steps[None]:
    """``decompress`` into ``out``, in steps; raises the same errors."""
    table, size = _LITERALS.copy(), _END + 1
    previous = b""
    pending, bits, position = 0, 0, 0
    width = _MIN_WIDTH
    mask = (1 << width) - 1
    is_clear = False
    pause_at = _STEP_BYTES
    room = limit
    while True:
        if bits < width:
            if position >= pause_at:
                pause_at += _STEP_BYTES
                yield Pause.TURN
            chunk = data[position : position + 6]
            pending |= int.from_bytes(chunk, "little") << bits
            bits += 8 * len(chunk)
            position += 6
            if bits < width:
                raise RemoteError("compress", "no end code")
        code = pending & mask
        pending >>= width
        bits -= width
        if code < size:
            entry = table[code]
            if not entry:
                if code == _END:
                    return
                if is_clear:  # no encoder writes two in a row, and each costs as much as many other codes
                    raise RemoteError("compress", "a clear code after a clear code")
                is_clear = True
                table, size = _LITERALS.copy(), _END + 1
                previous, width, mask = b"", _MIN_WIDTH, (1 << _MIN_WIDTH) - 1
                continue
        elif code == size and previous:
            entry = previous + previous[:1]
        else:
            raise RemoteError("compress", f"code {code} before its definition")
        is_clear = False
        room -= len(entry)
        if room < 0:
            raise RemoteError("decompressed-too-large", f"over {limit} bytes")
        out += entry
        if previous:
            table.append(previous + entry[:1])
            size += 1
            if size > mask and width < _MAX_WIDTH:
                width += 1
                mask = (1 << width) - 1
        previous = entry if size <= _TABLE_FULL else b""
