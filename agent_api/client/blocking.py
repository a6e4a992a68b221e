"""``AgentClient``: the blocking client, on ``http.client``; the commands use it."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from agent_api.client.calls import OwnCalls
from agent_api.client.core import JSON_BYTES_MAX, REFUSAL_BYTES_MAX, SILENCE_SECONDS, Core
from agent_api.client.environment import DEFAULT_ADDRESS, DEFAULT_TIMEOUT
from agent_api.client.requests import BlockingCalls, Request, Stream
from agent_api.client.target import Target, Tls

if TYPE_CHECKING:
    from agent_api.client.nomad import BlockingNomadCalls

__all__ = ["AgentClient"]

T = TypeVar("T")
_CHUNK_BYTES = 65_536
_FAILURES = (OSError, http.client.HTTPException)


class AgentClient(OwnCalls, BlockingCalls):
    """Sends requests to one agent; a connection per call, no state in between. Threads may share it.

    Args:
        address: ``http://HOST:PORT[/PREFIX]``, ``https://...`` or ``unix:///PATH``; a bare ``HOST:PORT``
            means http.
        timeout: seconds to wait for a connection and for each read.
        token: sent with every request; "" for none.
        region: sent with every request, as Nomad's clients do; "" for none.
        tls: of an ``https`` address.

    Raises:
        ConfigError: naming ``address``, ``timeout``, ``token``, ``region`` or a field of ``tls``.

    Attributes:
        target: what was given.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        token: str = "",
        region: str = "",
        tls: Tls | None = None,
    ) -> None:
        self._set(Target(address, timeout, token, region, tls))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **given: Any) -> Self:
        """A client as Nomad's own read their variables: ``NOMAD_ADDR``, ``NOMAD_TOKEN``, ``NOMAD_CACERT`` ...

        Args:
            environ: the variables; ``SWIM_ADDRESS`` and ``SWIM_TOKEN`` win over Nomad's.
            given: settings that win over variables: ``address``, ``token``, ``region``, ``timeout``,
                ``ca_cert``, ``ca_path``, ``client_cert``, ``client_key``, ``tls_server_name``,
                ``tls_skip_verify``.

        Raises:
            ConfigError: as the constructor.
        """
        client = cls.__new__(cls)
        client._set(Target.from_environment(environ, **given))
        return client

    def _set(self, target: Target) -> None:
        self.target: Target = target
        self._core = Core(target)
        self._context = target.tls.context() if target.scheme == "https" else None

    @property
    def nomad(self) -> BlockingNomadCalls:
        """The calls to Nomad's paths."""
        from agent_api.client.nomad import BlockingNomadCalls  # most commands need none of them

        return BlockingNomadCalls(self)

    def send(self, request: Request[T]) -> T:
        """Sends a request; returns the reply. See ``BlockingCalls``."""
        connection, response = self._open(request)
        try:
            body = response.read(JSON_BYTES_MAX)
            if response.length:
                raise http.client.IncompleteRead(body, response.length)
            return self._core.reply(request, response.status, body)
        except _FAILURES as error:
            raise self._core.failure(error) from None
        finally:
            connection.close()

    def follow(self, stream: Stream[T]) -> Generator[T, None, None]:
        """Opens a stream, when the first item is asked for. See ``BlockingCalls``."""
        connection, response = self._open(stream)
        reader = stream.reader()
        try:
            connection.channel.settimeout(max(self.target.timeout, SILENCE_SECONDS))
            while received := response.read1(_CHUNK_BYTES):
                yield from self._core.items(reader, received)
            self._core.finish(reader)
        except _FAILURES as error:
            raise self._core.failure(error) from None
        finally:
            response.close()
            connection.close()

    def _open(self, request: Request[Any] | Stream[Any]) -> tuple[_Connection, http.client.HTTPResponse]:
        connection = _Connection(self.target, self._context)
        try:
            connection.request(
                request.method, self._core.url(request), request.body or None, self.target.headers
            )
            response = connection.getresponse()
            if response.status not in request.accepted:
                raise self._core.refusal(response.status, response.read(REFUSAL_BYTES_MAX))
        except _FAILURES as error:
            connection.close()
            raise self._core.failure(error) from None
        except BaseException:
            connection.close()
            raise
        return connection, response


class _Connection(http.client.HTTPConnection):
    """A connection to a target: TCP, TLS or a Unix socket.

    Attributes:
        channel: what is read from; ``sock`` is None once the last response has begun.
    """

    channel: socket.socket

    def __init__(self, target: Target, context: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=target.timeout)
        if context is not None:
            self.default_port = http.client.HTTPS_PORT  # left out of the header Host
        self._target = target
        self._context = context

    def connect(self) -> None:
        """Connects; the handshake of TLS has the same timeout."""
        if path := self._target.socket_path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(path)
        else:
            super().connect()
        if self._context is not None:
            name = self._target.tls.server_name or self.host
            self.sock = self._context.wrap_socket(self.sock, server_hostname=name)
        self.channel = self.sock
