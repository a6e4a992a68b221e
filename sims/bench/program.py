"""A program with membership in it, as ``soak`` starts it: ``ISOLATION SETTINGS``, the latter as JSON.

It writes each event as a line of JSON. Its control port takes lines: ``join ADDRESS``, and ``leave``, after
which it ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Literal

import swim
import swim.asyncio

__all__ = ["main"]


async def main(isolation: Literal["thread", "process"], settings: dict[str, Any]) -> None:
    """Runs until it is asked to leave."""
    config = getattr(swim.Config, settings["profile"])(name=settings["name"], bind=settings["bind"])
    async with swim.asyncio.open_cluster(config, isolation=isolation) as cluster:
        leaving, requests = asyncio.Event(), set[asyncio.Task[Any]]()

        async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Carries out one line; anything else is ignored, as the port is sent malformed requests too."""
            line = (await reader.readline()).decode(errors="replace").split()
            writer.close()
            if line[:1] == ["join"]:
                task = asyncio.create_task(cluster.join(line[1:]))
                requests.add(task)
                task.add_done_callback(requests.discard)
            elif line == ["leave"]:
                leaving.set()

        events = cluster.events(kinds=swim.MemberEvent)
        reading = asyncio.create_task(_report(events))
        async with await asyncio.start_server(obey, "127.0.0.1", settings["control_port"]):
            await leaving.wait()
        reading.cancel()


async def _report(events: swim.asyncio.Subscription) -> None:
    async for event in events:
        if isinstance(event, swim.MemberEvent):
            print(json.dumps({"event": type(event).__name__, "member": event.member.name}), flush=True)


if __name__ == "__main__":
    asyncio.run(main("process" if sys.argv[1] == "process" else "thread", json.loads(sys.argv[2])))
