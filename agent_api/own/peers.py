"""One request to another agent, with limits: its address is untrusted input, and so is its answer."""

from __future__ import annotations

import json
import re
from typing import Any

import anyio

from swim import ConfigError, Member
from swim.addresses import Endpoint, join_host_port, plain_ip, split_host_port

__all__ = ["ANSWER_BYTES_MAX", "HTTP_TAG", "PeerError", "ask", "http_endpoint"]

HTTP_TAG = "http"
"""The tag in which an agent advertises its HTTP address, ``HOST:PORT`` or ``:PORT``."""
ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""Longest answer that is read."""
_CHUNK = 65_536
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")


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
    # As HTTP/1.0, the answer is never chunked, and ends with the connection.
    request = f"GET {path} HTTP/1.0\r\nHost: {join_host_port(*endpoint)}\r\n\r\n"
    head, _, body = (await _exchanged(endpoint, request.encode())).partition(b"\r\n\r\n")
    found = _STATUS.match(head)
    if found is None:
        raise PeerError("it does not speak HTTP")
    if found[1] != b"200":
        raise PeerError(f"it answers {found[1].decode()}: {body[:200].decode('utf-8', 'replace').strip()}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PeerError("its answer is not JSON") from None


async def _exchanged(endpoint: Endpoint, request: bytes) -> bytes:
    received = bytearray()
    async with await anyio.connect_tcp(*endpoint) as stream:
        try:
            await stream.send(request)
            while len(received) <= ANSWER_BYTES_MAX:
                received += await stream.receive(_CHUNK)
        except anyio.EndOfStream:
            return bytes(received)
        except anyio.BrokenResourceError:
            raise PeerError("it closed the connection") from None
    raise PeerError(f"it answers more than {ANSWER_BYTES_MAX} bytes")
