"""The gossip keys of the cluster: answers Serf's key queries from this node's keyring, and asks them.

Keys are neither sent nor taken in clear: a node that sends unencrypted packets, or accepts them, answers key
queries with an error (``gossip_verify_outgoing`` and ``gossip_verify_incoming``).
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from swim.addresses import Endpoint
from swim.core.engine import Engine
from swim.core.output import Finished, SaveKeys
from swim.errors import LocalError, RemoteError
from swim.events import MemberStatus
from swim.frozen import FrozenMap
from swim.keyrings import InstallKey, KeyCommand, KeyringResult, ListKeys, RemoveKey, UseKey, fingerprint
from swim.serf.internal_queries import Asked
from swim.serf.member_list import Roster
from swim.serf.messages import (
    KEY_QUERIES,
    KeyResponse,
    QueryResponse,
    decode_key_request,
    decode_key_response,
    encode_key_request,
    encode_key_response,
)
from swim.serf.queries import Queries

__all__ = ["UNSAVED_MAX", "KeyCommands", "KeyQueries", "key_in", "keys_in"]

logger: logging.Logger = logging.getLogger("swim.serf")

_LISTED_MAX = 40
"""Keys in a list that had to be truncated, as in Serf: as many short ones as an answer can hold."""
UNSAVED_MAX = 64
"""Changes that may wait until the keyring is stored."""
_PLAIN = "keys are not shown or changed while unencrypted packets are sent or accepted"
_NO_KEYRING = "No keyring to modify (encryption not enabled)"
_EMPTY_KEYRING = "Keyring is empty (encryption not enabled)"
_QUERIES: dict[type[KeyCommand], str] = dict(
    zip((InstallKey, UseKey, RemoveKey, ListKeys), KEY_QUERIES, strict=True)
)


class KeyQueries:
    """Answers the key queries that this node receives. A change takes effect with the next packet or stream.

    It is answered once the driver has stored the keyring, or could not.
    """

    def __init__(self, engine: Engine, queries: Queries) -> None:
        self._context = context = engine.context
        self._keyring = context.keyring
        self._unsaved: deque[tuple[int, Asked]] = deque()
        self._saves = 0
        install, use, remove, show = KEY_QUERIES
        queries.internal.handlers |= {
            install: lambda asked: self._change(asked, "installed", self._keyring.add),
            use: lambda asked: self._change(asked, "now encrypting with", self._keyring.use),
            remove: lambda asked: self._change(asked, "removed", self._keyring.remove),
            show: self._list,
        }

    def saved(self, now: float, number: int, error: str) -> None:
        """Answers the changes up to that ``SaveKeys``; ``error`` is why it failed, or ""."""
        if error:
            logger.error("the keyring was changed, and cannot be saved: %s", error)
        while self._unsaved and self._unsaved[0][0] <= number:
            _, asked = self._unsaved.popleft()
            asked.answer(now, encode_key_response(KeyResponse(not error, error)))

    def _change(self, asked: Asked, what: str, change: Callable[[bytes], None]) -> None:
        error = self._refusal(_NO_KEYRING)
        if not error and len(self._unsaved) >= UNSAVED_MAX:
            error = f"{UNSAVED_MAX} changes of the keyring wait to be saved already"
        if not error:
            try:
                key = decode_key_request(asked.payload)
                change(key)
            except RemoteError:
                error = "the key request cannot be read"
            except LocalError as refusal:
                error = str(refusal)
            else:
                logger.info("keyring: %s %s", what, fingerprint(key))
        if error:
            logger.warning("a change of the keyring is refused: %s", error)
            asked.answer(asked.now, encode_key_response(KeyResponse(False, error)))
            return
        self._saves += 1
        self._unsaved.append((self._saves, asked))
        self._context.output.keyring = SaveKeys(self._saves, self._keyring.keys)

    def _list(self, asked: Asked) -> None:
        """All keys, or as many as an answer may hold."""
        if error := self._refusal(_EMPTY_KEYRING):
            asked.answer(asked.now, encode_key_response(KeyResponse(False, error)))
            return
        keys = tuple(b64encode(key).decode() for key in self._keyring.keys)
        payload = encode_key_response(KeyResponse(True, "", keys, keys[0]))
        shown = min(_LISTED_MAX, len(keys))
        while not asked.fits(payload) and shown >= 0:
            text = f"truncated key list response, showing first {shown} of {len(keys)} keys"
            payload = encode_key_response(KeyResponse(True, text, keys[:shown], keys[0]))
            shown -= 1
        asked.answer(asked.now, payload)

    def _refusal(self, without_keyring: str) -> str:
        """Why key queries are refused, or ""."""
        if not self._keyring:
            return without_keyring
        is_secret = self._context.is_authenticated and self._context.config.gossip_verify_outgoing
        return "" if is_secret else _PLAIN


class KeyCommands:
    """Asks all members for this node's application."""

    def __init__(self, engine: Engine, roster: Roster, queries: Queries) -> None:
        self._engine = engine
        self._roster = roster
        self._queries = queries

    def do(self, now: float, command: KeyCommand) -> int:
        """Begins a command; its ``KeyringResult`` follows once all members answered, or at the deadline.

        Without encryption the query goes out without the key, and the members report that.

        Raises:
            LocalError: the keys would be readable; or too many queries are under way.
        """
        context = self._engine.context
        key = b"" if isinstance(command, ListKeys) or not context.keyring else command.key
        config = context.config
        if context.keyring and not (config.gossip_verify_incoming and config.gossip_verify_outgoing):
            raise LocalError(f"{_PLAIN}: see gossip_verify_incoming and gossip_verify_outgoing")
        if self._queries.channels.is_full:
            raise LocalError("too many queries of this node wait for replies already")
        ticket = self._engine.ticket()
        asked = {m.name for m in self._roster.members() if m.status is MemberStatus.ALIVE}
        answers: dict[str, KeyResponse] = {}

        def take(response: QueryResponse, _source: Endpoint | None) -> None:
            answers[response.node] = _read(response.payload)

        def ended(_at: float) -> None:
            context.output.finished.append(Finished(ticket, _result(asked, answers)))

        self._queries.ask(
            now,
            _QUERIES[type(command)],
            encode_key_request(key),
            take=take,
            ended=ended,
            finish_early=True,
            reminds=True,
        )
        return ticket


