"""A whole packet: the layers added to messages before sending, and removed on receipt.

From the outside in: label, encryption, CRC, compression, compound, message. The CRC is recognised once,
directly inside the encryption. On receipt, compound and compression may nest in any order; this node never
nests them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

from swim.config import Config
from swim.errors import RemoteError
from swim.metrics import Metrics
from swim.wire import compound, crypto
from swim.wire.codec import PACKET_TYPES
from swim.wire.compression import decompress_message, shrink_message
from swim.wire.keyring import Keyring
from swim.wire.label import add_label, check_label, split_label
from swim.wire.messages import MessageType

__all__ = ["CRC_BYTES", "PacketCodec", "Wire", "WireFactory"]

CRC_BYTES = 5
"""Bytes that the CRC header adds to a packet."""

_COMPOUND = int(MessageType.COMPOUND)
_COMPRESS = int(MessageType.COMPRESS)
_CRC = int(MessageType.CRC)
_PACKED_MAX_BYTES = 16_384
"""Longest compression layer in a packet; removing it takes some ten milliseconds."""
_LABELLED = (b"", bytes((MessageType.LABEL,)))


class Wire(Protocol):
    """What a node needs to turn messages into packets and back: ``PacketCodec``, or a simulator's own."""

    @property
    def overhead(self) -> int:
        """Most bytes that label and encryption add to a packet now."""
        ...

    def seal(self, messages: Sequence[bytes], *, crc: bool) -> bytes:
        """One packet; the node uses only its length."""
        ...

    def open(self, data: bytes, metrics: Metrics | None = None) -> list[bytes]:
        """The messages of a packet; raises ``RemoteError`` if it is unusable."""
        ...

    def nonce_of(self, data: bytes) -> bytes:
        """The nonce of an encrypted packet that ``open`` accepted."""
        ...


class PacketCodec:
    """Seals and opens packets according to one node's configuration.

    Args:
        config: label, compression, encryption switches and limits.
        keyring: read again for every packet.
        nonce: called once per encrypted packet; returns 12 bytes never returned before.
    """

    __slots__ = ("_config", "_configured", "_keyring", "_label", "_nonce", "_version")

    def __init__(self, config: Config, keyring: Keyring, nonce: Callable[[], bytes]) -> None:
        self._config = config
        self._keyring = keyring
        self._nonce = nonce
        self._configured = config.label.encode()
        self._label = self._configured if config.send_label else b""
        self._version = 1 if config.protocol_version >= 2 else 0

    @property
    def overhead(self) -> int:
        """Most bytes that label and encryption add to a packet now; the CRC's ``CRC_BYTES`` come on top."""
        label = 2 + len(self._label) if self._label else 0
        return label + (crypto.overhead(self._version) if self._encrypts else 0)

    def seal(self, messages: Sequence[bytes], *, crc: bool) -> bytes:
        """One packet with ``messages``, in order; a single message is not put into a compound.

        Args:
            messages: 1 to 127 whole messages, type byte included.
            crc: add the CRC header; for receivers known to speak protocol 5.

        Raises:
            LocalError: too many, empty or overlong messages. Nothing was sent.
        """
        data = messages[0] if len(messages) == 1 else compound.pack(messages)
        if self._config.enable_compression:
            data = shrink_message(data)
        if crc:
            data = b"\x0c" + zlib.crc32(data).to_bytes(4, "big") + data
        key = self._keyring.primary
        if key is not None and self._config.gossip_verify_outgoing:
            data = crypto.seal(key, data, self._label, self._nonce(), self._version)
        return add_label(data, self._label) if self._label else data

    def open(self, data: bytes, metrics: Metrics | None = None) -> list[bytes]:
        """The messages of a packet, in order, each with its type byte.

        A broken part of a compound is counted with ``metrics.dropped(reason)`` and left out; the others are
        returned. Nesting deeper than ``max_layers``, compression inside compression and output beyond
        ``max_packet_bytes`` are refused. Parts of compounds beyond ``max_messages_per_packet`` are counted as
        ``messages-per-packet`` and left out.

        Raises:
            RemoteError: the packet as a whole is unusable: ``empty``, ``too-large``, ``label``, ``version``,
                ``truncated``, ``decrypt``, ``crc``, ``compress``, ``decompressed-too-large``, ``nesting``,
                ``msgpack`` or ``unknown-type``.
        """
        if len(data) > self._config.max_packet_bytes:
            raise RemoteError("too-large", f"packet of {len(data)} bytes")
        label = b""
        if self._configured or data[:1] in _LABELLED:
            label, data = self._without_label(data)
        if self._keyring.primary is not None:
            data = self._decrypted(data, label)
        if len(data) >= CRC_BYTES and data[0] == _CRC:
            payload = data[CRC_BYTES:]
            if zlib.crc32(payload) != int.from_bytes(data[1:CRC_BYTES], "big"):
                raise RemoteError("crc")
            data = payload
        if data and data[0] in PACKET_TYPES:
            return [data]
        return _Peeler(self._config, metrics).opened(data)

    def nonce_of(self, data: bytes) -> bytes:
        """The nonce of an encrypted packet that ``open`` accepted: after label and version byte."""
        header = split_label(data)
        start = 1 + (header[1] if header is not None else 0)
        return data[start : start + crypto.NONCE_BYTES]

    @property
    def _encrypts(self) -> bool:
        return bool(self._keyring) and self._config.gossip_verify_outgoing

    def _without_label(self, data: bytes) -> tuple[bytes, bytes]:
        if not data:
            raise RemoteError("empty")
        header = split_label(data)
        if header is None:
            raise RemoteError("truncated", "label header")
        label, offset = header
        config = self._config
        check_label(
            label,
            self._configured,
            skip_inbound_label_check=config.skip_inbound_label_check,
            accept_unlabelled=config.accept_unlabelled,
        )
        # Without its header the label still takes part in the authentication, unless it was never there.
        secret = self._configured if config.skip_inbound_label_check else label
        return secret, data[offset:] if offset else data

    def _decrypted(self, data: bytes, label: bytes) -> bytes:
        try:
            return crypto.open_sealed(self._keyring, data, label, self._config.accept_encryption_v0)
        except RemoteError:
            if self._config.gossip_verify_incoming:
                raise
            return data


