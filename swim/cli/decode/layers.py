"""Takes a packet or a stream apart, layer by layer, with the decoders of ``swim.wire`` and ``swim.serf``.

What cannot be read ends the decoding there: the layers up to that place are shown, and a ``Stop`` says where
and why. Nothing raises.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from swim.cli.decode.values import fields_of
from swim.config import Config
from swim.errors import RemoteError
from swim.keyrings import fingerprint
from swim.serf.messages import Relayed, SerfType, decode_serf
from swim.serf.msgpack_reader import Reader
from swim.serf.push_pull import decode_state
from swim.wire import compound, crypto
from swim.wire.codec import PACKET_TYPES, decode, push_pull_header_from, record_from
from swim.wire.compression import decompress_message
from swim.wire.go_msgpack import UNPACK_ERRORS
from swim.wire.keyring import Keyring
from swim.wire.label import split_label
from swim.wire.messages import MessageType, PushPull, StreamMessage, User
from swim.wire.packet import CRC_BYTES
from swim.wire.stream import StreamCodec, StreamParser

__all__ = ["Decoded", "Layer", "Place", "Stop", "decode_packet", "decode_stream"]

_LIMIT_BYTES = 40 * 1024 * 1024
"""Decompressed bytes of all layers together."""
_DEPTH_MAX = 16
_ENCRYPT_HEADER_BYTES = 5
_LOOKS_ENCRYPTED = "it looks encrypted: give the key with --key-file"
_READERS = {MessageType.ACK, MessageType.ERROR}
"""Messages that only the dialling side of a stream reads."""


class Place(NamedTuple):
    """Where bytes are: ``at`` counts from the first byte of the input, or of what was inside a layer."""

    at: int
    of: str = ""

    def __str__(self) -> str:
        return f"byte {self.at}" + (f" of the {self.of} bytes" if self.of else "")

    def plus(self, count: int) -> Place:
        """So many bytes further."""
        return Place(self.at + count, self.of)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer or message: how deep it is inside others, where it is, how long, and what it says."""

    name: str
    depth: int
    place: Place
    size: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the decoding ended, and in which layer and at which byte."""

    layer: str
    place: Place
    reason: str

    def __str__(self) -> str:
        return f"decoding stopped in the {self.layer} layer at {self.place}: {self.reason}"


@dataclass(slots=True)
class Decoded:
    """What a packet or a stream carries. A part of a compound that cannot be read ends only itself."""

    layers: list[Layer] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    _room: int = _LIMIT_BYTES

    def _add(self, name: str, depth: int, place: Place, size: int, fields: dict[str, Any]) -> None:
        self.layers.append(Layer(name, depth, place, size, fields))

    def _stop(self, layer: str, place: Place, why: RemoteError | str) -> None:
        self.stops.append(Stop(layer, place, _words(why) if isinstance(why, RemoteError) else why))

    # -- outer layers

    def _labelled(self, data: bytes) -> tuple[bytes, int] | None:
        """The label, and where what follows begins."""
        if not data:
            self._stop("outermost", Place(0), "there are no bytes")
            return None
        try:
            header = split_label(data)
        except RemoteError as error:
            self._stop("label", Place(1), error)
            return None
        if header is None:
            self._stop("label", Place(len(data)), "it is cut short")
        elif header[1]:
            text = header[0].decode("utf-8", "surrogateescape")
            self._add("label", 0, Place(0), header[1], {"label": text})
            if header[1] == len(data):
                self._stop("label", Place(len(data)), "nothing follows it")
                return None
        return header

    def _opened(
        self, keys: tuple[bytes, ...], blob: bytes, secret: bytes, place: Place, size: int
    ) -> tuple[bytes, str]:
        """The contents of the encryption layer; b"" and why, if no key opens it."""
        error = "it takes a key: give --key-file"
        for key in keys:
            try:
                inner = crypto.open_sealed(Keyring((key,)), blob, secret, accept_v0=True)
            except RemoteError as failure:
                error = "no key fits" if failure.reason == "decrypt" else str(failure)
                continue
            fields = {"version": blob[0], "nonce": blob[1:13], "key": fingerprint(key)}
            self._add("encryption", 0, place, size, fields)
            return inner, ""
        return b"", error

    def packet(self, data: bytes, keys: tuple[bytes, ...], secret: bytes) -> None:
        """Decodes a packet."""
        header = self._labelled(data)
        if header is None:
            return
        label, offset = header[0] or secret, header[1]
        data, place = data[offset:], Place(offset)
        if data[0] <= 1 and len(data) >= crypto.overhead(1):  # a version byte, or the type of a ping
            inner, error = self._opened(keys, data, label, place, len(data))
            if inner:
                data, place = inner, Place(0, "decrypted")
            elif not _is_message(data):
                self._stop("encryption", place, error if keys else _LOOKS_ENCRYPTED)
                return
        if data[0] == MessageType.CRC:
            if len(data) < CRC_BYTES:
                self._stop("crc", place.plus(len(data)), "it is cut short")
                return
            written, computed = data[1:CRC_BYTES].hex(), f"{zlib.crc32(data[CRC_BYTES:]):08x}"
            if written != computed:
                self._stop("crc", place.plus(1), f"it says {written}, and the bytes give {computed}")
                return
            self._add("crc", 0, place, CRC_BYTES, {"checksum": written})
            data, place = data[CRC_BYTES:], place.plus(CRC_BYTES)
        self._peel(data, place, 0)

    def stream(self, data: bytes, keys: tuple[bytes, ...], secret: bytes) -> None:
        """Decodes one direction of a stream."""
        header = self._labelled(data)
        if header is None:
            return
        label, offset = header[0] or secret, header[1]
        data, place = data[offset:], Place(offset)
        if data[0] == MessageType.ENCRYPT:
            end = _ENCRYPT_HEADER_BYTES + int.from_bytes(data[1:_ENCRYPT_HEADER_BYTES], "big")
            if len(data) < max(end, _ENCRYPT_HEADER_BYTES):
                self._stop("encryption", place.plus(len(data)), f"it is cut short, of {end} bytes")
                return
            blob = data[_ENCRYPT_HEADER_BYTES:end]
            inner, error = self._opened(keys, blob, data[:_ENCRYPT_HEADER_BYTES] + label, place, end)
            if not inner:
                self._stop("encryption", place, error)
                return
            data, place = inner, Place(0, "decrypted")
        if data[0] == MessageType.COMPRESS:
            opened = self._decompressed(data, place, 0)
            if opened is None:
                return
            data, place = opened, Place(0, "decompressed")
        self._stream_message(data, place)

    # -- inner layers

    def _decompressed(self, data: bytes, place: Place, depth: int) -> bytes | None:
        try:
            inner = decompress_message(data, self._room)
        except RemoteError as error:
            self._stop("compression", place.plus(1 + _unreadable(data[1:])), error)
            return None
        self._room -= len(inner)
        self._add("compression", depth, place, len(data), {"algorithm": "lzw", "bytes": len(inner)})
        return inner

    def _peel(self, data: bytes, place: Place, depth: int) -> None:
        if not data:
            self._stop("message", place, "it has no bytes")
        elif data[0] in PACKET_TYPES:
            self._message(data, place, depth)
        elif depth >= _DEPTH_MAX:
            self._stop("compound", place, f"there are more than {_DEPTH_MAX} layers")
        elif data[0] == MessageType.COMPRESS:
            inner = self._decompressed(data, place, depth)
            if inner is not None:
                self._peel(inner, Place(0, "decompressed"), depth + 1)
        elif data[0] == MessageType.COMPOUND:
            self._compound(data, place, depth)
        else:
            self._stop("message", place, f"{_type_name(data[0])} is no message of a packet")

    def _compound(self, data: bytes, place: Place, depth: int) -> None:
        try:
            parts, missing = compound.split(data)
        except RemoteError:
            self._stop("compound", place.plus(len(data)), "it is cut short")
            return
        count = len(parts) + missing
        self._add("compound", depth, place, len(data), {"messages": count})
        at = place.plus(2 + 2 * count)
        for part in parts:
            self._peel(part, at, depth + 1)
            at = at.plus(len(part))
        if missing:
            self._stop("compound", at, f"{missing} of {count} messages are cut short")

    def _message(self, data: bytes, place: Place, depth: int) -> None:
        try:
            message = decode(data)
        except RemoteError as error:
            self._stop(_type_name(data[0]), place.plus(1 + _unreadable(data[1:])), error)
            return
        if isinstance(message, User):
            self._user(message.body, place, depth, len(data))
        else:
            self._add(_name_of(message), depth, place, len(data), fields_of(message))

    def _user(self, body: bytes, place: Place, depth: int, size: int) -> None:
        is_serf = body[:1] in _SERF_BYTES
        self._add("user-message", depth, place, size, {} if is_serf else {"body": body})
        if is_serf:
            self._serf(body, place.plus(size - len(body)), depth + 1)

    def _serf(self, body: bytes, place: Place, depth: int) -> None:
        try:
            message = decode_serf(body)
        except RemoteError as error:
            name = f"serf {_serf_name(body[0])}" if body else "serf"
            self._stop(name, place.plus(1 + _unreadable(body[1:])), error)
            return
        fields = fields_of(message)
        if not isinstance(message, Relayed):
            self._add(f"serf {_serf_name(body[0])}", depth, place, len(body), fields)
            return
        inner = fields.pop("inner")
        self._add("serf relay", depth, place, len(body), fields)
        at = place.plus(len(body) - len(inner))
        if depth < _DEPTH_MAX:
            self._serf(inner, at, depth + 1)
        else:
            self._stop("serf relay", at, f"there are more than {_DEPTH_MAX} layers")

    # -- messages of streams

    def _stream_message(self, data: bytes, place: Place) -> None:
        kind = _type_name(data[0])
        codec = StreamCodec(Config.lan(name="decode"), Keyring(), _no_nonce)
        parser = StreamParser(codec, acceptor=data[0] not in _READERS)
        try:
            message = parser.feed(data)
        except RemoteError as error:
            self._stop(kind, place.plus(1 + _unreadable(data[1:])), error)
            return
        if message is None:
            self._stop(kind, place.plus(len(data)), "it is cut short")
        else:
            self._shown(message, data, place)

    def _shown(self, message: StreamMessage, data: bytes, place: Place) -> None:
        size = len(data)
        match message:
            case PushPull(join, records, state):
                fields = {"join": join, "members": len(records), "state_bytes": len(state)}
                self._add("push-pull", 0, place, size, fields)
                end = self._records(data, place)
                if state:
                    self._state(state, end)
            case User(body):
                self._user(body, place, 0, size)
            case _:
                self._add(_name_of(message), 0, place, size, fields_of(message))

    def _records(self, data: bytes, place: Place) -> Place:
        """Adds each member; returns where the state begins."""
        reader = Reader(data[1:])
        count, _, _ = push_pull_header_from(reader.value())
        for _ in range(count):
            start = reader.position
            value = reader.value()
            at, size = place.plus(1 + start), reader.position - start
            try:
                self._add("member", 1, at, size, fields_of(record_from(value)))
            except RemoteError as error:
                self._stop("member", at, error)
        return place.plus(1 + reader.position)

    def _state(self, state: bytes, place: Place) -> None:
        if state[0] != SerfType.PUSH_PULL:
            self._add("state", 1, place, len(state), {"body": state})
            return
        try:
            fields = decode_state(state)._asdict()
        except RemoteError as error:
            self._stop("serf state", place.plus(1 + _unreadable(state[1:])), error)
            return
        fields["events"] = [
            {"ltime": slot.ltime, "name": name, "payload": payload}
            for slot in fields["events"]
            for name, payload in slot.events
        ]
        self._add("serf state", 1, place, len(state), fields)


_MSGPACK_ERRORS = frozenset(error.__name__ for error in UNPACK_ERRORS) | {"FormatError", "StackError"}
_SERF_BYTES = frozenset(bytes((kind,)) for kind in SerfType)


def decode_packet(data: bytes, keys: tuple[bytes, ...] = (), *, label: str = "") -> Decoded:
    """Takes one packet apart; ``keys`` are tried in order, with ``label`` where the bytes have none."""
    decoded = Decoded()
    decoded.packet(data, keys, label.encode("utf-8", "surrogateescape"))
    return decoded


def decode_stream(data: bytes, keys: tuple[bytes, ...] = (), *, label: str = "") -> Decoded:
    """Takes one direction of a stream apart; otherwise as ``decode_packet``."""
    decoded = Decoded()
    decoded.stream(data, keys, label.encode("utf-8", "surrogateescape"))
    return decoded


def _is_message(data: bytes) -> bool:
    """Whether it is one message that was not encrypted, to its last byte."""
    try:
        decode(data)
        reader = Reader(data[1:])
        reader.value()
    except RemoteError:
        return False
    return reader.position == len(data) - 1


def _unreadable(data: bytes) -> int:
    """Where the first msgpack value begins that cannot be read; 0 if all can, so their contents are wrong."""
    reader = Reader(data)
    start = 0
    try:
        if data[:1] and (data[0] & 0xF0 == 0x80 or data[0] in (0xDE, 0xDF)):
            for _ in reader.pairs():
                start = reader.position
                reader.value()
                start = reader.position
                reader.value()
        while reader.position < len(data):
            start = reader.position
            reader.value()
    except RemoteError:
        return start
    return 0


def _words(error: RemoteError) -> str:
    detail = str(error).removeprefix(f"{error.reason}: ")
    if error.reason == "msgpack" and detail in _MSGPACK_ERRORS:
        return "a value is cut short or malformed"
    if error.reason == "serf-type":
        return "Serf sends no message of this type by itself"
    return detail if error.reason in ("msgpack", "label", "empty", "decrypt") else str(error)


def _name_of(message: object) -> str:
    """``IndirectPing`` as ``indirect-ping``."""
    name = type(message).__name__
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _type_name(kind: int) -> str:
    try:
        return MessageType(kind).name.lower().replace("_", "-")
    except ValueError:
        return f"type {kind}"


def _serf_name(kind: int) -> str:
    try:
        return SerfType(kind).name.lower().replace("_", "-")
    except ValueError:
        return f"type {kind}"


def _no_nonce() -> bytes:
    raise AssertionError("nothing is encrypted")
