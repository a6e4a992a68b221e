"""``AsyncAgentClient``: the client for trio and asyncio, on httpx."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, TypeVar

import anyio
import httpx

from agent_api.client.calls import OwnCalls
from agent_api.client.core import JSON_BYTES_MAX, REFUSAL_BYTES_MAX, SILENCE_SECONDS, Core
from agent_api.client.environment import DEFAULT_ADDRESS, DEFAULT_TIMEOUT
from agent_api.client.nomad import AsyncNomadCalls
from agent_api.client.requests import AsyncCalls, Request, Stream
from agent_api.client.target import Target, Tls

__all__ = ["AsyncAgentClient"]

T = TypeVar("T")
_FAILURES = (httpx.TransportError, httpx.StreamError, httpx.InvalidURL, OSError)


class AsyncAgentClient(OwnCalls, AsyncCalls):
    """``AgentClient`` for trio and asyncio: the same calls, awaited; streams are async iterators.

    It keeps connections open between calls: use it as ``async with AsyncAgentClient(...) as client``, or call
    ``aclose``. Tasks may share it.

    Args:
        address: as for ``AgentClient``.
        timeout: likewise.
        token: likewise.
        region: likewise.
        tls: likewise.
        transport: of httpx, in place of connections to the address: ``httpx.ASGITransport(app)`` calls an
            application in this process.

    Raises:
        ConfigError: as for ``AgentClient``.

    Attributes:
        target: what was given.
        nomad: the calls to Nomad's paths.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        token: str = "",
        region: str = "",
        tls: Tls | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._set(Target(address, timeout, token, region, tls), transport)

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        **given: Any,
    ) -> Self:
        """As ``AgentClient.from_environment``."""
        client = cls.__new__(cls)
        client._set(Target.from_environment(environ, **given), transport)
        return client

    def _set(self, target: Target, transport: httpx.AsyncBaseTransport | None) -> None:
        self.target: Target = target
        self.nomad: AsyncNomadCalls = AsyncNomadCalls(self)
        self._core = Core(target)
        scheme = "https" if target.scheme == "https" else "http"
        host = f"[{target.host}]" if ":" in target.host else target.host
        self._base = f"{scheme}://{host}:{target.port}"
        self._http = httpx.AsyncClient(
            transport=transport or _transport(target),
            # What is sent is the same as by the other client, and does not depend on the environment.
            headers={"Accept-Encoding": "identity", **target.headers},
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes all connections; calls and streams that are not done fail."""
        await self._http.aclose()

    async def send(self, request: Request[T]) -> T:
        """Sends a request; returns the reply. See ``BlockingCalls``."""
        async with self._opened(request, self.target.timeout) as (status, chunks):
            return self._core.reply(request, status, await _read(chunks, JSON_BYTES_MAX))

    async def follow(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        """Opens a stream, when the first item is asked for. See ``BlockingCalls``."""
        reader = stream.reader()
        async with self._opened(stream, max(self.target.timeout, SILENCE_SECONDS)) as (_, chunks):
            async for received in chunks:
                for item in self._core.items(reader, received):
                    yield item
            self._core.finish(reader)

    @asynccontextmanager
    async def _opened(
        self, request: Request[Any] | Stream[Any], silence: float
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Status and body, once the head is there."""
        made = self._http.build_request(
            request.method,
            self._base + self._core.url(request),
            content=request.body or None,
            timeout=self.target.timeout,
            extensions={"sni_hostname": self.target.tls.server_name} if self.target.tls.server_name else None,
        )
        try:
            response = await self._http.send(made, stream=True)
            made.extensions["timeout"]["read"] = silence
            chunks = response.aiter_raw()
            try:
                if response.status_code not in request.accepted:
                    raise self._core.refusal(response.status_code, await _read(chunks, REFUSAL_BYTES_MAX))
                yield response.status_code, chunks
            finally:
                with anyio.CancelScope(shield=True):
                    await _close(response, chunks)
        except httpx.TimeoutException:
            raise self._core.late() from None
        except _FAILURES as error:
            raise self._core.failure(error) from None


def _transport(target: Target) -> httpx.AsyncHTTPTransport:
    if target.scheme == "https":
        return httpx.AsyncHTTPTransport(verify=target.tls.context())
    unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # else httpx loads all certificates of the system
    return httpx.AsyncHTTPTransport(verify=unused, uds=target.socket_path or None)


async def _read(chunks: AsyncIterator[bytes], at_most: int) -> bytes:
    """The body; what is beyond the limit is left."""
    body = bytearray()
    async for received in chunks:
        body += received
        if len(body) >= at_most:
            break
    return bytes(body[:at_most])


async def _close(response: httpx.Response, chunks: AsyncIterator[bytes]) -> None:
    """Ends a response wherever its reader is.

    A response that is closed early leaves generators inside httpx suspended, of which trio warns. They end
    when they read on from a connection that is closed.
    """
    if not response.is_stream_consumed or response.is_closed:
        await response.aclose()
        return
    if (network := response.extensions.get("network_stream")) is not None:
        await network.aclose()
    with suppress(*_FAILURES):
        async for _ in chunks:
            pass
    await response.aclose()
