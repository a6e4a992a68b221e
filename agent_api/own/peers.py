"""One request to another agent, with limits: its address is untrusted input, and so is its answer."""

from __future__ import annotations

import json
from typing import Any

import anyio
import h11

from agent_api.text import utf8
from swim import ConfigError, Member
from swim.addresses import Endpoint, join_host_port, plain_ip, split_host_port

__all__ = ["ANSWER_BYTES_MAX", "HTTP_TAG", "PeerError", "ask", "http_endpoint"]

HTTP_TAG = "http"
"""The tag in which an agent advertises its HTTP address, ``HOST:PORT`` or ``:PORT``."""
ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""Longest answer that is read."""
_CHUNK = 65_536


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


async def ask(endpoint: Endpoint, path: str) -> Any:
    """The JSON that another agent answers.

    Raises:
        PeerError: it answers something else, or too much.
        OSError: it cannot be reached.
    """
    status, body = await _get(endpoint, path)
    if status != 200:
        text = utf8(body[:200].decode("utf-8", "replace").strip()).decode()
        raise PeerError(f"it answers {status}: {text}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PeerError("its answer is not JSON") from None


async def _get(endpoint: Endpoint, path: str) -> tuple[int, bytes]:
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", join_host_port(*endpoint)), ("Connection", "close")]
    request = connection.send(h11.Request(method="GET", target=path, headers=headers)) or b""
    request += connection.send(h11.EndOfMessage()) or b""
    status, body = 0, bytearray()
    async with await anyio.connect_tcp(*endpoint) as stream:
        try:
            await stream.send(request)
            while not isinstance(event := connection.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
                if event is h11.NEED_DATA:
                    try:
                        connection.receive_data(await stream.receive(_CHUNK))
                    except anyio.EndOfStream:
                        connection.receive_data(b"")
                elif isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > ANSWER_BYTES_MAX:
                        raise PeerError(f"it answers more than {ANSWER_BYTES_MAX} bytes")
        except h11.RemoteProtocolError as error:
            raise PeerError(f"it does not speak HTTP: {error}") from None
        except anyio.BrokenResourceError:
            raise PeerError("it closed the connection") from None
    return status, bytes(body)
