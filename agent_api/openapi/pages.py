"""What the document and its page answer."""

from __future__ import annotations

from agent_api.openapi.operation import Operation
from agent_api.openapi.schemas import STRING

__all__ = ["PAGE_OPERATIONS"]

PAGE_OPERATIONS = {
    "GET /v1/openapi.json": Operation(
        summary="This document",
        answer={
            "type": "object",
            "properties": {"openapi": {"const": "3.1.0"}},
            "required": ["openapi", "info", "paths", "components"],
        },
    ),
    "GET /docs": Operation(
        summary="This document for people", answer=STRING, media="text/html; charset=utf-8"
    ),
}
