"""One agent's state behind the HTTP API, and one request to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from agent_api.cluster import ClusterLike
from agent_api.errors import INVALID_METHOD, HttpError
from agent_api.parameters import Query
from agent_api.servers import Servers
from agent_api.settings import AgentSettings
from agent_api.shapes import dumps, in_portions

__all__ = ["Agent", "Call", "nothing"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Agent:
    """The state that handlers share.

    Attributes:
        on_leave: called once a leave requested over HTTP is done and answered.
    """

    cluster: ClusterLike
    settings: AgentSettings
    servers: Servers
    on_leave: Callable[[], None]

    def require_server_role(self) -> None:
        """Raises ``HttpError`` 501 if gossip control is off."""
        if not self.settings.server_enabled:
            raise HttpError(501, INVALID_METHOD)

    def require_client_role(self) -> None:
        """Raises ``HttpError`` 501 if the server list is off."""
        if not self.settings.client_enabled:
            raise HttpError(501, INVALID_METHOD)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the agent it goes to, and its parameters."""

    agent: Agent
    query: Query
    request: Request

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

    @property
    def http_endpoint(self) -> tuple[str, int] | None:
        """IP and port that received this request; None if the ASGI server doesn't report it."""
        server: Any = self.request.scope.get("server")
        return (server[0], server[1]) if server and server[1] else None


def nothing() -> Response:
    """Success without content: 200 and an empty body, since Nomad's clients refuse 204."""
    return Response()
