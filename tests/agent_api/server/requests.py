"""Random requests that are HTTP: every path, method, parameter, header and body, right and wrong."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from urllib.parse import quote

from agent_api.routes import ROUTES

__all__ = ["random_request"]

_METHODS = ("GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "PROPFIND", "X")
_PATHS = (*(route.path for route in ROUTES), "/ui", "/ui/", "/ui/app.js", "/", "/v1", "/v1/", "*")
_NAMES = (
    "address", "node", "name", "prune", "type", "region", "stale", "index", "topic", "log_level", "log_json",
    "plain", "timeout", "tag", "ack", "relay_factor", "finish_early", "set", "delete", "coalesce", "pretty",
    "format", "node_id", "server_id", "debug", "consistent", "wait", "limit", "token",
)  # fmt: skip
_ADDRESSES = ("127.0.0.1:1", "127.0.0.1", "[::1]:1", "::1", "127.0.0.1:99999", ":", "", "a b:1", "[",
              "127.0.0.1:x", "n/127.0.0.1:1", "//", "http://127.0.0.1:1", "127.0.0.1:1,[::1]:2")  # fmt: skip
"""None of them is looked up in the DNS."""
_VALUES = (
    "", "0", "1", "true", "false", "-1", "99999999999999999999", "1e400", "nan", "1s", "-1s", "9999h", "10ms",
    "n1", "n1.global", "global", "no-such", "server", "client", "both", "info", "debug", "x=y", "=", "x=",
    "role=[", "role=(a+)+$", "Member", "Member:n1", "*", "prometheus", "../../etc/passwd", "<script>",
    "a" * 5000, "\0", "\r\n", "ü", "\ud83d\ude00", "%", "${jndi:x}", "' OR 1=1", "0x10", "\u0661", "deploy",
)  # fmt: skip
_HEADERS = (
    ("Host", ("a", "127.0.0.1:4646", "evil.example", "", "[::1]", "a:b:c", "*", "localhost.")),
    ("X-Nomad-Token", ("", "secret", "x" * 3000, "\xff")),
    ("Authorization", ("Bearer x", "Basic YTpi", "Bearer", "bearer  a b")),
    ("Accept-Encoding", ("gzip", "gzip;q=0", "*;q=x", ",,,;", "br, gzip;q=0.5", "identity")),
    ("Accept", ("*/*", "text/html", "application/json;q=2", "\xff")),
    ("Content-Type", ("application/json", "text/plain", "multipart/form-data", "x/y; charset=z")),
    ("Origin", ("null", "http://evil.example", "http://a", "")),
    ("Sec-Fetch-Site", ("cross-site", "same-origin", "none", "x")),
    ("Range", ("bytes=0-1", "bytes=9-", "x")),
    ("If-None-Match", ("*", '"x"', "W/", ",")),
    ("If-Modified-Since", ("Thu, 01 Jan 1970 00:00:00 GMT", "x")),
    ("Expect", ("100-continue", "x")),
    ("Upgrade", ("websocket", "h2c")),
    ("Connection", ("close", "keep-alive", "Upgrade", "x, y")),
    ("X-Request-Id", ("a", "", "x" * 500, "a b")),
    ("Cookie", ("a=b", "x" * 4000)),
    ("X-Forwarded-For", ("127.0.0.1", "x")),
    ("Te", ("trailers",)),
)  # fmt: skip


def random_request(rng: random.Random, *, avoid: str = "\0") -> tuple[str, bytes]:
    """A method and a whole request whose framing is right; the path ``avoid`` is left out."""
    method = rng.choice(_METHODS) if rng.random() < 0.2 else rng.choice(("GET", "PUT", "POST"))
    target = _target(rng)
    while target.startswith(avoid):
        target = _target(rng)
    headers = [("Host", "127.0.0.1")] if rng.random() < 0.9 else []
    for name, values in rng.sample(_HEADERS, rng.choice((0, 0, 1, 2, 5))):
        headers = [pair for pair in headers if pair[0] != name] + [(name, rng.choice(values))]
    if rng.random() < 0.1:
        headers += [(f"X-{number}", "y" * rng.choice((1, 100))) for number in range(rng.choice((5, 120)))]
    body, framing = _body(rng)
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in [*headers, *framing])]
    return method, "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _target(rng: random.Random) -> str:
    path = rng.choice(_PATHS)
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + quote(rng.choice(_VALUES), errors="surrogatepass") + rest.partition("}")[2]
    change = rng.random()
    if change < 0.05:
        path += rng.choice(("/", "//", "/x", "%00", "%ff", "/..", "/../../etc/passwd", ";x", "%2f"))
    elif change < 0.1:
        path = "/" + quote(rng.randbytes(rng.randrange(40)))
    pairs = []
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        name = rng.choice(_NAMES)
        value = rng.choice(_ADDRESSES if name == "address" else _VALUES)
        pairs.append(f"{name}={quote(value, safe=rng.choice(('', '/:*=')), errors='surrogatepass')}")
    if rng.random() < 0.05:
        pairs.append(quote(rng.randbytes(9), safe="=&+"))
    return path + ("?" + "&".join(pairs) if pairs else "")


def _body(rng: random.Random) -> tuple[bytes, list[tuple[str, str]]]:
    kind = rng.random()
    if kind < 0.5:
        return b"", [("Content-Length", "0")] if kind < 0.25 else []
    key = b64encode(rng.randbytes(rng.choice((0, 15, 16, 24, 32, 33)))).decode()
    body = rng.choice((
        json.dumps({"Key": key}).encode(),
        json.dumps({"Fingerprint": "0" * 12}).encode(),
        b"[" * 3000,
        b'{"Key": 7}',
        b'{"a":' * 2000 + b"1",
        b"null",
        b"\xff\xfe",
        rng.randbytes(rng.choice((1, 200, 9000))),
        b"x" * rng.choice((500, 2000, 70_000)),
    ))  # fmt: skip
    if kind < 0.52:
        body = bytes(1_100_000)
    if rng.random() < 0.8:
        return body, [("Content-Length", str(len(body)))]
    cut = rng.randrange(len(body) + 1)
    parts = [part for part in (body[:cut], body[cut:]) if part]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return chunks + b"0\r\n\r\n", [("Transfer-Encoding", "chunked")]
