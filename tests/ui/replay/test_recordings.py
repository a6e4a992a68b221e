"""What ``swim sim play`` serves, and the file that ``swim sim draw --player`` writes; without a browser."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from agent_api import AgentSettings, serve
from agent_api.ui.files import static_files
from agent_api.ui.recordings import recordings_app
from agent_api.ui.single import bundle, player_document
from sims.pictures.tour import tour_trace
from tests.agent_api.http import Agent
from tests.cli.conftest import InProcess, swim

__all__ = ["swim"]

STATIC = Path(__file__).parents[3] / "agent_api" / "ui" / "static"
TRACE = b'{"format":1,"kind":"trace","level":"all","made":{},"seed":1,"swim":"0.1.0"}\n' * 200


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    paths = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for path in paths:
        path.write_bytes(TRACE)
    async with trio.open_nursery() as nursery:
        settings = AgentSettings(http="127.0.0.1:0")
        endpoint = await nursery.start(partial(serve, recordings_app(paths), settings))
        yield Agent(None, endpoint)
        nursery.cancel_scope.cancel()


async def test_the_page_and_the_traces_are_served_and_nothing_else(agent: Agent) -> None:
    first = await agent.get("/")
    assert (first.status, first.headers["location"]) == (307, "ui/#/replay")
    assert 'data-mode="replay"' in (await agent.get("/ui/")).text
    listed = (await agent.get("/traces")).json()["traces"]
    assert [(each["name"], each["size"]) for each in listed] == [
        ("one.jsonl", len(TRACE)),
        ("two.jsonl", len(TRACE)),
    ]
    for each in listed:
        assert (await agent.get(f"/{each['url']}")).body == TRACE
    for path in ("/traces/2", "/traces/-1", "/traces/one.jsonl", "/v1/swim/members", "/ui/../traces"):
        assert (await agent.get(path)).status == 404


async def test_a_trace_is_packed_on_its_way_unless_it_is_packed_already(agent: Agent, tmp_path: Path) -> None:
    host, port = agent.endpoint
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        answer = await client.get("/traces/0")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.num_bytes_downloaded < len(TRACE) / 10
        assert answer.content == TRACE
        (tmp_path / "two.jsonl").write_bytes(gzip.compress(TRACE))
        answer = await client.get("/traces/1")
        assert "content-encoding" not in answer.headers
        assert gzip.decompress(answer.content) == TRACE
        (tmp_path / "two.jsonl").unlink()
        answer = await client.get("/traces/1")
        assert (answer.status_code, answer.text) == (404, "two.jsonl: No such file or directory")


async def test_pages_of_other_sites_cannot_read_a_trace(agent: Agent) -> None:
    answer = await agent.call("GET", "/traces/0", host="rebound.example.com")
    assert answer.status == 403
    answer = await agent.get("/traces/0")
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_allows_its_own_script_and_style_by_their_hashes_and_nothing_else() -> None:
    document = player_document(TRACE, '"><script>')
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', document)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    for element, directive in (('script type="module"', "script-src"), ("style data-all", "style-src")):
        name = element.split()[0]
        (body,) = re.findall(f"<{element}>(.*?)</{name}>", document, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]
        assert "<!--" not in body
    assert not re.search(r"<(link|img|iframe|base)\b|<[a-z]+ [^>]*\b(src|href)=\"(?!#)", document[:2000])
    packed = re.search(r'id="trace" data-name="&quot;&gt;&lt;script&gt;">([^<]*)<', document)
    assert packed is not None
    assert gzip.decompress(base64.b64decode(packed[1])) == TRACE


def test_the_one_script_has_every_module_once() -> None:
    script = bundle("app.js")
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    assert "import(" not in script
    modules = [name for name in static_files() if name.endswith(".js")]
    reached = len(re.findall(r"^const module\d+ = \(\(\) => \{$", script, re.MULTILINE))
    assert reached == len(modules), "a file that no module imports"


@pytest.mark.deep
def test_the_tour_is_a_run_of_this_version() -> None:
    """An older run is as good a tour. Before a release: ``python -m sims.pictures.tour``."""
    kept = (STATIC / "replay" / "tour.jsonl").read_text()
    assert kept.splitlines()[1:] == tour_trace().splitlines()[1:]


def test_a_player_is_drawn_from_a_trace(swim: InProcess, tmp_path: Path) -> None:
    trace, page = tmp_path / "run.jsonl", tmp_path / "run.html"
    trace.write_text(tour_trace())
    done = swim("sim", "draw", str(trace), "--player", str(page))
    assert (done.code, done.out) == (0, f"{page}\n")
    assert page.read_text().startswith("<!doctype html>")
    done = swim("sim", "draw", str(trace), "--player", str(tmp_path / "nowhere" / "x"))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("swim: --player: ")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["play", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["play", __file__, "--http", "localhost"], "--http: "),
        (["run", "join", "--runs", "2", "--play"], "are for one run; omit --runs"),
    ],
)
def test_what_cannot_be_played_is_one_line(swim: InProcess, words: list[str], complaint: str) -> None:
    done = swim("sim", *words)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert done.err.count("\n") == 1
