"""Observers: who is in a cluster, read by one push/pull from a member, without ever being a member.

The push/pull that an observer sends lists no member and has no state of Serf's, so a Go or Python peer
answers it with its table and has nothing to merge. No trace of the observer is left there.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from swim import checks
from swim.addresses import Endpoint, join_host_port, parse_address, plain_ip
from swim.config import Config
from swim.core.member import State, endpoint_of
from swim.errors import ConfigError, ObserverError, RemoteError
from swim.events import Member, MemberStatus, VersionTriple
from swim.net.resolver import Resolver
from swim.serf.push_pull import decode_state
from swim.serf.tags import decode_tags
from swim.text import brief
from swim.wire.codec import encode_push_pull
from swim.wire.keyring import Keyring
from swim.wire.messages import ErrorReply, MessageType, NodeRecord, PushPull
from swim.wire.stream import StreamCodec, StreamParser

__all__ = ["observe"]

_PORT = 7946
"""memberlist's, for addresses without one."""
_READ_BYTES = 65_536
_ENCRYPTED = int(MessageType.ENCRYPT)
_PLAIN = {int(MessageType.PUSH_PULL), int(MessageType.COMPRESS), int(MessageType.ERROR)}
_NO_GOSSIP = "what listens there does not speak memberlist's protocol"
_CLOSED = "closed without an answer: {ours}, or what listens there does not speak memberlist's protocol"


class _Failure(NamedTuple):
    """Why one address brought nothing; the kind is an ``ObserverError``'s."""

    address: str
    kind: str
    why: str


@checks.arguments(
    keys=checks.secrets,
    label=checks.text,
    timeout=lambda name, value: checks.number(name, value, at_least=0.001),
)
def observe(
    addresses: Iterable[str],
    *,
    keys: Iterable[bytes] = (),
    label: str = "",
    timeout: float = 5.0,
) -> tuple[Member, ...]:
    """Reads who is in a cluster from the first of its members that answers. Blocks the calling thread.

    No cluster runs for it, and nothing is left behind: the observer is no member, at no moment. What it reads
    is that member's memberlist table. Members that failed or left some while ago are missing there.

    Args:
        addresses: ``HOST[:PORT]`` of members, tried in order; the port defaults to 7946.
        keys: the cluster's gossip keys, if it is encrypted; the first one encrypts.
        label: the cluster's label.
        timeout: seconds for all addresses together; those still to be tried share what is left.

    Returns:
        The members, by name.

    Raises:
        ConfigError: naming an argument that is wrong.
        ObserverError: no address answered; it says why for each.
    """
    texts = checks.texts("addresses", addresses)
    if not texts:
        raise ConfigError("addresses", "name at least one address")
    config = Config.lan(name="observer", keys=tuple(keys), label=label)
    for text in texts:
        parse_address(text, _PORT, field="addresses")
    return _Observer(config, timeout).read(texts)


