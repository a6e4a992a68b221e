"""One request to another agent, with limits: its address is untrusted input, and so is its answer."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from agent_api.client.fitting import decoded
from agent_api.exchange import Exchange
from swim import ConfigError, Member
from swim.addresses import Endpoint, plain_ip, split_host_port

__all__ = ["ANSWER_BYTES_MAX", "HTTP_TAG", "PeerError", "ask", "http_endpoint"]

HTTP_TAG = "http"
"""The tag in which an agent advertises its HTTP address, ``HOST:PORT`` or ``:PORT``."""
ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""Longest answer that is read."""


class PeerError(Exception):
    """Another agent cannot be asked, or answers something unusable. Nothing is affected."""


def http_endpoint(member: Member) -> Endpoint:
    """Where a member's agent serves HTTP.

    Its host must be the member's own address: otherwise any member could make this agent send requests to
    other hosts.

    Raises:
        PeerError: the member advertises none, or one that is not its own.
    """
    text = member.tags.get(HTTP_TAG)
    if not text:
        raise PeerError(f"it advertises no HTTP address (tag {HTTP_TAG})")
    is_short = text.startswith(":")
    try:
        host, port = split_host_port(HTTP_TAG, f"localhost{text}" if is_short else text)
    except ConfigError as error:
        raise PeerError(f"its tag {error}") from None
    address = plain_ip(host)
    if not is_short and (address is None or address != plain_ip(member.address)):
        raise PeerError(f"its tag {HTTP_TAG} names {host}, which is not its address")
    return member.address, port


async def ask(endpoint: Endpoint, path: str, token: str = "") -> Any:
    """The JSON that another agent answers; ``token`` is sent along unless it is "".

    Raises:
        PeerError: it answers something else, or too much.
        OSError: it cannot be reached.
    """
    headers = [(b"X-Nomad-Token", token.encode())] if token else []
    try:
        async with aclosing(await Exchange.begin(endpoint, path.encode(), headers)) as exchange:
            body = await exchange.body(ANSWER_BYTES_MAX)
    except ValueError as error:
        raise PeerError(str(error)) from None
    if exchange.status != 200:
        raise PeerError(f"it answers {exchange.status}: {body[:200].decode('utf-8', 'replace').strip()}")
    try:
        return decoded(body)
    except ValueError:
        raise PeerError("its answer is not JSON") from None
