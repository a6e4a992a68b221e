"""The OpenAPI 3.1 document: the table of routes with the descriptions of ``nomad`` and ``own``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from agent_api.endpoint import Action, Endpoint, has_client_role, has_common_parameters, has_server_role
from agent_api.openapi.nomad import COMMON, NOMADS_OPERATIONS
from agent_api.openapi.observed import OBSERVED_SCHEMAS
from agent_api.openapi.operation import JSON, TEXT, Operation, Parameter, Schema
from agent_api.openapi.own import OWN_OPERATIONS
from agent_api.openapi.pages import PAGE_OPERATIONS
from agent_api.openapi.schemas import SCHEMAS
from swim import __version__

__all__ = ["OPERATIONS", "assembled", "described", "document"]

OPERATIONS = NOMADS_OPERATIONS | OWN_OPERATIONS | PAGE_OPERATIONS
"""The description of each method and path."""

_ABOUT = """\
Nomad's agent API over a gossip cluster, and under `/v1/swim` our own. PUT and POST mean the same.

Names of parameters are case-sensitive, and of one that may not be repeated the first value counts. Booleans \
are Go's: `1 t T true TRUE True 0 f F false FALSE False`; blank is false. `pretty` indents the JSON of any \
success. An error is one line of plain text. A path that is not listed gets a 404 without a body, another \
method a 405, and a request beyond the server's limits a 408, 413, 429, 431 or 503.

Tokens count only if the agent has access control (`--acl-file`). Without, everything is allowed.
"""
_SCHEMES = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Nomad-Token",
        "description": "The secret of a token. If given, it wins over a bearer.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same secret."},
}
_TAGS = {
    "/v1/swim": ("swim", "Our own."),
    "/v1/agent": ("Nomad's agent", "As Nomad serves them; its clients work unchanged."),
    "/v1": ("Nomad's others", "What Nomad's clients need beside the agent."),
    "": ("Pages", "For people."),
}
"""The group of a path, by its longest prefix here."""
_NO_ROLE = {
    has_server_role: "The server role is off.",
    has_client_role: "The client role is off.",
}
_DENIED = "Permission denied, or ACL token expired; or a page of another site sent the request."


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The document of these routes."""
    paths = {
        route.path_format: dict(_operations(route, route.endpoint))
        for route in routes
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint)
    }
    used = {_tag(path) for path in paths}
    tags = {name: about for name, about in _TAGS.values() if name in used}
    found = assembled("swim agent", _ABOUT, tags, paths, SCHEMAS | OBSERVED_SCHEMAS)
    found["components"]["securitySchemes"] = _SCHEMES
    return found


def assembled(
    title: str, about: str, tags: Mapping[str, str], paths: Mapping[str, Any], schemas: Mapping[str, Schema]
) -> dict[str, Any]:
    """A whole document of paths that are described already.

    Args:
        title: of what is served.
        about: paragraphs.
        tags: the groups of paths, and a sentence about each.
        paths: an operation for each path and method.
        schemas: what operations refer to.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__, "description": about},
        "tags": [{"name": name, "description": sentence} for name, sentence in tags.items()],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operations(route: Route, endpoint: Endpoint) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations of one path by method; PUT and POST differ in nothing but their identifier."""
    for method, action in (("get", endpoint.get), ("put", endpoint.put), ("post", endpoint.put)):
        if action is not None:
            about = OPERATIONS["{} {}".format("GET" if method == "get" else "PUT", route.path_format)]
            yield (
                method,
                {"operationId": f"{method}-{route.name}"} | _operation(route.path_format, action, about),
            )


def _operation(path: str, action: Action, about: Operation) -> dict[str, Any]:
    common = COMMON if has_common_parameters in action.before else ()
    found = described(path, about, tag=_tag(path), errors=_errors(action, about), also=common)
    is_open = action.capability == "none"
    needed = [] if is_open else [action.capability]
    found["security"] = [*([{}] if is_open else []), {"token": needed}, {"bearer": needed}]
    return found


def described(
    path: str, about: Operation, *, tag: str, errors: Mapping[int, str], also: Iterable[Parameter] = ()
) -> dict[str, Any]:
    """One operation of a document, for any client.

    Args:
        path: with the names of its parameters in braces.
        about: its description.
        tag: its group.
        errors: what each status but 200 means.
        also: parameters beside its own.
    """
    found: dict[str, Any] = {"tags": [tag], "summary": about.summary}
    if about.about:
        found["description"] = about.about
    in_path = re.findall(r"{(\w+)", path)
    if parameters := [_parameter(each, in_path) for each in (*about.parameters, *also)]:
        found["parameters"] = parameters
    if about.body:
        found["requestBody"] = {
            "description": about.body.about,
            "required": about.body.required,
            "content": {about.body.media: {"schema": about.body.schema}},
        }
    found["responses"] = _responses(about, errors)
    found["security"] = [{}]
    return found


def _parameter(parameter: Parameter, in_path: list[str]) -> dict[str, Any]:
    is_in_path = parameter.name in in_path
    return {
        "name": parameter.name,
        "in": "path" if is_in_path else "query",
        "description": parameter.about,
        "required": is_in_path or parameter.required,
        "schema": parameter.schema,
    }


def _errors(action: Action, about: Operation) -> dict[int, str]:
    errors = {403: _DENIED} | dict(about.errors)
    if has_common_parameters in action.before:
        errors.setdefault(400, "A parameter that is wrong; the first one counts.")
    for check, meaning in _NO_ROLE.items():
        if check in action.before:
            errors[501] = meaning
    return errors


def _responses(about: Operation, errors: Mapping[int, str]) -> dict[str, Any]:
    found = {} if about.never else {"200": _success(about)}
    for status, meaning in sorted(errors.items()):
        json_answer = about.json_errors.get(status)
        content = {JSON: {"schema": json_answer}} if json_answer else {TEXT: {"schema": {"type": "string"}}}
        found[str(status)] = {"description": meaning, "content": content}
    return found


def _success(about: Operation) -> dict[str, Any]:
    if about.answer is None:
        return {"description": "Done; the body is empty."}
    content: dict[str, Any] = {about.media: {"schema": about.answer}}
    if about.is_stream:  # OpenAPI 3.1 has no word for it; in 3.2 it is ``itemSchema``
        content = {about.media: {"x-itemSchema": about.answer}}
    if about.text:
        content[TEXT] = {"schema": {"type": "string", "description": about.text}}
    kind = "One JSON value a line, until either side ends it." if about.is_stream else "The answer."
    return {"description": kind, "content": content}


def _tag(path: str) -> str:
    return next(tag for prefix, (tag, _) in _TAGS.items() if path.startswith(prefix))
