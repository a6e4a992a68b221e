"""One message on a stream: the layers around it, and a parser that takes the bytes as they arrive.

From the outside in: label (written by the dialling side only), encryption with its length, one level of
compression, message. A stream carries one message per direction; an unencrypted one has no length of its own,
so the parser decodes value by value and never waits for the end of the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress

import msgpack  # type: ignore[import-untyped]

from swim.config import Config
from swim.errors import RemoteError
from swim.wire import crypto
from swim.wire.codec import (
    ack_from,
    error_from,
    ping_from,
    push_pull_header_from,
    record_from,
    user_length_from,
)
from swim.wire.compression import compress_message, decompress_value
from swim.wire.go_msgpack import UNPACK_ERRORS, new_unpacker
from swim.wire.keyring import Keyring
from swim.wire.label import add_label, check_label, split_label
from swim.wire.messages import Ack, ErrorReply, MessageType, NodeRecord, Ping, PushPull, User
from swim.wire.node_records import read_records

__all__ = ["StreamCodec", "StreamMessage", "StreamParser"]

StreamMessage = PushPull | User | Ping | Ack | ErrorReply

_ENCRYPT_HEADER_BYTES = 5
_ACCEPTOR_TYPES = frozenset({int(MessageType.PUSH_PULL), int(MessageType.USER), int(MessageType.PING)})
_DIALLER_TYPES = frozenset({int(MessageType.PUSH_PULL), int(MessageType.ACK), int(MessageType.ERROR)})


class StreamCodec:
    """Seals the messages that go out on streams, as one node's configuration says.

    Args:
        config: label, compression, encryption switches and limits.
        keyring: looked at anew for every message.
        nonce: called once per encrypted message; returns 12 bytes never returned before.
    """

    __slots__ = ("_nonce", "_version", "config", "keyring", "label")

    def __init__(self, config: Config, keyring: Keyring, nonce: Callable[[], bytes]) -> None:
        self.config = config
        self.keyring = keyring
        self.label = config.label.encode()
        self._nonce = nonce
        self._version = 1 if config.protocol_version >= 2 else 0

    def seal(self, message: bytes, *, label_header: bool) -> bytes:
        """All bytes of one direction of a stream.

        Like memberlist it compresses whenever compression is enabled, even where that makes a message longer.

        Args:
            message: one whole message, type byte included; a user message in its stream form.
            label_header: True on the dialling side, False for replies.
        """
        if self.config.enable_compression:
            message = compress_message(message)
        key = self.keyring.primary
        if key is not None and self.config.gossip_verify_outgoing:
            size = crypto.sealed_size(len(message), self._version)
            header = b"\x0a" + size.to_bytes(4, "big")
            message = header + crypto.seal(key, message, header + self.label, self._nonce(), self._version)
        return add_label(message, self.label) if label_header else message

    def open(self, header: bytes, blob: bytes) -> bytes:
        """Decrypts the encryption layer: its 5 header bytes and the blob whose length they announce.

        Raises:
            RemoteError: as ``crypto.open_sealed``.
        """
        return crypto.open_sealed(self.keyring, blob, header + self.label, self.config.accept_encryption_v0)


class StreamParser:
    """Reads the one message of one direction of a stream, from chunks of any size, in linear time.

    Args:
        codec: of the local node.
        acceptor: True on the side that accepted the stream: it expects the label header and a push/pull,
            user message or ping. False on the dialling side, which expects no header and a push/pull, ack or
            error reply.

    Attributes:
        bad_records: unusable members left out of the push/pull (see ``record_from``).
    """

    __slots__ = (
        "_acceptor",
        "_body",
        "_buffer",
        "_codec",
        "_complete",
        "_peeling",
        "_room",
        "_steps",
        "_unpacker",
        "bad_records",
    )

    _unpacker: msgpack.Unpacker
    _body: bytes

    def __init__(self, codec: StreamCodec, *, acceptor: bool) -> None:
        self._codec = codec
        self._acceptor = acceptor
        self._buffer = bytearray()
        self._room = codec.config.max_stream_bytes
        self._peeling = False
        self._complete = False
        self.bad_records = 0
        self._steps = self._parse()

    @property
    def error_reply(self) -> bool:
        """After a failure: whether memberlist would tell the peer why, with an ``ErrorReply``.

        It does so when the encryption or compression layer cannot be peeled, and otherwise just closes: wrong
        label, unknown type, undecodable body.
        """
        return self._peeling

    def feed(self, data: bytes) -> StreamMessage | None:
        """Takes the next bytes of the stream; returns the message once it is whole, None while it is not.

        Bytes after the message are ignored, and so is everything fed after a message or an error came out.

        Raises:
            RemoteError: the stream is unusable: ``label``, ``plaintext`` where encryption is required,
                ``decrypt``, ``version``, ``empty``, ``compress``, ``decompressed-too-large``,
                ``unknown-type``, ``msgpack``, ``truncated`` inside a layer, ``too-large`` beyond
                ``max_stream_bytes``, ``too-many-records``.
        """
        self._buffer += data[: max(self._room, 0)]
        self._room -= len(data)
        try:
            next(self._steps)
        except StopIteration as finished:
            message: StreamMessage | None = finished.value
            return message
        if self._room < 0:
            self._steps.close()
            raise RemoteError("too-large", f"stream of more than {self._codec.config.max_stream_bytes} bytes")
        return None

    # The parser's steps, in the order of the layers; each yields when it needs more bytes.

    def _parse(self) -> Generator[None, None, StreamMessage]:
        if self._acceptor:
            yield from self._strip_label()
        self._peeling = True
        kind = yield from self._strip_layers()
        self._peeling = False
        if kind not in (_ACCEPTOR_TYPES if self._acceptor else _DIALLER_TYPES):
            raise RemoteError("unknown-type", f"{kind} on a stream")
        if kind == MessageType.PUSH_PULL:
            return (yield from self._push_pull())
        value = yield from self._value()
        if kind == MessageType.USER:
            return User((yield from self._raw(user_length_from(value))))
        if kind == MessageType.PING:
            return ping_from(value)
        return ack_from(value) if kind == MessageType.ACK else error_from(value)

    def _strip_label(self) -> Generator[None, None, None]:
        while (header := split_label(self._buffer)) is None:
            yield
        label, offset = header
        skip = self._codec.config.skip_inbound_label_check
        check_label(label, self._codec.label, skip_inbound_label_check=skip)
        del self._buffer[:offset]

    def _strip_layers(self) -> Generator[None, None, int]:
        """Takes encryption and compression off; returns the message type, its body is in the unpacker."""
        while not self._buffer:
            yield
        if self._buffer[0] == MessageType.ENCRYPT:
            yield from self._decrypt()
        elif self._codec.keyring and self._codec.config.gossip_verify_incoming:
            raise RemoteError("plaintext", "encryption is required")
        kind = self._start_body()
        if kind != MessageType.COMPRESS:
            return kind
        value = yield from self._value()
        self._buffer[:] = decompress_value(value, self._codec.config.max_decompressed_stream_bytes)
        self._complete = True
        return self._start_body()

    def _decrypt(self) -> Generator[None, None, None]:
        if not self._codec.keyring:
            raise RemoteError("decrypt", "no key is configured")
        while len(self._buffer) < _ENCRYPT_HEADER_BYTES:
            yield
        header = bytes(self._buffer[:_ENCRYPT_HEADER_BYTES])
        size = int.from_bytes(header[1:], "big")
        if size > self._codec.config.max_stream_bytes:
            raise RemoteError("too-large", f"encrypted stream of {size} bytes")
        end = _ENCRYPT_HEADER_BYTES + size
        while len(self._buffer) < end:
            yield
        self._buffer[:] = self._codec.open(header, bytes(self._buffer[_ENCRYPT_HEADER_BYTES:end]))
        self._complete = True

    def _start_body(self) -> int:
        kind = self._buffer[0]
        config = self._codec.config
        self._unpacker = new_unpacker(max(config.max_stream_bytes, config.max_decompressed_stream_bytes))
        self._body = bytes(memoryview(self._buffer)[1:])
        self._unpacker.feed(self._body)
        self._buffer = bytearray()
        return kind

    def _push_pull(self) -> Generator[None, None, PushPull]:
        count, user_state_bytes, join = push_pull_header_from((yield from self._value()))
        if count > self._codec.config.max_push_pull_records:
            raise RemoteError("too-many-records", f"push/pull of {count} records")
        start, end = self._unpacker.tell(), len(self._body) - user_state_bytes
        whole = read_records(self._body[start:end], count) if count > 0 and start < end else None
        if whole is not None:
            return PushPull(join, whole, self._body[end:])
        records: list[NodeRecord] = []
        for _ in range(count):
            value = yield from self._value()
            try:
                records.append(record_from(value))
            except RemoteError as error:
                if error.reason != "bad-record":
                    raise
                self.bad_records += 1
        return PushPull(join, tuple(records), (yield from self._raw(user_state_bytes)))

    def _value(self) -> Generator[None, None, object]:
        while True:
            try:
                value: object = self._unpacker.unpack()
            except msgpack.OutOfData:
                yield from self._more()
            except UNPACK_ERRORS as error:
                raise RemoteError("msgpack", type(error).__name__) from None
            else:
                return value

    def _raw(self, size: int) -> Generator[None, None, bytes]:
        if size > self._codec.config.max_stream_bytes:
            raise RemoteError("too-large", f"{size} bytes announced")
        taken = bytearray()
        while True:
            # msgpack's C unpacker gives what it has, the pure-Python one all or nothing
            with suppress(msgpack.OutOfData):
                taken += self._unpacker.read_bytes(size - len(taken))
            if len(taken) == size:
                return bytes(taken)
            yield from self._more()

    def _more(self) -> Generator[None, None, None]:
        if self._complete:
            raise RemoteError("truncated", "message cut short inside its layer")
        yield
        self._unpacker.feed(self._buffer)
        self._buffer = bytearray()