WireFactory = Callable[[Config, Keyring, Callable[[], bytes]], Wire]
"""Makes the codec of one node from its settings, its keyring and its source of nonces."""


class _Peeler:
    """Removes compounds and compression, within limits for the whole packet."""

    __slots__ = ("_budget", "_max_layers", "_messages", "_metrics", "_parts_left")

    def __init__(self, config: Config, metrics: Metrics | None) -> None:
        self._budget = config.max_packet_bytes
        self._max_layers = config.max_layers
        self._parts_left = config.max_messages_per_packet
        self._metrics = metrics
        self._messages: list[bytes] = []

    def opened(self, data: bytes) -> list[bytes]:
        self._peel(data, 0, is_compressed=False)
        return self._messages

    def _peel(self, data: bytes, depth: int, *, is_compressed: bool) -> None:
        if not data:
            raise RemoteError("empty")
        kind = data[0]
        if kind in PACKET_TYPES:
            self._messages.append(data)
            return
        if kind not in (_COMPOUND, _COMPRESS):
            raise RemoteError("unknown-type", f"{kind} in a packet")
        if depth >= self._max_layers:
            raise RemoteError("nesting", f"over {self._max_layers} layers")
        if kind == _COMPRESS:
            # No peer compresses twice, and this keeps the work in proportion to the bytes on the wire.
            if is_compressed:
                raise RemoteError("nesting", "compression inside compression")
            if len(data) > _PACKED_MAX_BYTES:
                raise RemoteError("too-large", f"compression layer of {len(data)} bytes")
            inner = decompress_message(data, self._budget)
            self._budget -= len(inner)
            self._peel(inner, depth + 1, is_compressed=True)
            return
        parts, missing = compound.split(data)
        if len(parts) > self._parts_left:
            self._dropped("messages-per-packet", len(parts) - self._parts_left)
            del parts[self._parts_left :]
        self._parts_left -= len(parts)
        for part in parts:
            if part and part[0] in PACKET_TYPES:
                self._messages.append(part)
                continue
            try:
                self._peel(part, depth + 1, is_compressed=is_compressed)
            except RemoteError as error:
                self._dropped(error.reason)
        if missing:
            self._dropped("truncated", missing)

    def _dropped(self, reason: str, amount: int = 1) -> None:
        if self._metrics is not None:
            self._metrics.dropped(reason, amount)
