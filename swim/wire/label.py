"""The label header (type 244): keeps the clusters on one network apart; the outermost layer, in clear text.

Since memberlist 0.3.0. Packets always carry it; on a stream only the dialling side writes it, once. In both
cases the label is part of the authenticated data of encryption.
"""

from __future__ import annotations

from swim.errors import RemoteError

__all__ = ["add_label", "check_label", "split_label"]

_MAGIC = 0xF4


def add_label(data: bytes, label: bytes) -> bytes:
    """Puts the header of ``label`` (0..255 bytes) before ``data``; an empty label has no header."""
    return bytes((_MAGIC, len(label))) + label + data if label else data


def split_label(data: bytes | bytearray) -> tuple[bytes, int] | None:
    """Reads an optional label header at the start of ``data``.

    Returns:
        The label, empty when there is no header, and the offset of what follows; or None when ``data`` ends
        before the header does (a stream then waits, a packet is broken).

    Raises:
        RemoteError: ``label``, for a header with an empty label.
    """
    if not data:
        return None
    if data[0] != _MAGIC:
        return b"", 0
    if len(data) < 2:
        return None
    end = 2 + data[1]
    if end == 2:
        raise RemoteError("label", "header without a label")
    return (bytes(data[2:end]), end) if len(data) >= end else None


def check_label(
    received: bytes, configured: bytes, *, skip_inbound_label_check: bool, accept_unlabelled: bool = False
) -> None:
    """Checks that a packet or stream with the label ``received`` is for this node.

    With ``skip_inbound_label_check``, a proxy has already checked and removed the header, so any header is
    wrong. With ``accept_unlabelled``, a missing header is accepted too.

    Raises:
        RemoteError: ``label``, if it is not.
    """
    if accept_unlabelled and not received:
        return
    if received != (b"" if skip_inbound_label_check else configured):
        raise RemoteError(
            "label", "header that should have been removed" if skip_inbound_label_check else "another label"
        )