def key_in(request: bytes) -> bytes:
    """The key in a key query, or all of it if that cannot be read."""
    try:
        return decode_key_request(request)
    except RemoteError:
        return request


def keys_in(answer: bytes) -> tuple[bytes, ...]:
    """The keys in an answer to a query; () if it is no list of keys."""
    try:
        return _keys(decode_key_response(answer))
    except RemoteError:
        return ()


def _read(payload: bytes | None) -> KeyResponse:
    """A member's answer; a failure if it cannot be read."""
    try:
        return decode_key_response(payload)
    except RemoteError:
        return KeyResponse(False, "its answer cannot be read")


def _result(asked: set[str], answers: dict[str, KeyResponse]) -> KeyringResult:
    return KeyringResult(
        members=len(asked | answers.keys()),
        responses=len(answers),
        errors=FrozenMap({name: each.message for name, each in answers.items() if not each.result}),
        messages=FrozenMap(
            {name: each.message for name, each in answers.items() if each.result and each.message}
        ),
        missing=tuple(sorted(asked - answers.keys())),
        keyrings=FrozenMap({name: _keys(each) for name, each in answers.items() if each.keys}),
    )


def _keys(response: KeyResponse) -> tuple[bytes, ...]:
    """The keys of a list, primary first; what is no base64 is no key."""
    texts = dict.fromkeys([*filter(None, [response.primary]), *response.keys])
    keys = []
    for text in texts:
        with suppress(ValueError):
            keys.append(b64decode(text, validate=True))
    return tuple(keys)
