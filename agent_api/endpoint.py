"""One path as an ASGI application: its methods, and the capability that each requires.

Every request is checked in Nomad's order: the method, what the path checks before it looks at the token (the
role, and some parameters), the capability that the token must grant, the other parameters; then the handler
acts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent_api.agent import Agent, Call
from agent_api.errors import INVALID_METHOD, HttpError, error_response
from agent_api.parameters import Query
from agent_api.request_id import of_scope

__all__ = [
    "Action",
    "Capability",
    "Endpoint",
    "has_client_role",
    "has_common_parameters",
    "has_server_role",
    "route",
]

Handler = Callable[[Call], Awaitable[Response]]
Check = Callable[[Call], None]
Capability = Literal["none", "agent:read", "agent:write", "node:read", "management"]
"""What a token must grant, as Nomad names it; a write capability includes its read capability."""


class Action(NamedTuple):
    """The handler of one method of a path.

    Attributes:
        capability: what it requires.
        handler: makes the answer.
        before: what is checked before the capability.
        is_stream: the answer may go on for long, and a client may have so many at once.
    """

    capability: Capability
    handler: Handler
    before: tuple[Check, ...] = ()
    is_stream: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path as an ASGI application: at most a reader and a writer; PUT and POST are the same.

    Attributes:
        get: the reader.
        put: the writer.
        is_own: whether it is one of ours, and not of Nomad's.
    """

    get: Action | None = None
    put: Action | None = None
    is_own: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; an exception of a handler becomes an answer too."""
        request = Request(scope, receive, send)
        with ExitStack() as held:
            try:
                response = await self._answer(request, held)
            except Exception as error:
                response = error_response(error, is_own=self.is_own, request_id=of_scope(scope))
            await response(scope, receive, send)

    async def _answer(self, request: Request, held: ExitStack) -> Response:
        """The answer; what it needs until it was sent is in ``held``."""
        action = {"GET": self.get, "PUT": self.put, "POST": self.put}.get(request.method)
        if action is None:
            allowed = [*(["GET"] if self.get else []), *(["PUT", "POST"] if self.put else [])]
            return PlainTextResponse(INVALID_METHOD, 405, headers={"Allow": ", ".join(allowed)})
        agent: Agent = request.app.state.agent
        grant = agent.settings.access.grant(request.scope["headers"])
        call = Call(agent, Query(request.scope["query_string"]), request, grant)
        for check in action.before:
            check(call)
        call.require(action.capability)
        if action.is_stream:
            held.enter_context(agent.places.one(call.holder))
        return await action.handler(call)


def route(name: str, path: str, *, get: Action | None = None, put: Action | None = None) -> Route:
    """The route ``name`` to the handlers of one path."""
    return Route(path, Endpoint(get, put, path.startswith("/v1/swim/")), name=name)


def has_server_role(call: Call) -> None:
    """A check: ``HttpError`` 501 if gossip control is off."""
    if not call.agent.settings.server_enabled:
        raise HttpError(501, INVALID_METHOD)


def has_client_role(call: Call) -> None:
    """A check: ``HttpError`` 501 if the server list is off."""
    if not call.agent.settings.client_enabled:
        raise HttpError(501, INVALID_METHOD)


def has_common_parameters(call: Call) -> None:
    """A check: ``HttpError`` 400 for the first parameter of Nomad's reads that is wrong."""
    call.query.check_common()
