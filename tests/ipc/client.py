"""A raw client of the IPC: objects in both directions, nothing checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import trio

from swim.addresses import Endpoint

__all__ = ["Client", "connected", "decoded"]

PATIENCE = 30.0
"""Seconds of the clock in use; most tests use a virtual one."""


def unpacker() -> Any:
    return msgpack.Unpacker(unicode_errors="surrogateescape")


def decoded(data: bytes) -> list[Any]:
    """All objects in some bytes."""
    reader = unpacker()
    reader.feed(data)
    return [*reader]


class Client:
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.seq = 0
        self._unpacker = unpacker()

    async def send(self, *objects: Any) -> None:
        await self.stream.send_all(b"".join(map(msgpack.packb, objects)))

    async def next(self) -> Any:
        """The next object; EOFError at the end."""
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    return self._unpacker.unpack()
                except msgpack.OutOfData:
                    data = await self.stream.receive_some(65_536)
                    if not data:
                        raise EOFError from None
                    self._unpacker.feed(data)

    async def ask(self, command: str, body: Any = None, *, answers: bool = False) -> Any:
        """Sends a request; gives the error, or the body if one is expected and there is no error."""
        self.seq += 1
        await self.send({"Command": command, "Seq": self.seq}, *([] if body is None else [body]))
        header = await self.next()
        assert header == {"Seq": self.seq, "Error": header["Error"]}
        found = await self.next() if answers else None
        return header["Error"] or found or ""

    async def record(self, seq: int) -> Any:
        """The next record of a stream."""
        assert await self.next() == {"Seq": seq, "Error": ""}
        return await self.next()

    async def is_closed(self) -> bool:
        """Waits for the end; False if anything else comes first."""
        try:
            await self.next()
        except (EOFError, trio.BrokenResourceError):
            return True
        return False


@asynccontextmanager
async def connected(endpoint: Endpoint, *, shake: bool = True) -> AsyncIterator[Client]:
    """A client, after its handshake."""
    async with await trio.open_tcp_stream(*endpoint) as stream:
        client = Client(stream)
        if shake:
            assert await client.ask("handshake", {"Version": 1}) == ""
        yield client
