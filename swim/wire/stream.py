"""One message on a stream: the layers around it, and a parser that takes the bytes as they arrive.

From the outside in: label (written by the dialling side only), encryption with its length, one level of
compression, message. A stream carries one message per direction. An unencrypted message has no length, so the
parser decodes value by value and never waits for the end of the stream.
"""

from __future__ import annotations

from collections.abc import Callable

import msgpack  # type: ignore[import-untyped]

from swim.config import Config
from swim.errors import RemoteError
from swim.wire import crypto
from swim.wire.codec import (
    ack_from,
    error_from,
    ping_from,
    push_pull_header_from,
)
from swim.wire.compression import compress_again_steps, packed_from
from swim.wire.go_msgpack import UNPACK_ERRORS, UNPACKER_BYTES, new_unpacker, unpack
from swim.wire.keyring import Keyring
from swim.wire.label import add_label, check_label, split_label
from swim.wire.lzw import TABLE_BYTES, decompress_steps
from swim.wire.messages import MessageType, NodeRecord, PushPull, StreamMessage
from swim.wire.node_records import KNOWN_RECORDS, RECORD_BYTES, read_record
from swim.wire.replay import SeenNonces
from swim.wire.steps import Pause, Steps, finish
from swim.wire.user_messages import inquiry_from, user_header_from

__all__ = ["StreamCodec", "StreamParser"]

_ENCRYPT_HEADER_BYTES = 5
_VALUE_MAX_BYTES = 4096
"""Longest header or record; one with a full name and metadata, in any encoding, takes less than half."""
_BLOCK_MAX_BYTES = 4 * 1024 * 1024
"""Longest table that is looked up in the cache."""
_WINDOW_BYTES = 16_384
"""Values read in one step, which takes some milliseconds."""
_ACCEPTOR_TYPES = frozenset({int(MessageType.PUSH_PULL), int(MessageType.USER), int(MessageType.PING)})
_DIALLER_TYPES = frozenset({int(MessageType.PUSH_PULL), int(MessageType.ACK), int(MessageType.ERROR)})


class StreamCodec:
    """Seals outgoing messages on streams according to one node's configuration.

    Args:
        config: label, compression, encryption switches and limits.
        keyring: read again for every message.
        nonce: called once per encrypted message; returns 12 bytes never returned before.
        seen: nonces of the streams read so far; a copy of one is refused. None reads every stream.
    """

    __slots__ = ("_nonce", "_version", "config", "keyring", "label", "seen")

    def __init__(
        self, config: Config, keyring: Keyring, nonce: Callable[[], bytes], *, seen: SeenNonces | None = None
    ) -> None:
        self.config: Config = config
        self.keyring: Keyring = keyring
        self.seen: SeenNonces | None = seen
        self.label: bytes = config.label.encode() if config.send_label else b""
        self._nonce = nonce
        self._version = 1 if config.protocol_version >= 2 else 0

    def seal(self, message: bytes, *, label_header: bool, label: bytes | None = None) -> bytes:
        """All bytes of one direction of a stream.

        Like memberlist, it compresses whenever compression is enabled, even if that makes a message longer.

        Args:
            message: one whole message, type byte included; a user message in its stream form.
            label_header: True on the dialling side, False for replies.
            label: the stream's; by default the one that this node sends.
        """
        return finish(self.seal_steps(message, label_header=label_header, label=label))

    def seal_steps(
        self,
        message: bytes,
        *,
        label_header: bool,
        label: bytes | None = None,
        may_compress: Callable[[int], bool] = lambda size: True,
    ) -> Steps[bytes]:
        """``seal`` in steps; ``may_compress`` as for ``compress_again_steps``."""
        label = self.label if label is None else label
        if self.config.enable_compression:
            message = yield from compress_again_steps(message, may_compress)
        key = self.keyring.primary
        if key is not None and self.config.gossip_verify_outgoing:
            size = crypto.sealed_size(len(message), self._version)
            header = b"\x0a" + size.to_bytes(4, "big")
            sealed = yield from crypto.seal_steps(key, message, header + label, self._nonce(), self._version)
            message = header + sealed
        return add_label(message, label) if label_header else message


