"""The OpenAPI document as a page for people: plain HTML, made once, without a script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

__all__ = ["page"]

Json = Mapping[str, Any]

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>swim agent: HTTP API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="ui/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="ui/app.css">
<link rel="stylesheet" href="ui/docs.css">
</head>
<body class="docs">
<a class="skip" href="#main">To the text</a>
"""


def page(document: Json) -> str:
    """The page of a document that ``document`` made; what it refers to is part of it."""
    groups = {
        tag["name"]: (tag["description"], list(_operations(document, tag["name"])))
        for tag in document["tags"]
    }
    schemas = document["components"]["schemas"]
    return "".join(
        [
            _HEAD,
            f'<nav id="contents" aria-label="Contents">{_contents(groups)}</nav>',
            '<main id="main" tabindex="-1">',
            f"<header><h1>{escape(document['info']['title'])}: HTTP API</h1>",
            f'<p class="faint">Version {escape(document["info"]["version"])} · '
            '<a href="v1/openapi.json?pretty">OpenAPI 3.1 document</a> · <a href="ui/">the cluster</a>'
            '<span class="narrow"> · <a href="#contents">contents</a></span></p>',
            *(f"<p>{_text(part)}</p>" for part in document["info"]["description"].strip().split("\n\n")),
            "</header>",
            *(_group(name, about, operations) for name, (about, operations) in groups.items()),
            '<section><h2 id="schemas">Schemas</h2>',
            *(_schema(name, schema) for name, schema in schemas.items()),
            "</section></main></body></html>\n",
        ]
    )


