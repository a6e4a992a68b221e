"""The lifespan of an ASGI application: its start-up before the first request, its shutdown after the last."""

from __future__ import annotations

import logging
from typing import Any

import trio
from starlette.types import ASGIApp, Message

__all__ = ["Lifespan"]

_log = logging.getLogger("swim.http.server")


class Lifespan:
    """One run of an application. An application without a lifespan is served without it.

    Attributes:
        failure: why the application reports that it cannot start; None if it can.
        state: the application's state for ``scope["state"]`` of every request.
    """

    __slots__ = ("_app", "_is_started", "_ready", "_stop", "failure", "state")

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self.failure: str | None = None
        self._is_started = False
        self._ready = trio.Event()
        self._stop = trio.Event()

    async def start(self, nursery: trio.Nursery) -> None:
        """Runs the application's start-up, and keeps its lifespan in ``nursery``."""
        nursery.start_soon(self._run)
        await self._ready.wait()

    def stop(self) -> None:
        """Makes the application shut down; the nursery ends once it has."""
        self._stop.set()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            kind = next(messages, None)
            if kind != "lifespan.startup":
                await self._stop.wait()
            if kind is None:
                await trio.sleep_forever()
            return {"type": kind}

        async def send(message: Message) -> None:
            kind = message["type"]
            if kind == "lifespan.startup.failed":
                self.failure = message.get("message") or "no reason given"
            elif kind == "lifespan.shutdown.failed":
                _log.error("the application did not shut down: %s", message.get("message", ""))
            self._is_started = self._is_started or kind == "lifespan.startup.complete"
            self._ready.set()

        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if self._is_started:
                _log.error("the application's lifespan ended: %s", type(error).__name__, exc_info=error)
        finally:
            self._ready.set()
