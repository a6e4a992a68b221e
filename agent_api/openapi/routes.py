"""The document and its page, as they are served."""

from __future__ import annotations

from starlette.responses import Response

from agent_api.agent import Call
from agent_api.endpoint import Action, route
from agent_api.openapi.document import document

__all__ = ["OPENAPI_ROUTES"]


async def _document(call: Call) -> Response:
    return call.json(document(call.request.app.routes))


OPENAPI_ROUTES = (route("openapi", "/v1/openapi.json", get=Action("none", _document)),)
"""They show nothing of the cluster, so they need no token."""
