"""One program with membership in it, as ``embed`` starts them: ``KIND SETTINGS``, the latter as JSON.

Each kind imports what such a program imports, and nothing of the benchmark's. It writes lines of JSON: once
it is up, once it first knows all members, and, on SIGUSR2, how long events took from node to reader. On
SIGUSR1 it changes its tags many times, which makes such events.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal

__all__ = ["main"]

_KEY = b"0123456789abcdef0123456789abcdef"
_CHANGES = 60
_PAUSE_SECONDS = 0.1
_PING_BYTES, _ACK_BYTES = 83, 159
"""Of an idle node, before they are encrypted."""


def main() -> None:
    """Runs until it is killed."""
    kind, settings = sys.argv[1], json.loads(sys.argv[2])
    if kind == "trio":
        _on_trio(settings)
    elif kind == "kinship":
        _kinship(settings)
    elif kind == "bare":
        _bare(settings)
    else:
        _on_asyncio(settings, "process" if kind == "process" else "thread")


def _say(**fields: object) -> None:
    print(json.dumps({"at": time.monotonic(), **fields}), flush=True)


def _config(settings: dict[str, Any]) -> Any:
    import swim

    return getattr(swim.Config, settings["profile"])(
        name=settings["name"], bind=settings["bind"], seeds=settings["seeds"], keys=[_KEY]
    )


class _Crossings:
    """What a reader of events notes: seconds since a packet was read, and since its node published.

    Args:
        cluster: to read.
        nodes: how many members there will be.
        driver: the class whose ``publish`` is watched; None if it runs in another process.
    """

    def __init__(self, cluster: Any, nodes: int, driver: Any) -> None:
        self._cluster = cluster
        self._nodes = nodes
        self._published: dict[int, float] = {}
        self._seconds: dict[str, list[float]] = {"packet": [], "node": []}
        self._agrees = False
        if driver is not None:
            self._watch(driver)

    def _watch(self, driver: Any) -> None:
        publish = driver.publish

        def published(driver: Any, events: Sequence[Any]) -> None:
            now = time.monotonic()
            self._published.update((event.sequence, now) for event in events)
            publish(driver, events)

        driver.publish = published

    def note(self, event: Any) -> None:
        """Takes an event as soon as it is read."""
        member = event.member
        if type(event).__name__ == "MemberUpdated" and member.name != self._cluster.config.name:
            now = time.monotonic()
            at = self._cluster.history(member.name)[-1].at
            self._seconds["packet"].append(self._cluster.now() - at)
            if event.sequence in self._published:
                self._seconds["node"].append(now - self._published[event.sequence])
        self._published.clear()
        self.look()

    def look(self) -> None:
        """Says so once all members are known."""
        if not self._agrees and len(self._cluster.alive()) == self._nodes:
            self._agrees = True
            _say(kind="agree")

    def tell(self) -> None:
        """Writes down what was noted."""
        _say(kind="crossings", **self._seconds)
        self._seconds = {"packet": [], "node": []}


def _on_asyncio(settings: dict[str, Any], isolation: Literal["thread", "process"]) -> None:
    import asyncio

    import swim
    import swim.asyncio
    from swim.net.isolated.loop import Loop

    async def change(cluster: Any) -> None:
        for number in range(_CHANGES):
            cluster.do(swim.SetTags({"round": str(number)}))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def run() -> None:
        loop, tasks = asyncio.get_running_loop(), set()
        opening = swim.asyncio.open_cluster(_config(settings), isolation=isolation, leave_timeout=0)
        async with opening as cluster:
            _say(kind="up")
            crossings = _Crossings(cluster, settings["nodes"], Loop if isolation == "thread" else None)
            loop.add_signal_handler(signal.SIGUSR1, lambda: tasks.add(loop.create_task(change(cluster))))
            loop.add_signal_handler(signal.SIGUSR2, crossings.tell)
            events = cluster.events(kinds=swim.MemberEvent)
            crossings.look()
            async for event in events:
                crossings.note(event)

    asyncio.run(run())


def _on_trio(settings: dict[str, Any]) -> None:
    import trio

    import swim
    from swim.net.driver import Driver

    async def change(cluster: Any) -> None:
        for number in range(_CHANGES):
            cluster.do(swim.SetTags({"round": str(number)}))
            await trio.sleep(_PAUSE_SECONDS)

    async def obey(cluster: Any, crossings: _Crossings, nursery: trio.Nursery) -> None:
        with trio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
            async for number in signals:
                if number == signal.SIGUSR2:
                    crossings.tell()
                else:
                    nursery.start_soon(change, cluster)

    async def run() -> None:
        async with swim.open_cluster(_config(settings), leave_timeout=0) as cluster:
            _say(kind="up")
            crossings = _Crossings(cluster, settings["nodes"], Driver)
            events = cluster.events(kinds=swim.MemberEvent)
            crossings.look()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(obey, cluster, crossings, nursery)
                async for event in events:
                    crossings.note(event)

    trio.run(run)


def _kinship(settings: dict[str, Any]) -> None:
    import asyncio

    kinship = import_module("kinship")  # a package of others, which may not be installed

    config = getattr(kinship.Config, settings["profile"])(
        name=settings["name"], bind=settings["bind"], seeds=settings["seeds"], keys=[_KEY]
    )

    async def run() -> None:
        async with kinship.Cluster(config) as cluster:
            _say(kind="up")
            events = cluster.events()
            while len(cluster.members()) < settings["nodes"]:
                await anext(events)
            _say(kind="agree")
            async for _ in events:
                pass

    asyncio.run(run())


def _bare(settings: dict[str, Any]) -> None:
    """No membership: the packets of an idle node, encrypted, without a protocol."""
    import asyncio
    import os
    import socket

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(_KEY)
    addresses = [(host, int(port)) for host, port in (peer.split(":") for peer in settings["peers"])]
    others = itertools.cycle(addresses)
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    host, port = settings["bind"].split(":")
    packets.bind((host, int(port)))

    def send(size: int, to: Any) -> None:
        nonce = os.urandom(12)
        packets.sendto(nonce + cipher.encrypt(nonce, bytes(size), b""), to)

    def receive() -> None:
        data, source = packets.recvfrom(65_536)
        if len(cipher.decrypt(data[:12], data[12:], b"")) == _PING_BYTES:
            send(_ACK_BYTES, source)

    async def run() -> None:
        asyncio.get_running_loop().add_reader(packets, receive)
        _say(kind="up")
        _say(kind="agree")
        while True:
            send(_PING_BYTES, next(others))
            await asyncio.sleep(1.0)

    asyncio.run(run())


if __name__ == "__main__":
    main()
