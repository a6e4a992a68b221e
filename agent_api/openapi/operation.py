"""How a route is described: what the table of routes itself does not say, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["JSON", "TEXT", "Body", "Operation", "Parameter", "Schema"]

Schema = Mapping[str, Any]
"""A JSON schema, as OpenAPI 3.1 has it."""
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: of the path if the route has its name in braces, else of the query string.

    Attributes:
        about: one sentence.
        schema: of its value; an array if it may be repeated.
    """

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request."""

    about: str
    schema: Schema
    media: str = JSON
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of a path.

    The rest is made from the table of routes: the capability and its 403, the parameters that all of Nomad's
    reads have, and the 501 of a role that is off.

    Attributes:
        summary: a few words.
        about: whole sentences.
        parameters: in the order in which they are shown.
        body: of the request.
        answer: what a 200 carries; None for an empty body. If ``is_stream``, one of its lines.
        media: of a 200.
        text: what a 200 carries as plain text if the client asks for that; "" if it cannot.
        is_stream: the body goes on, one JSON value a line.
        never: there is no 200.
        errors: what each other status means. Their bodies are plain text.
        json_errors: those whose bodies are not.
    """

    summary: str
    about: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answer: Schema | None = None
    media: str = JSON
    text: str = ""
    is_stream: bool = False
    never: bool = False
    errors: Mapping[int, str] = field(default_factory=dict)
    json_errors: Mapping[int, Schema] = field(default_factory=dict)
