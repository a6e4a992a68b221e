"""A minimal client of the Serf agent's IPC: msgpack objects back to back over TCP, one request at a time."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import msgpack
import trio


class SerfRpcError(Exception):
    """The agent answered with an error text."""


class Answer(NamedTuple):
    """One record of a query: ``kind`` is ``ack`` or ``response``."""

    kind: str
    member: str
    payload: bytes


class SerfRpc:
    """A connection after the handshake."""

    def __init__(self, stream: trio.SocketStream, port: int) -> None:
        self.port = port
        self._stream = stream
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
        self._sequence = 0
        self._lock = trio.Lock()

    @classmethod
    async def connect(cls, port: int) -> Self:
        rpc = cls(await trio.open_tcp_stream("127.0.0.1", port), port)
        try:
            await rpc._call("handshake", {"Version": 1})
        except BaseException:
            await rpc.aclose()
            raise
        return rpc

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def members(self) -> list[dict[str, Any]]:
        return (await self._call("members", answers=True))["Members"]

    async def join(self, *addresses: str, replay: bool = False) -> int:
        return (await self._call("join", {"Existing": list(addresses), "Replay": replay}, answers=True))[
            "Num"
        ]

    async def leave(self) -> None:
        await self._call("leave")

    async def force_leave(self, name: str, *, prune: bool = False) -> None:
        await self._call("force-leave", {"Node": name, "Prune": prune})

    async def event(self, name: str, payload: bytes = b"", *, coalesce: bool = False) -> None:
        await self._call("event", {"Name": name, "Payload": payload, "Coalesce": coalesce})

    async def set_tags(self, tags: dict[str, str]) -> None:
        await self._call("tags", {"Tags": tags, "DeleteTags": []})

    async def stats(self) -> dict[str, dict[str, str]]:
        return await self._call("stats", answers=True)

    async def coordinate(self, name: str) -> bool:
        """Whether the agent has a network coordinate of the member."""
        return (await self._call("get-coordinate", {"Node": name}, answers=True))["Ok"]

    async def query(
        self, name: str, payload: bytes | None = None, *, seconds: float = 2.0, relay_factor: int = 0
    ) -> list[Answer]:
        """All acks and responses until the query's deadline."""
        body = {
            "FilterNodes": None,
            "FilterTags": None,
            "RequestAck": True,
            "RelayFactor": relay_factor,
            "Timeout": int(seconds * 1e9),
            "Name": name,
            "Payload": payload,
        }
        async with self._lock:
            await self._request("query", body)
            answers = []
            while True:
                await self._receive()
                record = await self._receive()
                if record["Type"] == "done":
                    return answers
                if not record["From"]:  # Serf takes the end of its own channel for one more ack
                    continue
                answers.append(Answer(record["Type"], record["From"], record["Payload"] or b""))

    async def _call(self, command: str, body: dict[str, Any] | None = None, *, answers: bool = False) -> Any:
        async with self._lock:
            error = await self._request(command, body, tolerate=True)
            answer = await self._receive() if answers else None
        if error:
            raise SerfRpcError(error)
        return answer

    async def _request(self, command: str, body: dict[str, Any] | None, *, tolerate: bool = False) -> str:
        self._sequence += 1
        request = msgpack.packb({"Command": command, "Seq": self._sequence})
        if body is not None:
            request += msgpack.packb(body)
        await self._stream.send_all(request)
        error = (await self._receive())["Error"]
        if error and not tolerate:
            raise SerfRpcError(error)
        return error

    async def _receive(self) -> dict[str, Any]:
        while True:
            try:
                return self._unpacker.unpack()
            except msgpack.OutOfData:
                data = await self._stream.receive_some(65_536)
                if not data:
                    raise SerfRpcError("connection closed") from None
                self._unpacker.feed(data)
