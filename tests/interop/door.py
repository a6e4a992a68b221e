"""A UDP address in front of a peer through which only chosen senders reach it."""

from __future__ import annotations

from collections.abc import Collection

import trio

from sims.bench.ports import free_port

_LOOPBACK = "127.0.0.1"


class Door:
    """Forwards packets to ``peer`` as a NAT would, one inner socket per sender; drops those of others.

    Streams are refused. So a peer that advertises its door exchanges packets with ``allowed`` alone, and
    state only over the streams it opens itself.
    """

    def __init__(self, peer: str, allowed: Collection[str]) -> None:
        self.address = f"{_LOOPBACK}:{free_port()}"
        self.turned_away = 0
        self._peer = _endpoint(peer)
        self._allowed = {_endpoint(address) for address in allowed}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        inner: dict[tuple[str, int], trio.socket.SocketType] = {}
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as outer:
            await outer.bind(_endpoint(self.address))
            task_status.started()
            async with trio.open_nursery() as nursery:
                try:
                    while True:
                        data, source = await outer.recvfrom(65_536)
                        if source not in self._allowed:
                            self.turned_away += 1
                            continue
                        if source not in inner:
                            inner[source] = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
                            await inner[source].bind((_LOOPBACK, 0))
                            nursery.start_soon(_forward_answers, inner[source], outer, source)
                        await inner[source].sendto(data, self._peer)
                finally:
                    for socket in inner.values():
                        socket.close()


async def _forward_answers(
    inner: trio.socket.SocketType, outer: trio.socket.SocketType, sender: tuple[str, int]
) -> None:
    while True:
        await outer.sendto(await inner.recv(65_536), sender)


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