class StreamParser:
    """Reads the one message of one direction of a stream, from chunks of any size, in linear time.

    Nothing refers back to it, so its memory is freed as soon as its owner drops it.

    Args:
        codec: of the local node.
        acceptor: True on the side that accepted the stream: it expects the label header and a push/pull,
            user message or ping. False on the dialling side, which expects no header and a push/pull, ack or
            error reply.
    """

    __slots__ = ("_reading", "_room", "_size_max", "steps")

    def __init__(self, codec: StreamCodec, *, acceptor: bool) -> None:
        self._reading = _Reading(codec, acceptor)
        self._room = self._size_max = codec.config.max_stream_bytes
        self.steps: Steps[StreamMessage] = self._reading.message()
        """Reads what was pushed, in steps; returns the message and raises what ``feed`` does."""

    @property
    def error_reply(self) -> bool:
        """After a failure: whether memberlist would send the peer the reason, as an ``ErrorReply``.

        It does so if the encryption or compression layer cannot be removed. In other cases (wrong label,
        unknown type, undecodable body) it just closes.
        """
        return self._reading.is_peeling

    @property
    def label(self) -> bytes:
        """The stream's label, once it was read; on the dialling side, the one that was sent."""
        return self._reading.label

    @property
    def bad_records(self) -> int:
        """Unusable members left out of the push/pull (see ``record_from``)."""
        return self._reading.bad_records

    @property
    def memory(self) -> int:
        """Approximate bytes of memory that the received data takes now, in any form."""
        return self._reading.memory

    def push(self, data: bytes) -> None:
        """Takes the next bytes of the stream; those beyond ``max_stream_bytes`` are dropped."""
        self._reading.buffer += data[: max(self._room, 0)]
        self._room -= len(data)

    @property
    def is_oversized(self) -> bool:
        """Whether more than ``max_stream_bytes`` arrived; an error if the message still waits for bytes."""
        return self._room < 0

    def oversized(self) -> RemoteError:
        """That error."""
        return RemoteError("too-large", f"stream of more than {self._size_max} bytes")

    def feed(self, data: bytes) -> StreamMessage | None:
        """Takes the next bytes and parses them at once; returns the message once it is complete.

        Bytes after the message are ignored, and so is everything fed after a message or an error was
        returned.

        Raises:
            RemoteError: the stream is unusable: ``label``, ``plaintext``, ``decrypt``, ``version``,
                ``replayed``, ``empty``, ``compress``, ``decompressed-too-large``, ``unknown-type``,
                ``msgpack``, ``truncated``, ``too-large``, ``too-many-records``.
        """
        self.push(data)
        try:
            while next(self.steps) is Pause.TURN:
                pass
        except StopIteration as finished:
            message: StreamMessage | None = finished.value
            return message
        if self.is_oversized:
            self.steps.close()
            raise self.oversized()
        return None


