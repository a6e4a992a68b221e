"""One agent's state behind the HTTP API, and one request to it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from agent_api.access.control import Grant
from agent_api.cluster import ClusterLike
from agent_api.errors import HttpError
from agent_api.kept import KeptBodies
from agent_api.own.history import MetricsHistory
from agent_api.own.shapes import Observer
from agent_api.own.views import Views
from agent_api.parameters import Query
from agent_api.request_id import of_scope
from agent_api.servers import Servers
from agent_api.settings import AgentSettings
from agent_api.shapes import dumps, in_portions
from agent_api.streams.places import Places
from agent_api.telemetry.intervals import Intervals
from swim.text import shown

__all__ = ["Agent", "Call", "nothing"]

T = TypeVar("T")

_log = logging.getLogger("swim.http")


@dataclass(frozen=True, slots=True)
class Agent:
    """The state that handlers share.

    Attributes:
        on_leave: called once a leave requested over HTTP is done and answered.
        on_reload: reads the agent's settings again; None if there are none to read.
        places: of open streams.
        readiness: how far the agent has come: ``listening``, ``joined`` or ``converged``.
    """

    cluster: ClusterLike
    settings: AgentSettings
    servers: Servers
    on_leave: Callable[[], None]
    readiness: Callable[[], str]
    on_reload: Callable[[], Awaitable[None]] | None
    intervals: Intervals
    places: Places
    observer: Observer
    views: Views
    history: MetricsHistory
    kept: KeptBodies

    def is_leader(self) -> bool:
        """Whether this node is the advisory leader of its region."""
        try:
            found = self.servers.leader(self.settings.region)
        except HttpError:
            return False
        return found is not None and found.name == self.cluster.local.name


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the agent it goes to, its parameters, and what its token grants."""

    agent: Agent
    query: Query
    request: Request
    grant: Grant

    @property
    def holder(self) -> str:
        """Whose limits count for this request: its token's, or without one its client address's."""
        token, client = self.grant.token, self.request.client
        return f"token {token.accessor}" if token else f"address {client.host if client else ''}"

    def require(self, capability: str) -> None:
        """Counts and logs a denial, without the secret.

        Raises:
            HttpError: 403, if the capability is not granted.
        """
        if not self.grant.may(capability):
            self.agent.cluster.metrics.dropped("http-denied")
            method, path, client = self.request.method, self.request.scope["path"], self.request.client
            _log.info(
                "denied %s %s to %s at %s: it needs %s, request %s",
                method,
                shown(path),
                self.grant.bearer,
                client.host if client else "?",
                capability,
                of_scope(self.request.scope),
            )
            raise self.grant.refusal()

    def json(self, value: object, *, status: int = 200) -> Response:
        """``value`` as JSON, indented if the client asked for it."""
        pretty = self.query.pretty and status == 200
        return Response(dumps(value, pretty=pretty), status, media_type="application/json")

    async def json_list(
        self, document: dict[str, Any], key: str, values: Sequence[T], shape: Callable[[T], object]
    ) -> Response:
        """``document`` and a list as its last ``key``, made in portions: pings are answered in between."""
        body = await in_portions(document, key, values, shape, pretty=self.query.pretty)
        return Response(body, media_type="application/json")

    async def json_of(self, view: object, make: Callable[[], Awaitable[bytes]]) -> Response:
        """What ``make`` makes of an immutable view, once for all requests of this path with the same view."""
        name = self.request.scope["path"], self.query.pretty
        return Response(await self.agent.kept.of(name, view, make), media_type="application/json")

    async def body(self, at_most: int, refusal: str) -> bytes:
        """The body of the request; one that is too long is refused before all of it is read.

        Raises:
            HttpError: 413 with the text ``refusal``.
        """
        parts = bytearray()
        async with aclosing(self.request.stream()) as stream:
            async for part in stream:
                parts += part
                if len(parts) > at_most:
                    raise HttpError(413, refusal)
        return bytes(parts)

    @property
    def http_endpoint(self) -> tuple[str, int] | None:
        """IP and port that received this request; None if the ASGI server doesn't report it."""
        server: Any = self.request.scope.get("server")
        return (server[0], server[1]) if server and server[1] else None


def nothing() -> Response:
    """Success without content: 200 and an empty body, since Nomad's clients refuse 204."""
    return Response()