class _Observer:
    def __init__(self, config: Config, timeout: float) -> None:
        self._config = config
        self._keyring = Keyring(config.keys)
        self._codec = StreamCodec(config, self._keyring, lambda: os.urandom(12))
        self._until = time.monotonic() + timeout
        self._resolver = Resolver()

    def read(self, addresses: tuple[str, ...]) -> tuple[Member, ...]:
        failures: list[_Failure] = []
        for number, address in enumerate(addresses):
            until = self._share(len(addresses) - number)
            endpoints = self._resolve(address, until, failures)
            for tried, endpoint in enumerate(endpoints):
                share = time.monotonic() + self._left(until) / (len(endpoints) - tried)
                found = self._ask(address, endpoint, share, failures)
                if found is not None:
                    return tuple(sorted(members_of(found), key=lambda member: member.name))
        raise ObserverError([(failure.address, failure.kind, failure.why) for failure in failures])

    def _share(self, addresses_left: int) -> float:
        now = time.monotonic()
        return now + max(self._until - now, 0.0) / addresses_left

    @staticmethod
    def _left(until: float) -> float:
        return max(until - time.monotonic(), 0.001)

    def _resolve(self, address: str, until: float, failures: list[_Failure]) -> list[Endpoint]:
        parsed = parse_address(address, _PORT, field="addresses")
        if (literal := plain_ip(parsed.host)) is not None:
            return [(str(literal), parsed.port)]
        answered = threading.Event()
        answers: list[tuple[tuple[str, ...], OSError | None]] = []

        def take(hosts: tuple[str, ...], error: OSError | None) -> None:
            answers.append((hosts, error))
            answered.set()

        self._resolver.ask(parsed.host, take)
        if not answered.wait(self._left(until)):
            failures.append(_Failure(address, "timed-out", "the name was not resolved in time"))
            return []
        hosts, error = answers[0]
        if error is not None or not hosts:
            failures.append(_Failure(address, "unreachable", f"the name does not resolve ({error})"))
        return [(host, parsed.port) for host in hosts]

    def _ask(
        self, address: str, endpoint: Endpoint, until: float, failures: list[_Failure]
    ) -> PushPull | None:
        """One push/pull with an endpoint; its failure is added to ``failures``."""
        at = join_host_port(*endpoint)
        shown = address if at == address else f"{address} ({at})"

        def failed(kind: str, why: str) -> None:
            failures.append(_Failure(shown, kind, why))

        received = bytearray()
        parser = StreamParser(self._codec, acceptor=False)
        request = self._codec.seal(encode_push_pull(False, 0, b"", b""), label_header=True)
        try:
            with closing(socket.create_connection(endpoint, timeout=self._left(until))) as stream:
                stream.settimeout(self._left(until))
                stream.sendall(request)
                for data in _chunks(stream, until):
                    received += data[: max(_READ_BYTES - len(received), 0)]
                    reply = parser.feed(data)
                    if reply is not None:
                        break
                else:
                    failed("refused", self._why_closed(received))
                    return None
        except TimeoutError:
            failed("timed-out", "no answer in time" if not received else "its answer did not end in time")
        except ConnectionResetError:
            failed("refused", self._why_closed(received))
        except OSError as error:
            failed("unreachable", error.strerror or str(error))
        except RemoteError as error:
            failed(*self._why_unreadable(bytes(received), error))
        else:
            if isinstance(reply, PushPull):
                return reply
            why = f"it refused: {brief(reply.error)}" if isinstance(reply, ErrorReply) else _NO_GOSSIP
            failed("refused" if isinstance(reply, ErrorReply) else "foreign", why)
        return None

    def _why_closed(self, received: bytearray) -> str:
        if received:
            return "closed in the middle of its answer"
        label = self._config.label
        ours = f"its label may not be {label!r}" if label else "it may have a label, and none was given"
        return _CLOSED.format(ours=ours)

    def _why_unreadable(self, received: bytes, error: RemoteError) -> tuple[str, str]:
        """The kind and the text of an answer that cannot be read."""
        first = received[0] if received else -1
        if first == _ENCRYPTED and not self._keyring:
            return "refused", "the cluster is encrypted, and no key was given"
        if first == _ENCRYPTED and error.reason == "decrypt":
            return "refused", "the cluster is encrypted with another key"
        if error.reason == "plaintext" and first in _PLAIN:
            return "refused", "the cluster is not encrypted, and a key was given"
        if first not in _PLAIN and first != _ENCRYPTED:
            return "foreign", _NO_GOSSIP
        return "foreign", f"its answer cannot be read ({error})"


def _chunks(stream: socket.socket, until: float) -> Iterator[bytes]:
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        stream.settimeout(left)
        data = stream.recv(_READ_BYTES)
        if not data:
            return
        yield data


def members_of(message: PushPull) -> Iterator[Member]:
    """The members that a push/pull lists, with the states of memberlist and, if it is there, of Serf."""
    left: frozenset[str] = frozenset()
    if message.user_state:
        try:
            left = frozenset(decode_state(message.user_state).left_members)
        except RemoteError:
            left = frozenset()  # another program's
    for record in message.records:
        yield _member(record, is_left=record.name in left)


def _member(record: NodeRecord, *, is_left: bool) -> Member:
    state = State(record.state)
    status = MemberStatus.ALIVE
    if state is State.LEFT or (state is State.DEAD and is_left):
        status = MemberStatus.LEFT
    elif state is State.DEAD:
        status = MemberStatus.FAILED
    host, port = endpoint_of(record.addr, record.port or _PORT)
    delegate = VersionTriple(*record.vsn[3:6])
    return Member(
        name=record.name,
        address=host,
        port=port,
        tags=decode_tags(record.meta) if delegate.current else {},
        status=status,
        is_suspect=state is State.SUSPECT,
        incarnation=record.incarnation,
        protocol=VersionTriple(*record.vsn[:3]),
        delegate=delegate,
    )
