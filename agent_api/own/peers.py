"""One request to another agent, with limits: its address is untrusted input, and so is its answer."""

from __future__ import annotations

import ssl
from contextlib import aclosing
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from agent_api.client.fitting import decoded
from agent_api.client.target import Tls
from agent_api.exchange import Exchange
from swim import ConfigError, Member
from swim.addresses import Endpoint, join_host_port, plain_ip, split_host_port

__all__ = ["ANSWER_BYTES_MAX", "HTTPS", "HTTP_TAG", "Asker", "PeerAddress", "PeerError", "http_address"]

HTTP_TAG = "http"
"""The tag in which an agent advertises its HTTP address: ``HOST:PORT`` or ``:PORT``, after ``https://`` if it
serves HTTPS."""
HTTPS = "https://"
ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""Longest answer that is read."""


class PeerError(Exception):
    """Another agent cannot be asked, or answers something unusable. Nothing is affected."""


class PeerAddress(NamedTuple):
    """Where a member's agent serves HTTP, or HTTPS."""

    endpoint: Endpoint
    is_https: bool = False

    def __str__(self) -> str:
        return (HTTPS if self.is_https else "") + join_host_port(*self.endpoint)


def http_address(member: Member) -> PeerAddress:
    """Where a member's agent serves HTTP.

    Its host must be the member's own address: otherwise any member could make this agent send requests to
    other hosts.

    Raises:
        PeerError: the member advertises none, or one that is not its own.
    """
    tag = member.tags.get(HTTP_TAG)
    if not tag:
        raise PeerError(f"it advertises no HTTP address (tag {HTTP_TAG})")
    text = tag.removeprefix(HTTPS)
    is_short = text.startswith(":")
    try:
        host, port = split_host_port(HTTP_TAG, f"localhost{text}" if is_short else text)
    except ConfigError as error:
        raise PeerError(f"its tag {error}") from None
    address = plain_ip(host)
    if not is_short and (address is None or address != plain_ip(member.address)):
        raise PeerError(f"its tag {HTTP_TAG} names {host}, which is not its address")
    return PeerAddress((member.address, port), text != tag)


class Asker:
    """Asks other agents.

    Args:
        token: sent to each; "" for none.
        tls: for those that serve HTTPS; its files are read before the first request to one of them. None is
            the system's roots.
    """

    def __init__(self, token: str, tls: Tls | None) -> None:
        self._headers = [(b"X-Nomad-Token", token.encode())] if token else []
        self._tls = tls or Tls()
        self._context: ssl.SSLContext | None = None
        self._reading = anyio.Lock()

    async def ask(self, address: PeerAddress, path: str, *, within: float) -> Any:
        """The JSON that another agent answers.

        Args:
            address: where it listens.
            path: with its query.
            within: seconds, from the moment that the files of ``tls`` are read.

        Raises:
            TimeoutError: it does not answer in time.
            PeerError: it answers something else, or too much; or a file of ``tls`` cannot be used.
            OSError: it cannot be reached, or its certificate is not trusted.
        """
        context = await self._read() if address.is_https else None
        try:
            with anyio.fail_after(within):
                exchange = await Exchange.begin(
                    address.endpoint, path.encode(), self._headers, context, self._tls.server_name
                )
                async with aclosing(exchange):
                    body = await exchange.body(ANSWER_BYTES_MAX)
        except ssl.SSLError:  # one about a certificate is a ValueError as well
            raise
        except ValueError as error:
            raise PeerError(str(error)) from None
        if exchange.status != 200:
            text = body[:200].decode("utf-8", "replace").strip()
            raise PeerError(f"it answers {exchange.status}: {text}")
        try:
            return decoded(body)
        except ValueError:
            raise PeerError("its answer is not JSON") from None

    async def _read(self) -> ssl.SSLContext:
        """Reads the files once, in a thread: the system has many roots, and gossip goes on meanwhile."""
        async with self._reading:
            if self._context is None:
                try:
                    self._context = await anyio.to_thread.run_sync(self._tls.context)
                except ConfigError as error:
                    raise PeerError(f"this agent's {error}") from None
            return self._context
