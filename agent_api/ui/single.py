"""The page and a trace in one HTML file, which needs no server and sends no request: ``sim draw --player``.

The modules become one script, each a function that returns what it exports. A policy inside the file allows
this script and this style by their hashes, and nothing else: no request leaves the page.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from base64 import b64encode
from html import escape
from string import Template

from agent_api.ui.files import static_files
from agent_api.ui.modules import DYNAMIC, IMPORT, resolved

__all__ = ["bundle", "player_document"]

_ENTRY = "app.js"
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) )", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
_EXPORT_LIST = re.compile(r"(?:^|(?<=[;}]))export\s*\{([^}]*)\};?", re.MULTILINE)
_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
_STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">\n?')
_SCRIPT = f'<script type="module" src="{_ENTRY}"></script>'
_OTHER_SHEETS = ("docs.css",)
"""Of other pages."""
_LINKS = re.compile(r'<link rel="(?:icon|modulepreload)"[^>]*>\n?')
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'sha256-{script}'",
        "style-src 'sha256-{style}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)


def player_document(trace: bytes, name: str) -> str:
    """The player with one trace in it, as HTML.

    Args:
        trace: the file's bytes.
        name: of the file, as the page shows it.
    """
    script = bundle(_ENTRY)
    index = Template(_text("index.html")).substitute(mode="replay", preload="", table="")
    first = _STYLE.findall(index)
    later = [
        name for name in static_files() if name.endswith(".css") and name not in (*first, *_OTHER_SHEETS)
    ]
    style = "".join(_text(path) for path in (*first, *later))
    policy = _POLICY.format(script=_digest(script), style=_digest(style))
    index = _LINKS.sub("", _STYLE.sub("", index))
    head, found, tail = index.partition(_SCRIPT)
    if not found:
        raise ValueError("index.html does not load its script as expected")
    head = head.replace(
        '<meta charset="utf-8">',
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">',
    )
    data = _data("trace", trace, name) + _data("tour", static_files()["replay/tour.jsonl"].body, "tour.jsonl")
    data += f'<script type="application/json" id="tables">{_text("explain/tables.json")}</script>\n'
    inside = f'<style data-all>{style}</style>\n<script type="module">{script}</script>'
    return f"{head}{inside}{tail.replace('</body>', f'{data}</body>')}"


def bundle(entry: str) -> str:
    """A module of the page and all that it imports, as one script that behaves the same.

    Raises:
        ValueError: modules import each other in a circle.
    """
    order: list[str] = []
    _collect(entry, order, ())
    numbers = {path: number for number, path in enumerate(order)}
    text = "\n".join(_as_function(path, numbers) for path in order)
    # Neither may stand inside a script element; both mean the same in a string or a pattern.
    return text.replace("</script", "<\\/script").replace("<!--", "\\x3c!--")


def _collect(path: str, order: list[str], waiting: tuple[str, ...]) -> None:
    if path in waiting:
        raise ValueError(f"modules import each other: {' -> '.join([*waiting, path])}")
    if path not in order:
        text = _text(path)
        for found in [*IMPORT.finditer(text), *DYNAMIC.finditer(text)]:
            _collect(resolved(path, found["path"]), order, (*waiting, path))
        order.append(path)


def _as_function(path: str, numbers: dict[str, int]) -> str:
    source = _MAP.sub("", _text(path))
    exports = {name: name for name in _EXPORTED.findall(source)}
    for names in _EXPORT_LIST.findall(source):
        exports |= {public: own for own, public in _pairs(names)}

    def imported(found: re.Match[str]) -> str:
        module = f"module{numbers[resolved(path, found['path'])]}"
        if found["all"]:
            return f"const {found['all']} = {module};"
        return (
            f"const {{{', '.join(f'{theirs}: {own}' for theirs, own in _pairs(found['names']))}}} = {module};"
        )

    def loaded(found: re.Match[str]) -> str:
        return f"Promise.resolve(module{numbers[resolved(path, found['path'])]})"

    linked = DYNAMIC.sub(loaded, IMPORT.sub(imported, source))
    body = _EXPORT_LIST.sub("", _EXPORT.sub("", linked))
    given = ", ".join(f"{public}: {own}" for public, own in exports.items())
    return f"const module{numbers[path]} = (() => {{\n{body}\nreturn {{{given}}};\n}})();"


def _pairs(names: str) -> list[tuple[str, str]]:
    """``a, b as c`` as pairs of both names."""
    parts = [part.split(" as ") for part in names.split(",") if part.strip()]
    return [(part[0].strip(), part[-1].strip()) for part in parts]


def _text(path: str) -> str:
    return static_files()[path].body.decode()


def _digest(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(id: str, body: bytes, name: str) -> str:
    packed = b64encode(gzip.compress(body, mtime=0)).decode()
    return f'<script type="application/gzip" id="{id}" data-name="{escape(name)}">{packed}</script>\n'
