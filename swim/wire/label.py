"""The label header (type 244): keeps the clusters of one network apart, outermost and in plain sight.

Since memberlist 0.3.0. Packets always carry it; on a stream only the dialling side writes it, once.
Either way the label takes part in the authentication of encrypted data.
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
    """Whether a packet or stream with the label ``received`` is for us.

    With ``skip_inbound_label_check`` a front end has already checked and removed the header: one that is
    still there is wrong, whatever it says. With ``accept_unlabelled`` no header will do as well.

    Raises:
        RemoteError: ``label``, when it is not.
    """
    if accept_unlabelled and not received:
        return
    if received != (b"" if skip_inbound_label_check else configured):
        raise RemoteError(
            "label", "header that should be gone" if skip_inbound_label_check else "another label"
        )