class _Reading:
    """The state of a parser; its steps refer to it, and it refers to no other object.

    Positions count from the start of the innermost layer: ``_base`` is that of the first byte of ``_body``,
    ``_at`` that of the next value, ``_fed`` that of the first byte the unpacker has not seen.
    """

    __slots__ = (
        "_acceptor",
        "_at",
        "_base",
        "_block",
        "_body",
        "_codec",
        "_complete",
        "_fed",
        "_packed",
        "_records",
        "_unpacker",
        "bad_records",
        "buffer",
        "is_peeling",
        "label",
    )

    _unpacker: msgpack.Unpacker

    def __init__(self, codec: StreamCodec, acceptor: bool) -> None:
        self._acceptor = acceptor
        self._codec = codec
        self.buffer = bytearray()
        self._body = bytearray()
        self._block = b""  # all records, if they arrived in one piece
        self._packed: bytes | bytearray = b""  # a layer, while it is decrypted or decompressed into the body
        self._base = self._at = self._fed = 0
        self._complete = False
        self._records: list[NodeRecord] = []
        self.label = codec.label
        self.is_peeling = False
        self.bad_records = 0

    @property
    def memory(self) -> int:
        # What was read is in the records now, and the unpacker has a copy of the bytes it still needs.
        unpacker = UNPACKER_BYTES + 2 * max(self._fed - self._at, 0) if self._fed else 0
        held = len(self.buffer) + len(self._body) + len(self._block) + self._at
        if self._packed:
            held += len(self._packed) + TABLE_BYTES
        return held + unpacker + RECORD_BYTES * len(self._records)

    # The steps, in the order of the layers.

    def message(self) -> Steps[StreamMessage]:
        if self._acceptor:
            yield from self._strip_label()
        self.is_peeling = True
        kind = yield from self._strip_layers()
        self.is_peeling = False
        if kind not in (_ACCEPTOR_TYPES if self._acceptor else _DIALLER_TYPES):
            raise RemoteError("unknown-type", f"{kind} on a stream")
        value = unpack((yield from self._value(_VALUE_MAX_BYTES)))
        match kind:
            case MessageType.PUSH_PULL:
                return (yield from self._push_pull(*push_pull_header_from(value)))
            case MessageType.USER:
                message, size = user_header_from(value)
                return message._replace(body=(yield from self._raw(size)))
            case MessageType.PING:
                return inquiry_from(value) or ping_from(value)
            case MessageType.ACK:
                return ack_from(value)
            case _:
                return error_from(value)

    def _strip_label(self) -> Steps[None]:
        while (header := split_label(self.buffer)) is None:
            yield Pause.BYTES
        label, offset = header
        config, configured = self._codec.config, self._codec.config.label.encode()
        skip, unlabelled = config.skip_inbound_label_check, config.accept_unlabelled
        check_label(label, configured, skip_inbound_label_check=skip, accept_unlabelled=unlabelled)
        self.label = configured if skip else label
        del self.buffer[:offset]

    def _strip_layers(self) -> Steps[int]:
        """Removes encryption and compression; returns the message type, its body comes next."""
        while not self.buffer:
            yield Pause.BYTES
        if self.buffer[0] == MessageType.ENCRYPT:
            yield from self._decrypt()
        elif self._codec.keyring and self._codec.config.gossip_verify_incoming:
            raise RemoteError("plaintext", "encryption is required")
        else:
            self._body, self.buffer = self.buffer, bytearray()
        kind = self._start_body(self._body)
        if kind != MessageType.COMPRESS:
            return kind
        config = self._codec.config
        start, end = yield from self._skip(config.max_stream_bytes)
        self._packed = packed_from(unpack(memoryview(self._body)[start:end]))
        self._body = bytearray()
        self._at = self._fed = 0
        yield from decompress_steps(self._packed, config.max_decompressed_stream_bytes, self._body)
        self._packed = b""
        self._complete = True
        if not self._body:
            raise RemoteError("empty", "nothing inside the compression layer")
        return self._start_body(self._body)

    def _decrypt(self) -> Steps[None]:
        if not self._codec.keyring:
            raise RemoteError("decrypt", "no key is configured")
        while len(self.buffer) < _ENCRYPT_HEADER_BYTES:
            yield Pause.BYTES
        header = bytes(self.buffer[:_ENCRYPT_HEADER_BYTES])
        size = int.from_bytes(header[1:], "big")
        if size > self._codec.config.max_stream_bytes:
            raise RemoteError("too-large", f"encrypted stream of {size} bytes")
        end = _ENCRYPT_HEADER_BYTES + size
        while len(self.buffer) < end:
            yield Pause.BYTES
        self._packed, self.buffer = self.buffer, bytearray()
        blob = memoryview(self._packed)[_ENCRYPT_HEADER_BYTES:end]
        keyring, accept_v0 = self._codec.keyring, self._codec.config.accept_encryption_v0
        yield from crypto.open_sealed_steps(keyring, blob, header + self.label, accept_v0, self._body)
        seen = self._codec.seen if self._codec.config.gossip_verify_incoming else None
        if seen is not None and not seen.admit(bytes(blob[1 : 1 + crypto.NONCE_BYTES])):
            self.is_peeling = False  # the sender of the copy gets no answer
            raise RemoteError("replayed", "a copy of a stream")
        self._packed = b""
        self._complete = True

    def _start_body(self, body: bytearray) -> int:
        config = self._codec.config
        self._unpacker = new_unpacker(max(config.max_stream_bytes, config.max_decompressed_stream_bytes))
        self._body = body
        self._base = 0
        self._at = self._fed = 1
        return body[0]

    def _push_pull(self, count: int, user_state_bytes: int, join: bool) -> Steps[PushPull]:
        if count > self._codec.config.max_push_pull_records:
            raise RemoteError("too-many-records", f"push/pull of {count} records")
        start = self._at
        end = max(len(self._body) - user_state_bytes, start)
        if end - start <= _BLOCK_MAX_BYTES:  # otherwise no reference keeps it
            self._block = bytes(self._body[start:end])
        whole = KNOWN_RECORDS.get(self._block)
        if whole is not None and len(whole) == count:
            self._at = end
            return PushPull(join, whole, (yield from self._raw(user_state_bytes)))
        for _ in range(count):
            data = yield from self._value(_VALUE_MAX_BYTES)
            try:
                self._records.append(read_record(data))
            except RemoteError as error:
                if error.reason != "bad-record":
                    raise
                self.bad_records += 1
        records = tuple(self._records)
        if self._block and self._at == end and not self.bad_records:
            KNOWN_RECORDS.keep(self._block, records, end - start + RECORD_BYTES * count)
        return PushPull(join, records, (yield from self._raw(user_state_bytes)))

    def _value(self, largest: int) -> Steps[bytes]:
        """The bytes of the next value, not yet decoded."""
        start, end = yield from self._skip(largest)
        return bytes(self._body[start:end])

    def _skip(self, largest: int) -> Steps[tuple[int, int]]:
        """Where in the body the next value starts and ends."""
        while True:
            try:
                self._unpacker.skip()
            except msgpack.OutOfData:
                if self._fed - self._at > largest:
                    raise RemoteError("too-large", f"value of more than {largest} bytes") from None
                yield from self._more()
            except UNPACK_ERRORS as error:
                raise RemoteError("msgpack", type(error).__name__) from None
            else:
                break
        start, self._at = self._at, 1 + int(self._unpacker.tell())
        if self._at - start > largest:
            raise RemoteError("too-large", f"value of {self._at - start} bytes")
        return start - self._base, self._at - self._base

    def _raw(self, size: int) -> Steps[bytes]:
        if size > self._codec.config.max_stream_bytes:
            raise RemoteError("too-large", f"{size} bytes announced")
        while (start := self._at - self._base) + size > len(self._body):
            yield from self._receive()
        return bytes(memoryview(self._body)[start : start + size])

    def _more(self) -> Steps[None]:
        """Feeds the unpacker one window more."""
        if self._fed == self._base + len(self._body):
            yield from self._receive()
        elif self._fed > 1:
            yield Pause.TURN
        start = self._fed - self._base
        window = self._body[start : start + _WINDOW_BYTES]
        self._unpacker.feed(window)
        self._fed += len(window)

    def _receive(self) -> Steps[None]:
        """Waits for bytes and adds them to the body; drops the part that was read."""
        if self._complete:
            raise RemoteError("truncated", "message cut short inside its layer")
        yield Pause.BYTES
        done = self._at - self._base
        if done > _WINDOW_BYTES:
            del self._body[:done]
            self._base = self._at
        self._body += self.buffer
        self.buffer.clear()
