"""The document and its page, as they are served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, Response

from agent_api.agent import Call
from agent_api.endpoint import Action, route
from agent_api.openapi.document import document
from agent_api.openapi.page import page

__all__ = ["OPENAPI_ROUTES", "page_of"]

_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


async def _document(call: Call) -> Response:
    return call.json(document(call.request.app.routes))


async def _page(call: Call) -> Response:
    return page_of(document(call.request.app.routes))


def page_of(shown: Mapping[str, Any]) -> Response:
    """The answer that shows a document to people."""
    return HTMLResponse(page(shown), headers={"Content-Security-Policy": _POLICY})


OPENAPI_ROUTES = (
    route("openapi", "/v1/openapi.json", get=Action("none", _document)),
    route("docs", "/docs", get=Action("none", _page)),
)
"""They show nothing of the cluster, so they need no token."""
