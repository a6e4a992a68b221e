"""Gossip keys: Nomad's ``/v1/agent/keyring``, and ``/v1/swim/keyring``, which shows fingerprints only."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from agent_api.agent import Call
from agent_api.errors import HttpError
from swim import KeyringResult, MemberStatus
from swim.keyrings import fingerprint

__all__ = ["CHANGES", "nomad_change", "nomad_list", "swim_change", "swim_list", "unknown"]

CHANGES = ("install", "use", "remove")
"""What can be done with a key."""
_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_BODY_BYTES_MAX = 65_536


async def nomad_list(call: Call) -> Response:
    """Every key of the cluster, and how many members have it."""
    return _nomads_answer(call, await call.agent.cluster.list_keys())


def nomad_change(operation: str) -> Callable[[Call], Awaitable[Response]]:
    """The handler of ``install``, ``use`` or ``remove``: the key is in the body."""

    async def change(call: Call) -> Response:
        key = _key(await _body(call))
        return _nomads_answer(call, await _changed(call, operation, key))

    return change


async def unknown(_call: Call) -> Response:
    """Any other operation."""
    raise HttpError(404, "resource not found")


async def swim_list(call: Call) -> Response:
    """The keys of each member as fingerprints, the one that encrypts first."""
    return _our_answer(call, await call.agent.cluster.list_keys())


def swim_change(operation: str) -> Callable[[Call], Awaitable[Response]]:
    """The handler of ``install``, ``use`` or ``remove``: a key, or its fingerprint, is in the body."""

    async def change(call: Call) -> Response:
        document = await _body(call)
        named = document.get("Fingerprint")
        key = _key(document) if not isinstance(named, str) or "Key" in document else await _named(call, named)
        return _our_answer(call, await _changed(call, operation, key))

    return change


async def _changed(call: Call, operation: str, key: bytes) -> KeyringResult:
    cluster = call.agent.cluster
    commands = {"install": cluster.install_key, "use": cluster.use_key, "remove": cluster.remove_key}
    return await commands[operation](key)


async def _named(call: Call, named: str) -> bytes:
    """The key of a fingerprint, as any member lists it."""
    for key in (await call.agent.cluster.list_keys()).keys:
        if fingerprint(key) == named:
            return key
    raise HttpError(409, "no member has a key with this fingerprint")


async def _body(call: Call) -> dict[str, Any]:
    body = await call.body(_BODY_BYTES_MAX, f"body: more than {_BODY_BYTES_MAX} bytes")
    if not body:
        raise HttpError(400, "Request body is empty")
    try:
        document = json.loads(body)
    except RecursionError:
        raise HttpError(400, "the body is nested too deeply") from None
    except ValueError as error:
        raise HttpError(400, f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise HttpError(400, "the body is no JSON object")
    return document


def _key(document: dict[str, Any]) -> bytes:
    text = document.get("Key", "")
    if not isinstance(text, str):
        raise HttpError(400, "Key must be a string")
    octets = text.encode("utf-8", "replace")
    try:
        return b64decode(octets, validate=True)
    except ValueError:
        place = next((at for at, octet in enumerate(octets) if octet not in _ALPHABET), len(octets))
        raise HttpError(400, f"illegal base64 data at input byte {place}") from None


def _nomads_answer(call: Call, result: KeyringResult) -> Response:
    if result.problem:
        raise HttpError(500, f"{result.problem}: {result.reason}")
    document = {
        "Messages": dict(result.messages),
        "Keys": {b64encode(key).decode(): count for key, count in result.keys.items()},
        "NumNodes": result.members,
    }
    if result.keyrings:
        document["PrimaryKeys"] = {b64encode(key).decode(): count for key, count in result.primary.items()}
    return call.json(document)


def _our_answer(call: Call, result: KeyringResult) -> Response:
    failed = [each.name for each in call.agent.cluster.members() if each.status is MemberStatus.FAILED]
    return call.json(
        {
            "members": result.members,
            "responses": result.responses,
            "problem": result.problem,
            "errors": dict(result.errors),
            "messages": dict(result.messages),
            "missing": list(result.missing),
            "failed": sorted(failed),
            "keyrings": {name: list(map(fingerprint, keys)) for name, keys in result.keyrings.items()},
        }
    )
