"""What is served under ``/ui/``, without a browser."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest

from agent_api.access.control import AccessControl
from agent_api.access.rules import AccessRules
from agent_api.ui import members_table
from agent_api.ui.files import static_files
from agent_api.ui.page import ROWS_MAX
from swim import Config
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served

STATIC = Path(__file__).parents[2] / "agent_api" / "ui" / "static"
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster(Config(name="n1"))
    cluster.table[HOSTILE] = make_member(HOSTILE, role="\"'><script>")
    return cluster


@pytest.fixture
async def agent(cluster: FakeCluster):
    async with served(cluster) as agent:
        yield agent


async def test_each_file_is_served_as_it_is_with_its_type(agent: Agent) -> None:
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for name in set(static_files()) - {"index.html"}:  # that one is completed for each request
        answer = await agent.get(f"/ui/{name}")
        assert (answer.status, answer.body) == (200, (STATIC / name).read_bytes())
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (answer.kind or "").startswith(kinds.get(name.rpartition(".")[2], "text/plain")), name


async def test_a_file_that_is_known_is_not_sent_again(agent: Agent) -> None:
    first = await agent.get("/ui/app.css")
    for known in (first.headers["etag"], f'"other", {first.headers["etag"].removeprefix("W/")}', "*"):
        again = await agent.get("/ui/app.css", If_None_Match=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert (await agent.get("/ui/app.css", If_None_Match='"other"')).status == 200


async def test_a_file_is_compressed_if_that_is_offered(agent: Agent) -> None:
    plain = await agent.get("/ui/app.js")
    packed = await agent.get("/ui/app.js", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "Accept-Encoding" in plain.headers["vary"]


async def test_head_answers_as_get_without_the_body(agent: Agent) -> None:
    for path in ("/ui/", "/ui/app.js"):
        head, get = await agent.call("HEAD", path), await agent.get(path)
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(get.body)))


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS"])
async def test_the_page_is_only_read(agent: Agent, method: str) -> None:
    assert (await agent.call(method, "/ui/app.js")).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/ui/../files.py", "/ui/%2e%2e/files.py", "/ui/..%2ffiles.py", "/ui//etc/passwd",
        "/ui/%2fetc%2fpasswd",
        "/ui/static/app.js", "/ui/app.js/", "/ui/APP.JS", "/ui/vendor", "/ui/app.js%00", "/ui/views/..", "/",
        "/uii", "/ui/..\\files.py",
    ],
)  # fmt: skip
async def test_nothing_else_is_served(agent: Agent, path: str) -> None:
    assert (await agent.get(path)).status in (400, 404)


async def test_the_page_is_below_a_slash(agent: Agent) -> None:
    answer = await agent.get("/ui")
    assert (answer.status, answer.headers["location"]) == (308, "ui/")


async def test_every_name_of_a_module_is_a_file() -> None:
    """Imports are relative, and lead to what is served; nothing is loaded from elsewhere."""
    for name, file in static_files().items():
        if not name.endswith(".js"):
            continue
        text = file.body.decode()
        for target in re.findall(r"""(?:(?<!['"])from|import\()\s*['"]([^'"]+)['"]""", text):
            assert target.startswith("."), f"{name}: {target}"
            assert (STATIC / name).parent.joinpath(target).resolve().is_file(), f"{name}: {target}"
        if not name.startswith("vendor/"):
            assert not re.search(r"unsafeHTML|innerHTML|insertAdjacent|document\.write|\beval\(", text), name


async def test_lit_is_the_one_that_its_readme_says() -> None:
    readme = (STATIC / "vendor" / "README").read_text()
    listed = dict(re.findall(r"^    (\S+) +sha512-(\S+)$", readme, re.MULTILINE))
    found = {path.relative_to(STATIC / "vendor").as_posix() for path in (STATIC / "vendor").rglob("*.*")}
    assert found | {"LICENSE"} == set(listed)
    for name, digest in listed.items():
        body = (STATIC / "vendor" / name).read_bytes()
        assert base64.b64encode(hashlib.sha512(body).digest()).decode() == digest, name


async def test_without_javascript_there_is_a_table_and_the_commands(agent: Agent) -> None:
    text = (await agent.get("/ui/")).text
    plain = text.partition("<noscript>")[2]
    assert "swim members" in plain
    assert "&lt;img src=x onerror=alert(1)&gt;" in plain
    assert "role=&quot;&#x27;&gt;&lt;script&gt;" in plain
    assert "<img" not in text
    assert 'data-mode="agent"' in text


async def test_without_a_token_there_are_no_members_in_the_page(cluster: FakeCluster) -> None:
    async with served(cluster, access=AccessControl(AccessRules())) as agent:
        answer = await agent.get("/ui/")
    assert answer.status == 200
    assert "n1" not in answer.text
    assert "--token-file" in answer.text


async def test_a_long_table_is_cut_and_says_so() -> None:
    members = [make_member(f"m{number:05}") for number in range(ROWS_MAX + 1234)]
    text = members_table(members)
    assert text.count("<tr>") == ROWS_MAX + 1
    assert "1,234 more" in text


async def test_the_page_is_served_under_any_path(cluster: FakeCluster) -> None:
    """Its addresses are relative: the application may be mounted."""
    text = static_files()["index.html"].body.decode()
    assert not re.search(r'(href|src)="/', text)
