"""Packets of a simulation without encoding: the messages, and the length that the packet would have.

``Node(..., wire=FastWire)`` makes the same run as real packets, including sizes and random draws, unless
compression is on (packets then have their uncompressed length) or bits are flipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from swim.config import Config
from swim.errors import RemoteError
from swim.metrics import Metrics
from swim.wire import crypto
from swim.wire.compound import split
from swim.wire.keyring import Keyring
from swim.wire.label import check_label
from swim.wire.messages import MessageType
from swim.wire.packet import CRC_BYTES, PacketCodec

__all__ = ["FastWire", "Frame"]


class Frame:
    """One packet: its messages, the layers that would surround them, and the length in bytes."""

    __slots__ = ("_size", "key", "label", "messages", "nonce")

    def __init__(
        self, messages: tuple[bytes, ...], size: int, label: bytes, key: bytes | None, nonce: bytes
    ) -> None:
        self.messages = messages
        self.label = label
        self.key = key
        self.nonce = nonce
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.messages)


class FastWire:
    """A ``swim.wire.packet.Wire`` that does not encode. It also reads real packets from outside.

    Args:
        config: label, encryption switches and limits.
        keyring: read again for every packet.
        nonce: called once per packet that would be encrypted.
    """

    __slots__ = ("_codec", "_config", "_keyring", "_label", "_label_bytes", "_labels", "_nonce", "_version")

    def __init__(self, config: Config, keyring: Keyring, nonce: Callable[[], bytes]) -> None:
        self._codec = PacketCodec(config, keyring, nonce)
        self._config = config
        self._keyring = keyring
        self._nonce = nonce
        self._label = config.label.encode() if config.send_label else b""
        self._labels = (config.label.encode(), b"") if config.accept_unlabelled else (config.label.encode(),)
        self._label_bytes = 2 + len(self._label) if self._label else 0
        self._version = 1 if config.protocol_version >= 2 else 0

    @property
    def overhead(self) -> int:
        """Most bytes that label and encryption would add to a packet now."""
        return self._codec.overhead

    def seal(self, messages: Sequence[bytes], *, crc: bool) -> bytes:
        """A frame with the unchanged messages."""
        count = len(messages)
        size = len(messages[0]) if count == 1 else 2 + 2 * count + sum(map(len, messages))
        if crc:
            size += CRC_BYTES
        key = self._keyring.primary if self._config.gossip_verify_outgoing else None
        nonce = b""
        if key is not None:
            nonce = self._nonce()
            size = crypto.sealed_size(size, self._version)
        return cast(bytes, Frame(tuple(messages), size + self._label_bytes, self._label, key, nonce))

    def nonce_of(self, data: bytes) -> bytes:
        """The nonce that the packet was sealed with."""
        return data.nonce if isinstance(data, Frame) else self._codec.nonce_of(data)

    def open(self, data: bytes, metrics: Metrics | None = None) -> list[bytes]:
        """The messages of a packet.

        Raises:
            RemoteError: as ``PacketCodec.open``; of a ``Frame``, ``label`` or ``decrypt``.
        """
        if not isinstance(data, Frame):
            return self._codec.open(data, metrics)
        config, configured = self._config, self._config.label.encode()
        check_label(
            data.label,
            configured,
            skip_inbound_label_check=config.skip_inbound_label_check,
            accept_unlabelled=config.accept_unlabelled,
        )
        keys = self._keyring.keys if self._keyring.primary is not None else ()
        if data.key is not None and (data.key not in keys or data.label not in self._labels):
            raise RemoteError("decrypt", "no installed key fits")
        if data.key is None and keys and self._config.gossip_verify_incoming:
            raise RemoteError("decrypt", "encryption is required")
        return [part for message in data.messages for part in _parts(message)]


def _parts(message: bytes) -> list[bytes]:
    """What the message holds: a broadcast of a plain memberlist pool is a compound by itself."""
    return split(message)[0] if message[0] == MessageType.COMPOUND else [message]