def _operations(document: Json, tag: str) -> Iterator[tuple[list[str], str, Json]]:
    """Methods, path and description; a POST that does what the PUT does stands beside it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "post" and tag in operation["tags"]:
                yield (["put", "post"] if method == "put" else [method]), path, operation


def _contents(groups: Mapping[str, tuple[str, list[tuple[list[str], str, Json]]]]) -> str:
    parts = []
    for name, (_, operations) in groups.items():
        rows = "".join(
            f'<li><a href="#{operation["operationId"]}">{_badge(methods[0])} {_path(path)}</a></li>'
            for methods, path, operation in operations
        )
        parts.append(f'<h2><a href="#{_anchor(name)}">{escape(name)}</a></h2><ul>{rows}</ul>')
    return "".join(parts) + '<h2><a href="#schemas">Schemas</a></h2>'


def _group(name: str, about: str, operations: Iterable[tuple[list[str], str, Json]]) -> str:
    cards = "".join(_card(*each) for each in operations)
    head = f'<h2 id="{_anchor(name)}">{escape(name)}</h2><p class="faint">{_text(about)}</p>'
    return f"<section>{head}{cards}</section>"


def _card(methods: list[str], path: str, operation: Json) -> str:
    capability = next((names[0] for each in operation["security"] for names in each.values() if names), "")
    needs = (
        f'<span class="needs">{capability}</span>'
        if capability
        else '<span class="needs open">no token</span>'
    )
    badges = " ".join(map(_badge, methods))
    return "".join(
        [
            f'<article class="operation" id="{operation["operationId"]}">',
            f'<h3><a href="#{operation["operationId"]}">{badges} {_path(path)}</a> {needs}</h3>',
            f'<p class="lead">{_text(operation["summary"])}.</p>',
            f"<p>{_text(operation['description'])}</p>" if "description" in operation else "",
            f"<pre>{_curl(methods[0], path, operation, needs_token=bool(capability))}</pre>",
            _parameters(operation.get("parameters", [])),
            _body(operation.get("requestBody")),
            _answers(operation["responses"]),
            "</article>",
        ]
    )


def _curl(method: str, path: str, operation: Json, *, needs_token: bool) -> str:
    needed = [
        each["name"] for each in operation.get("parameters", []) if each["required"] and each["in"] == "query"
    ]
    query = "?" + "&".join(f"{name}={name.upper()}" for name in needed) if needed else ""
    words = ["curl"]
    if method != "get":
        words.append("-X PUT")
    if needs_token:
        words.append('-H "X-Nomad-Token: $SWIM_TOKEN"')
    if body := operation.get("requestBody"):
        is_json = "application/json" in body["content"]
        words.append('-d \'{"Key": "BASE64"}\'' if is_json else "--data-binary @FILE")
    if any(
        "x-itemSchema" in content
        for content in operation["responses"].get("200", {}).get("content", {}).values()
    ):
        words.append("-N")
    return escape(" ".join([*words, f'"$SWIM_ADDRESS{path}{query}"']), quote=False)


def _parameters(parameters: Iterable[Json]) -> str:
    rows = [
        (
            f"<code>{escape(each['name'])}</code>"
            + ('<span class="must">required</span>' if each["required"] else ""),
            _type(each["schema"]),
            _text(each["description"]),
        )
        for each in parameters
    ]
    return _rows("Parameters", rows)


def _body(body: Json | None) -> str:
    if body is None:
        return ""
    rows = [
        (f"<code>{media}</code>", _type(each["schema"]), _text(body["description"]))
        for media, each in body["content"].items()
    ]
    return _rows("Body", rows)


def _answers(responses: Json) -> str:
    rows = []
    for status, response in responses.items():
        kinds = []
        for media, content in response.get("content", {}).items():
            schema = content.get("schema") or content.get("x-itemSchema") or {}
            is_text = media.startswith("text/")
            kinds.append(
                f"<span class='kind'>{escape(media.partition(';')[0])}</span>" if is_text else _type(schema)
            )
            if is_text and "description" in schema:
                kinds[-1] += f" {_text(schema['description'])}"
        tone = "good" if status == "200" else "bad"
        rows.append(
            (
                f'<code class="{tone}">{status}</code>',
                "<br>".join(kinds) or "empty",
                _text(response["description"]),
            )
        )
    return _rows("Answers", rows)


def _rows(title: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(f"<tr><th scope='row'>{a}</th><td>{b}</td><td>{c}</td></tr>" for a, b, c in rows)
    return f"<table><caption>{title}</caption><tbody>{lines}</tbody></table>"


def _schema(name: str, schema: Json) -> str:
    """One schema: the keys of an object, or the kinds that it may be."""
    kinds = schema.get("anyOf", [schema])
    parts = []
    for kind in kinds:
        if "properties" in kind:
            required = kind.get("required", [])
            rows = [
                (
                    f"<code>{escape(key)}</code>"
                    + ("" if key in required else '<span class="may">may be absent</span>'),
                    _type(value),
                    _text(value.get("description", "")),
                )
                for key, value in kind["properties"].items()
            ]
            parts.append(_rows("", rows).replace("<caption></caption>", ""))
        else:
            parts.append(f"<p>{_type(kind)}</p>")
    joined = '<p class="or">or</p>'.join(parts)
    about = (
        f"<p>{_text(schema['description'])}</p>"
        if "description" in schema and "properties" not in schema
        else ""
    )
    head = f'<h3><a href="#schema-{name}">{name}</a></h3>'
    return f'<article class="schema" id="schema-{name}">{head}{about}{joined}</article>'


def _type(schema: Json) -> str:
    """A schema in a few words, with links to those that have names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        is_boolean = "TRUE" in schema["enum"]
        return "boolean" if is_boolean else " ".join(_literal(each) for each in schema["enum"] if each != "")
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object":
        return _object(schema)
    if isinstance(kind, list):
        return " or ".join(kind)
    return _scalar(str(kind), schema)


def _literal(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"<code>{escape(text)}</code>"


def _object(schema: Json) -> str:
    if "properties" in schema:
        return (
            "{ "
            + ", ".join(
                f"<code>{escape(key)}</code>: {_type(value)}" for key, value in schema["properties"].items()
            )
            + " }"
        )
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        return f"map of {_type(values)}"
    return "empty object" if schema.get("maxProperties") == 0 else "object"


def _scalar(kind: str, schema: Json) -> str:
    if schema.get("contentEncoding"):
        return f"{schema['contentEncoding']} text"
    if schema.get("format") == "date-time":
        return "time (ISO 8601)"
    if schema.get("format") == "binary":
        return "bytes"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 10**6:
        return f"{kind}, {low} to {high}"
    return {"string": "text"}.get(kind, kind)


def _badge(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _path(path: str) -> str:
    """With places at which a narrow window may break it."""
    parts = (f"<i>{part}</i>" if part.startswith("{") else part for part in escape(path).split("/"))
    return "<code>" + "/<wbr>".join(parts) + "</code>"


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower())


def _text(text: str) -> str:
    """Plain text with ``code`` in backquotes."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
