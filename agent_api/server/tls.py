"""TLS on a byte stream, and a listener for it; OpenSSL computes, trio moves the bytes."""

from __future__ import annotations

import ssl
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import trio

from agent_api.tls import Tls

__all__ = ["PeersOnce", "TlsListener", "TlsStream", "spoke_http", "why_failed"]

_RECEIVE_BYTES = 16 * 1024
_PEERS_MAX = 256


class TlsStream(trio.abc.HalfCloseableStream):
    """The server's side of one TLS connection over ``transport_stream``.

    Unlike ``trio.SSLStream``, it sends the alert that says why a handshake failed, and can say that it sends
    no more while the client still does. As HTTPS demands, a client may close without ``close_notify``.
    """

    def __init__(self, transport: trio.abc.HalfCloseableStream, context: ssl.SSLContext) -> None:
        self.transport_stream: trio.abc.HalfCloseableStream = transport
        self._received = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_side=True)
        self._sending = trio.Lock()
        self._is_ended = False

    async def do_handshake(self) -> None:
        """Agrees with the client on keys; comes before everything else.

        Raises:
            trio.BrokenResourceError: from the ``ssl.SSLError`` that says why.
        """
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError as error:
                if not spoke_http(error):
                    await self._flush()
                raise trio.BrokenResourceError(why_failed(error)) from error
        await self._flush()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Bytes of the client; ``b""`` after its last.

        Raises:
            trio.BrokenResourceError: it broke the protocol, or the connection did.
        """
        await trio.lowlevel.checkpoint()
        while not self._is_ended:
            try:
                return self._tls.read(max_bytes or _RECEIVE_BYTES)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""
            except ssl.SSLError as error:
                await self._flush()
                raise trio.BrokenResourceError(why_failed(error)) from error
        return bytes(await self.transport_stream.receive_some(max_bytes))

    async def send_all(self, data: Any) -> None:
        """Sends ``data``. Raises as a stream of trio's does."""
        try:
            if data:
                self._tls.write(data)
        except ssl.SSLError as error:
            raise trio.BrokenResourceError(why_failed(error)) from error
        await self._flush()

    async def wait_send_all_might_not_block(self) -> None:
        """Waits as the transport does."""
        await self.transport_stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Sends ``close_notify``; from now on ``receive_some`` gives what still comes, not decrypted."""
        if not self._is_ended:
            self._is_ended = True
            with suppress(ssl.SSLError):  # as long as the client has not sent its own close_notify
                self._tls.unwrap()
            await self._flush()
            await self.transport_stream.send_eof()

    async def aclose(self) -> None:
        """Closes the transport."""
        await self.transport_stream.aclose()

    async def _flush(self) -> None:
        async with self._sending:
            if data := self._to_send.read():
                await self.transport_stream.send_all(data)

    async def _fill(self) -> None:
        data = await self.transport_stream.receive_some(_RECEIVE_BYTES)
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()


class TlsListener(trio.abc.Listener[TlsStream]):
    """Connections of another listener, with TLS to come. The handshake is left to each connection's task.

    Args:
        listener: of the transport; closed with this one.
        tls: its context at the time counts.
    """

    def __init__(self, listener: trio.abc.Listener[trio.abc.HalfCloseableStream], tls: Tls) -> None:
        self._listener = listener
        self._tls = tls

    async def accept(self) -> TlsStream:
        """The next connection. Raises as the listener underneath."""
        return TlsStream(await self._listener.accept(), self._tls.context)

    async def aclose(self) -> None:
        """Closes the listener underneath."""
        await self._listener.aclose()


class PeersOnce:
    """The peers that a log has mentioned: at most 256, the latest ones."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def is_new(self, peer: str) -> bool:
        """Whether this is the first mention of ``peer``."""
        if peer in self._seen:
            self._seen.move_to_end(peer)
            return False
        self._seen[peer] = None
        if len(self._seen) > _PEERS_MAX:
            self._seen.popitem(last=False)
        return True


def spoke_http(error: BaseException | None) -> bool:
    """Whether a handshake failed because the client sent an HTTP request instead."""
    return getattr(error, "reason", None) in ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST")


def why_failed(error: ssl.SSLError) -> str:
    """OpenSSL's reason in words."""
    if isinstance(error, ssl.SSLEOFError):
        return "the client closed the connection"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    return (error.reason or str(error)).replace("_", " ").lower()
